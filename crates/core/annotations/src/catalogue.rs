//! Every annotation of ingress-nginx by name: what is done here, what has nothing to do, and what is refused and why.

/// The family of the annotations: what stands before the slash.
pub const FAMILY: &str = "nginx.ingress.kubernetes.io";

/// What becomes of an annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is done.
    Obeyed,
    /// There is nothing to do, for this reason; its value must be harmless.
    Idle(&'static str),
    /// It is refused.
    Refused {
        /// Why, as a sentence without full stop.
        why: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
}

/// Those that are done.
const OBEYED: &[&str] = &[
    "affinity",
    "affinity-mode",
    "allowlist-source-range",
    "app-root",
    "auth-always-set-cookie",
    "auth-method",
    "auth-response-headers",
    "auth-signin",
    "auth-signin-redirect-param",
    "auth-url",
    "backend-protocol",
    "cors-allow-credentials",
    "cors-allow-headers",
    "cors-allow-methods",
    "cors-allow-origin",
    "cors-expose-headers",
    "cors-max-age",
    "custom-http-errors",
    "default-backend",
    "denylist-source-range",
    "enable-cors",
    "force-ssl-redirect",
    "limit-allowlist",
    "limit-burst-multiplier",
    "limit-rpm",
    "limit-rps",
    "limit-whitelist",
    "permanent-redirect",
    "permanent-redirect-code",
    "proxy-body-size",
    "proxy-connect-timeout",
    "proxy-read-timeout",
    "proxy-send-timeout",
    "rewrite-target",
    "session-cookie-change-on-failure",
    "session-cookie-expires",
    "session-cookie-max-age",
    "session-cookie-name",
    "session-cookie-path",
    "session-cookie-samesite",
    "session-cookie-secure",
    "ssl-redirect",
    "temporal-redirect",
    "temporal-redirect-code",
    "upstream-hash-by",
    "upstream-vhost",
    "use-regex",
    "whitelist-source-range",
    "x-forwarded-prefix",
];

const STREAMED: &str = "bodies are streamed both ways as they come, never buffered whole";
const OPERATORS: &str = "the operators of the platform decide it for all tools";
const ASKED_EACH_TIME: &str = "the server of auth-url is asked for each request";
const ENDPOINTS: &str =
    "requests go to the endpoints in turn, and to another one where one takes no connection";

/// Those for which there is nothing to do.
const IDLE: &[(&str, &str)] = &[
    ("affinity-canary-behavior", "there are no canaries here"),
    ("auth-cache-duration", ASKED_EACH_TIME),
    ("auth-keepalive", ASKED_EACH_TIME),
    ("auth-keepalive-requests", ASKED_EACH_TIME),
    ("auth-keepalive-share-vars", ASKED_EACH_TIME),
    ("auth-keepalive-timeout", ASKED_EACH_TIME),
    ("client-body-buffer-size", STREAMED),
    (
        "connection-proxy-header",
        "the gateway keeps connections to tools by itself",
    ),
    (
        "disable-proxy-intercept-errors",
        "no answer is replaced without custom-http-errors",
    ),
    ("enable-access-log", OPERATORS),
    ("enable-global-auth", "there is no authentication for all tools"),
    ("enable-opentelemetry", OPERATORS),
    ("enable-opentracing", OPERATORS),
    ("enable-rewrite-log", OPERATORS),
    ("http2-push-preload", "browsers have given up HTTP/2 push"),
    ("load-balance", ENDPOINTS),
    ("opentelemetry-trust-incoming-span", OPERATORS),
    ("opentracing-trust-incoming-span", OPERATORS),
    (
        "preserve-trailing-slash",
        "redirects to HTTPS keep the path as it is",
    ),
    ("proxy-buffer-size", STREAMED),
    ("proxy-buffering", STREAMED),
    ("proxy-buffers-number", STREAMED),
    ("proxy-busy-buffers-size", STREAMED),
    (
        "proxy-http-version",
        "the gateway asks each tool as its Service says",
    ),
    ("proxy-max-temp-file-size", STREAMED),
    ("proxy-next-upstream", ENDPOINTS),
    ("proxy-next-upstream-timeout", ENDPOINTS),
    ("proxy-next-upstream-tries", ENDPOINTS),
    ("proxy-request-buffering", STREAMED),
    (
        "relative-redirects",
        "redirects of a tool are passed on as it made them",
    ),
    ("service-upstream", ENDPOINTS),
    (
        "session-cookie-conditional-samesite-none",
        "the browsers that it was for are gone",
    ),
    (
        "use-port-in-redirects",
        "redirects to HTTPS name the port where it is not 443",
    ),
];

const SNIPPET: Known = Known::Refused {
    why: "There is no configuration that a snippet could be put into, and what it means to say cannot be known",
    instead: "have the tool itself do it",
};
const CANARY: Known = Known::Refused {
    why: "Traffic is not shared out between Ingresses",
    instead: "run both versions behind one Service",
};
const PASSWORDS: Known = Known::Refused {
    why: "The gateway reads no Secrets but certificates, so it cannot check passwords, and serves nothing that it cannot guard",
    instead: "check passwords in the tool, or have auth-url name a Service of yours that does",
};
const CLIENT_CERTIFICATES: Known = Known::Refused {
    why: "Visitors are not asked for certificates, since all tools share the handshake",
    instead: "sign visitors in with auth-url",
};
const MIRROR: Known = Known::Refused {
    why: "Requests are not copied to other servers",
    instead: "have the tool send on what it wants to",
};
const COOKIES: Known = Known::Refused {
    why: "Cookies and redirects of a tool are passed on as it made them",
    instead: "have the tool write them as visitors need them; X-Forwarded-Host and X-Forwarded-Prefix tell it how it is reached",
};
const ENDPOINT_TLS: Known = Known::Refused {
    why: "The gateway speaks with tools without TLS",
    instead: "have the tool serve plain HTTP at its port",
};
const WAF: Known = Known::Refused {
    why: "There is no such filter here, and without it the tool would be less guarded than it means to be",
    instead: "leave it out, and check input in the tool",
};
const CONFIG_MAP: Known = Known::Refused {
    why: "The gateway reads no ConfigMaps",
    instead: "have the tool set its headers itself",
};
const TELEMETRY: Known = Known::Refused {
    why: "The gateway sends nothing about requests anywhere",
    instead: "leave it out; traceparent is passed on",
};
const RATES: Known = Known::Refused {
    why: "Only the rate of requests is limited",
    instead: "use limit-rps or limit-rpm",
};
const TLS: Known = Known::Refused {
    why: "TLS is the same for all tools",
    instead: "leave it out",
};

/// Those that are refused.
const REFUSED: &[(&str, Known)] = &[
    (
        "auth-cache-key",
        Known::Refused {
            why: "Answers about who may come in are not kept",
            instead: "leave it out; the server of auth-url is asked for each request",
        },
    ),
    ("auth-proxy-set-headers", CONFIG_MAP),
    ("auth-realm", PASSWORDS),
    (
        "auth-request-redirect",
        Known::Refused {
            why: "The server of auth-url is told the path that was asked for, in X-Auth-Request-Redirect",
            instead: "leave it out",
        },
    ),
    ("auth-secret", PASSWORDS),
    ("auth-secret-type", PASSWORDS),
    ("auth-tls-error-page", CLIENT_CERTIFICATES),
    ("auth-tls-match-cn", CLIENT_CERTIFICATES),
    ("auth-tls-pass-certificate-to-upstream", CLIENT_CERTIFICATES),
    ("auth-tls-secret", CLIENT_CERTIFICATES),
    ("auth-tls-verify-client", CLIENT_CERTIFICATES),
    ("auth-tls-verify-depth", CLIENT_CERTIFICATES),
    ("auth-type", PASSWORDS),
    ("canary", CANARY),
    ("canary-by-cookie", CANARY),
    ("canary-by-header", CANARY),
    ("canary-by-header-pattern", CANARY),
    ("canary-by-header-value", CANARY),
    ("canary-weight", CANARY),
    ("canary-weight-total", CANARY),
    ("custom-headers", CONFIG_MAP),
    ("enable-influxdb", TELEMETRY),
    ("enable-modsecurity", WAF),
    ("enable-owasp-core-rules", WAF),
    (
        "from-to-www-redirect",
        Known::Refused {
            why: "The host with www. (or without) belongs to nobody, and no tool can claim it",
            instead: "leave it out",
        },
    ),
    ("global-rate-limit", RATES),
    ("global-rate-limit-ignored-cidrs", RATES),
    ("global-rate-limit-key", RATES),
    ("global-rate-limit-window", RATES),
    ("influxdb-host", TELEMETRY),
    ("influxdb-measurement", TELEMETRY),
    ("influxdb-port", TELEMETRY),
    ("influxdb-server-name", TELEMETRY),
    ("limit-connections", RATES),
    ("limit-rate", RATES),
    ("limit-rate-after", RATES),
    ("mirror-host", MIRROR),
    ("mirror-request-body", MIRROR),
    ("mirror-target", MIRROR),
    ("modsecurity-transaction-id", WAF),
    ("opentelemetry-operation-name", TELEMETRY),
    ("proxy-cookie-domain", COOKIES),
    ("proxy-cookie-path", COOKIES),
    ("proxy-redirect-from", COOKIES),
    ("proxy-redirect-to", COOKIES),
    (
        "satisfy",
        Known::Refused {
            why: "Who may come in is asked of addresses first and of auth-url then, and both must agree",
            instead: "leave it out, or decide in the server of auth-url",
        },
    ),
    ("secure-backends", ENDPOINT_TLS),
    (
        "server-alias",
        Known::Refused {
            why: "An alias would claim hosts without a rule",
            instead: "write a rule for each host of the tool",
        },
    ),
    (
        "session-cookie-domain",
        Known::Refused {
            why: "A cookie for a domain would go to other tools too",
            instead: "leave it out; the cookie is for the tool's host",
        },
    ),
    ("ssl-ciphers", TLS),
    (
        "ssl-passthrough",
        Known::Refused {
            why: "The gateway speaks TLS with visitors itself",
            instead: "name a Secret with your certificate in spec.tls",
        },
    ),
    ("ssl-prefer-server-ciphers", TLS),
    (
        "upstream-hash-by-subset",
        Known::Refused {
            why: "One key leads to one endpoint",
            instead: "use upstream-hash-by alone",
        },
    ),
];

/// What becomes of the annotation with this name, the part behind the slash; `None` when nobody knows it.
pub fn known(name: &str) -> Option<Known> {
    if OBEYED.contains(&name) {
        return Some(Known::Obeyed);
    }
    if let Some((_, why)) = IDLE.iter().find(|(idle, _)| *idle == name) {
        return Some(Known::Idle(why));
    }
    if name.ends_with("-snippet") {
        return Some(SNIPPET);
    }
    if name.starts_with("proxy-ssl-") {
        return Some(ENDPOINT_TLS);
    }
    REFUSED
        .iter()
        .find(|(refused, _)| *refused == name)
        .map(|(_, known)| *known)
}

/// The names of those that are done.
pub fn obeyed() -> &'static [&'static str] {
    OBEYED
}

