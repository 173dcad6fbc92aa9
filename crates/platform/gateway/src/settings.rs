//! What the operator says about visitors: the settings file as data, and what follows from it.
//!
//! The roof program reads it (`--gateway-settings` of `up`, `--settings` of `gateway`), at the start and after each
//! change; every key is told in docs/gateway.md. Pure.

mod failing;
mod tool_limits;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

use http::{HeaderValue, StatusCode};
use regex::bytes::{RegexSet, RegexSetBuilder};
use serde::Deserialize;
use toolforge_annotations::Networks;
use toolforge_model::{Domain, Problems, ToolName};
use toolforge_registrations::RegistrationSettings;

use crate::{
    announcement::HeaderVersion,
    certificates::files::{CertificateFiles, Place},
    compression::{Coding, Offer},
    legacy::Legacy,
    limits::PATTERNS_LIMIT_BYTES,
    rate::RateLimit,
    rules::Rules,
    seen::access_log::{LogFormat, LogRule},
};

pub use failing::{PassingOverSettings, RetriesSettings};
pub use tool_limits::{OwnLimitsSettings, ToolLimitsSettings};

/// No browser's name and no page's address: a pattern that finds this and nothing at all finds everything.
const UNLIKELY: &[u8] = b"\x01";

/// The settings file. What it leaves out is not done; a key that is not known is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GatewaySettings {
    /// Addresses and networks (`ADDRESS/BITS`) whose requests are refused.
    pub banned_addresses: Vec<String>,
    /// Regular expressions; a request whose `User-Agent` one of them finds is refused.
    pub blocked_user_agents: Vec<String>,
    /// Regular expressions; a request whose `Referer` one of them finds is refused.
    pub blocked_referers: Vec<String>,
    /// Whether requests need a `User-Agent`.
    pub require_user_agent: bool,
    /// Proxies in front of the gateway, by address or network, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// Proxies that write a PROXY header before every connection.
    pub proxy_protocol: ProxyProtocolSettings,
    /// Tools that are told their visitors' addresses.
    pub visitor_addresses_for: Vec<String>,
    /// Tools to which connections begin with a PROXY header of this version.
    pub proxy_protocol_to: BTreeMap<String, u8>,
    /// How often one address may ask; none leaves it open.
    pub rate_limit: Option<RateLimitSettings>,
    /// The largest request body, in bytes; none leaves it at 128 MiB.
    pub request_body_limit_bytes: Option<u64>,
    /// Certificates for names that the default one is not for.
    pub certificates: Vec<CertificatesSettings>,
    /// A `Content-Security-Policy-Report-Only` for every answer, in place of the tool's own; none leaves that as it is.
    pub content_security_policy_report_only: Option<String>,
    /// Answers everything with a page, as long as it is there.
    pub maintenance: Option<MaintenanceSettings>,
    /// Leads URLs of the legacy domain to tools' own hosts; none routes them like any other.
    pub legacy_redirect: Option<LegacyRedirectSettings>,
    /// What one tool may have at once.
    pub tool_limits: ToolLimitsSettings,
    /// How often requests are sent again.
    pub retries: RetriesSettings,
    /// When endpoints that fail are passed over.
    pub passing_over: PassingOverSettings,
    /// The codings that answers may be compressed with, the preferred one first; none stands for all.
    pub compression: Option<Vec<Coding>>,
    /// What is asked of webservices outside of Kubernetes that register.
    pub registrations: RegistrationSettings,
    /// Writes requests down; none writes nothing.
    pub access_log: Option<AccessLogSettings>,
}

/// Where URLs of the legacy domain, `HOST/TOOL/rest`, lead: to `https://TOOL.DOMAIN/rest`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LegacyRedirectSettings {
    /// The hosts of the legacy domain.
    pub hosts: Vec<String>,
    /// 307 or 308.
    #[serde(default = "permanent")]
    pub status: u16,
    /// The tools that had such URLs; none stands for all that are served.
    pub tools: Option<Vec<String>>,
    /// Where everybody else is sent, with 302; none routes them like anybody.
    pub otherwise: Option<String>,
}

fn permanent() -> u16 {
    308
}

/// Where requests are written down, and how.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessLogSettings {
    /// The file, by an absolute path; it is appended to, and begun anew when it was moved away.
    pub file: PathBuf,
    /// What the lines look like.
    #[serde(default)]
    pub format: LogFormat,
    /// How many of a hundred requests are written, 1 to 100.
    #[serde(default = "all")]
    pub percent: u8,
}

fn all() -> u8 {
    100
}