/// The known name that is nearest to this one, where it is near enough to have been meant.
pub fn nearest(name: &str) -> Option<&'static str> {
    // Longer than every name, so nothing is near it, and comparing costs their product.
    if name.len() > 64 {
        return None;
    }
    let idle = IDLE.iter().map(|(name, _)| *name);
    let all = OBEYED.iter().copied().chain(idle);
    let distances = all.map(|known| (distance(name, known), known));
    let (distance, known) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= 2).then_some(known)
}

/// How many characters have to be put in, taken out or changed.
fn distance(one: &str, other: &str) -> usize {
    let other = other.as_bytes();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let changed = diagonal + usize::from(!a.eq_ignore_ascii_case(b));
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::{IDLE, Known, OBEYED, REFUSED, known, nearest};

    #[test]
    fn each_name_is_known_once() {
        let refused = REFUSED.iter().map(|(name, _)| *name);
        let idle = IDLE.iter().map(|(name, _)| *name);
        let mut all: Vec<_> = OBEYED.iter().copied().chain(idle).chain(refused).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn snippets_are_refused_whatever_they_are_called() {
        for name in ["server-snippet", "configuration-snippet", "of-tomorrow-snippet"] {
            assert!(matches!(known(name), Some(Known::Refused { .. })), "{name}");
        }
    }

    #[test]
    fn documentation_has_each_of_them() {
        let docs = include_str!("../../../../docs/gateway.md");
        let idle = IDLE.iter().map(|(name, _)| *name);
        let refused = REFUSED.iter().map(|(name, _)| *name);
        for name in OBEYED.iter().copied().chain(idle).chain(refused) {
            let short = name.strip_prefix("session-cookie").unwrap_or(name);
            let is_there = [name, short].iter().any(|name| {
                [format!("`{name}`"), format!("`{name}: ")]
                    .iter()
                    .any(|text| docs.contains(text))
            });
            assert!(is_there, "{name} is not in docs/gateway.md");
        }
    }

    #[test]
    fn what_was_probably_meant_is_named() {
        assert_eq!(nearest("rewrite-targt"), Some("rewrite-target"));
        assert_eq!(nearest("Proxy-Body-Size"), Some("proxy-body-size"));
        assert_eq!(nearest("something-new"), None);
        assert_eq!(nearest(&"x".repeat(100_000)), None);
    }
}