/// Proxies by address or network, for each listener: their connections begin with a PROXY header, all others with none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ProxyProtocolSettings {
    /// Those before the plain listener.
    pub http: Vec<String>,
    /// Those before the listener for HTTPS.
    pub https: Vec<String>,
}

/// Where certificates are: a folder, or one certificate and its key. By absolute paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CertificatesSettings {
    /// A folder, in which every `NAME.crt` is a certificate with its key in `NAME.key`.
    pub folder: Option<PathBuf>,
    /// A certificate and those it stands on, PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
}

/// How often one address, or the /64 of an IPv6 address, may ask.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RateLimitSettings {
    /// Requests in one second, for long.
    pub requests_per_second: u32,
    /// Requests at once, after a pause.
    pub burst: u32,
}

impl Default for RateLimitSettings {
    /// The original's, since 2022-07.
    fn default() -> Self {
        Self {
            requests_per_second: 100,
            burst: 100,
        }
    }
}

/// What visitors are told while the platform is being worked on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MaintenanceSettings {
    /// One sentence or two, as text.
    pub message: String,
    /// After how many seconds programs may ask again.
    pub retry_after_seconds: u32,
}

impl Default for MaintenanceSettings {
    fn default() -> Self {
        Self {
            message: "The platform is being worked on. Try again later.".to_owned(),
            // Long enough that programs do not come back at once, short enough that people are not forgotten.
            retry_after_seconds: 300,
        }
    }
}

/// Why there are no rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewaySettingsError {
    /// The text is not a settings file.
    #[error("the settings cannot be read: {0}")]
    Unreadable(String),
    /// Values break rules; each is told.
    #[error("the settings do not work: {0}")]
    Values(Problems),
}

impl GatewaySettings {
    /// Reads a settings file in YAML (or JSON, which is YAML). An empty one says nothing.
    ///
    /// # Errors
    /// When it is no YAML, has a key twice, or a key or a type of value that is not known. The values are checked by
    /// [`Self::resolve`].
    pub fn read(text: &str) -> Result<Self, GatewaySettingsError> {
        serde_saphyr::from_str::<Option<Self>>(text)
            .map(Option::unwrap_or_default)
            .map_err(|problem| GatewaySettingsError::Unreadable(problem.to_string()))
    }

    /// What follows from the settings.
    ///
    /// # Errors
    /// When values break rules, all of which are told.
    pub fn resolve(self) -> Result<Rules, GatewaySettingsError> {
        let mut problems = Problems::default();
        let rules = Rules {
            banned: networks("bannedAddresses", &self.banned_addresses, &mut problems),
            user_agents: patterns("blockedUserAgents", &self.blocked_user_agents, &mut problems),
            referers: patterns("blockedReferers", &self.blocked_referers, &mut problems),
            needs_user_agent: self.require_user_agent,
            trusted: networks("trustedProxies", &self.trusted_proxies, &mut problems),
            proxies_http: networks("proxyProtocol.http", &self.proxy_protocol.http, &mut problems),
            proxies_https: networks("proxyProtocol.https", &self.proxy_protocol.https, &mut problems),
            told: namespaces("visitorAddressesFor", &self.visitor_addresses_for, &mut problems),
            announced: announced(&self.proxy_protocol_to, &mut problems),
            rate: self
                .rate_limit
                .as_ref()
                .and_then(|limit| rate(limit, &mut problems)),
            body_limit_bytes: self.request_body_limit_bytes,
            certificates: places(&self.certificates, &mut problems),
            report_only: self
                .content_security_policy_report_only
                .as_deref()
                .and_then(|policy| report_only(policy, &mut problems)),
            maintenance: self.maintenance.as_ref().map(|maintenance| {
                (
                    Arc::from(maintenance.message.as_str()),
                    HeaderValue::from(maintenance.retry_after_seconds),
                )
            }),
            legacy: self
                .legacy_redirect
                .as_ref()
                .map(|legacy| legacy_redirect(legacy, &mut problems)),
            rooms: self.tool_limits.resolve(&mut problems),
            failing: failing::resolve(&self.retries, &self.passing_over, &mut problems),
            compression: offer(self.compression.as_deref(), &mut problems),
            registrations: Arc::new(self.registrations.resolve(&mut problems)),
            access_log: self
                .access_log
                .as_ref()
                .and_then(|log| access_log(log, &mut problems)),
            settings: self,
        };
        if problems.is_empty() {
            Ok(rules)
        } else {
            Err(GatewaySettingsError::Values(problems))
        }
    }
}

fn networks(field: &str, texts: &[String], problems: &mut Problems) -> Networks {
    Networks::read(texts, |index, error| {
        problems.add(
            format!("{field}[{index}]"),
            format!("{:?} is {error}", texts[index]),
        );
    })
}

/// All patterns as one automaton; none where there are none, so that nothing is looked for.
fn patterns(field: &str, texts: &[String], problems: &mut Problems) -> Option<RegexSet> {
    let mut is_good = true;
    for (index, text) in texts.iter().enumerate() {
        let problem = match regex::bytes::Regex::new(text) {
            Ok(pattern) if pattern.is_match(b"") && pattern.is_match(UNLIKELY) => {
                "finds everything, so it would refuse every request; write what is to be found".to_owned()
            }
            Ok(_) => continue,
            Err(error) => format!("is no regular expression: {error}"),
        };
        is_good = false;
        problems.add(format!("{field}[{index}]"), format!("{text:?} {problem}"));
    }
    if texts.is_empty() || !is_good {
        return None;
    }
    let built = RegexSetBuilder::new(texts)
        .size_limit(PATTERNS_LIMIT_BYTES)
        .build();
    if let Err(error) = &built {
        problems.add(
            field,
            format!("all patterns together are too large, write fewer or simpler ones: {error}"),
        );
    }
    built.ok()
}

fn offer(codings: Option<&[Coding]>, problems: &mut Problems) -> Offer {
    let Some(codings) = codings else {
        return Offer::default();
    };
    for (index, coding) in codings.iter().enumerate() {
        if codings[..index].contains(coding) {
            let problem = format!("{} is named twice; write it once", coding.name());
            problems.add(format!("compression[{index}]"), problem);
        }
    }
    Offer(codings.to_vec())
}

fn rate(limit: &RateLimitSettings, problems: &mut Problems) -> Option<Arc<RateLimit>> {
    let mut is_good = true;
    for (field, value) in [
        ("requestsPerSecond", limit.requests_per_second),
        ("burst", limit.burst),
    ] {
        if value == 0 {
            is_good = false;
            let problem = "0 would refuse every request; write 1 or more, or leave rateLimit out";
            problems.add(format!("rateLimit.{field}"), problem);
        }
    }
    is_good.then(|| Arc::new(RateLimit::new(limit.requests_per_second, limit.burst)))
}

fn places(settings: &[CertificatesSettings], problems: &mut Problems) -> Vec<Place> {
    let mut places = Vec::new();
    for (index, settings) in settings.iter().enumerate() {
        let field = format!("certificates[{index}]");
        let paths = [
            ("folder", &settings.folder),
            ("certificate", &settings.certificate),
            ("key", &settings.key),
        ];
        for (name, path) in paths {
            if let Some(path) = path.as_ref().filter(|path| !path.is_absolute()) {
                let path = path.display();
                let problem = format!("{path} is no absolute path; write one that begins with a slash");
                problems.add(format!("{field}.{name}"), problem);
            }
        }
        match (&settings.folder, &settings.certificate, &settings.key) {
            (Some(folder), None, None) => places.push(Place::Folder(folder.clone())),
            (None, Some(certificate), Some(key)) => places.push(Place::Files(CertificateFiles {
                certificate: certificate.clone(),
                key: key.clone(),
            })),
            _ => problems.add(field, "write either folder, or certificate and key"),
        }
    }
    places
}

fn report_only(policy: &str, problems: &mut Problems) -> Option<HeaderValue> {
    let value = HeaderValue::from_str(policy).ok();
    let value = value.filter(|value| value.to_str().is_ok() && !policy.trim().is_empty());
    if value.is_none() {
        let problem = format!(
            "{policy:?} is not one line of visible ASCII characters; write directives with semicolons between them"
        );
        problems.add("contentSecurityPolicyReportOnly", problem);
    }
    value
}

fn legacy_redirect(settings: &LegacyRedirectSettings, problems: &mut Problems) -> Legacy {
    let hosts = problems.each("legacyRedirect.hosts", &settings.hosts, str::parse::<Domain>);
    if settings.hosts.is_empty() {
        problems.add(
            "legacyRedirect.hosts",
            "is empty; name the hosts of the legacy domain",
        );
    }
    let status = match settings.status {
        307 => StatusCode::TEMPORARY_REDIRECT,
        308 => StatusCode::PERMANENT_REDIRECT,
        other => {
            let problem = format!("{other} does not keep the method; write 307 or 308");
            problems.add("legacyRedirect.status", problem);
            StatusCode::PERMANENT_REDIRECT
        }
    };
    let tools = settings.tools.as_ref().map(|tools| {
        let tools = problems.each("legacyRedirect.tools", tools, str::parse::<ToolName>);
        tools.into_iter().collect()
    });
    let otherwise = settings.otherwise.as_ref().and_then(|url| {
        let value = HeaderValue::from_str(url).ok();
        let value = value.filter(|_| url.starts_with("https://") || url.starts_with("http://"));
        if value.is_none() {
            let problem = format!("{url:?} is no URL; write one that begins with https://");
            problems.add("legacyRedirect.otherwise", problem);
        }
        value
    });
    Legacy {
        hosts,
        status,
        tools,
        otherwise,
    }
}

fn access_log(log: &AccessLogSettings, problems: &mut Problems) -> Option<LogRule> {
    if !log.file.is_absolute() {
        let problem = format!(
            "{} depends on where the gateway was started; write a path that begins with a slash",
            log.file.display()
        );
        problems.add("accessLog.file", problem);
    }
    if !(1..=100).contains(&log.percent) {
        let problem = format!(
            "{} is not 1 to 100; to write nothing leave accessLog out",
            log.percent
        );
        problems.add("accessLog.percent", problem);
    }
    problems.is_empty().then(|| LogRule {
        file: log.file.clone(),
        format: log.format,
        percent: log.percent,
    })
}

fn announced(tools: &BTreeMap<String, u8>, problems: &mut Problems) -> HashMap<String, HeaderVersion> {
    let mut announced = HashMap::new();
    for (name, version) in tools {
        let field = format!("proxyProtocolTo.{name}");
        let version = match version {
            1 => HeaderVersion::V1,
            2 => HeaderVersion::V2,
            other => {
                let problem = format!("there is no version {other} of the PROXY header; write 1 or 2");
                problems.add(field, problem);
                continue;
            }
        };
        match name.parse::<ToolName>() {
            Ok(tool) => {
                announced.insert(tool.namespace().to_string(), version);
            }
            Err(error) => problems.add(field, error.to_string()),
        }
    }
    announced
}

fn namespaces(field: &str, tools: &[String], problems: &mut Problems) -> HashSet<String> {
    let tools = problems.each(field, tools, str::parse::<ToolName>);
    tools.iter().map(|tool| tool.namespace().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::{GatewaySettings, GatewaySettingsError};

    #[test]
    fn everything_that_is_wrong_is_told_with_its_field_and_the_way_out() {
        let settings = GatewaySettings::read(
            "bannedAddresses: [192.0.2.0/24, 192.0.2.1/24]\nblockedUserAgents: ['(']\nblockedReferers: ['x*']\n\
             visitorAddressesFor: [alpha, Not A Tool]\n\
             proxyProtocolTo: { alpha: 1, beta: 3, Not A Tool: 2 }\nrateLimit: { burst: 0 }\n\
             proxyProtocol: { https: [192.0.2.1/40] }\n\
             certificates: [{ folder: /a }, { folder: a }, { certificate: /a }]\n\
             compression: [zstd, gzip, zstd]\n\
             contentSecurityPolicyReportOnly: \"default-src 'self';\\n report-uri /x\"\n\
             accessLog: { file: access.log, percent: 101 }\n\
             legacyRedirect: { hosts: [a b], status: 301, tools: [A B], otherwise: here }\n",
        )
        .unwrap();
        let Err(GatewaySettingsError::Values(problems)) = settings.resolve() else {
            panic!("it works");
        };
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        let expected = [
            "bannedAddresses[1]",
            "blockedUserAgents[0]",
            "blockedReferers[0]",
            "proxyProtocol.https[0]",
            "visitorAddressesFor[1]",
            "proxyProtocolTo.Not A Tool",
            "proxyProtocolTo.beta",
            "rateLimit.burst",
            "certificates[1].folder",
            "certificates[2]",
            "contentSecurityPolicyReportOnly",
            "legacyRedirect.hosts[0]",
            "legacyRedirect.status",
            "legacyRedirect.tools[0]",
            "legacyRedirect.otherwise",
            "compression[2]",
            "accessLog.file",
            "accessLog.percent",
        ];
        assert_eq!(fields, expected);
        assert!(problems[0].problem.contains("write 192.0.2.1"), "{}", problems[0]);
        assert!(problems[2].problem.contains("every request"), "{}", problems[2]);
    }

    #[test]
    fn what_is_not_known_is_refused_and_nothing_says_nothing() {
        let error = GatewaySettings::read("bannedAdresses: []").unwrap_err();
        assert!(error.to_string().contains("bannedAdresses"), "{error}");
        assert!(GatewaySettings::read("compression: [deflate]").is_err());
        assert!(GatewaySettings::read("requireUserAgent: perhaps").is_err());
        assert_eq!(GatewaySettings::read("").unwrap(), GatewaySettings::default());
    }
}
