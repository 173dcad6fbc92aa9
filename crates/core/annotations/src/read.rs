//! From the texts of an Ingress to what they come to, and to everything that is wrong or does nothing.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use http::{HeaderValue, Method};

use crate::{
    Affinity, Auth, Cors, Extras, FAMILY, Known, Networks, Origins, Pattern, Rate, Rates, Redirect, Signin,
    Template, Timeouts, Variable, affinity, auth, catalogue, cors, known, limits, nearest, redirect, values,
};

/// How many paths of an Ingress may be patterns: each takes memory, and time of every request to its host.
const MOST_PATTERNS: usize = 32;
/// The longest time that a tool may be given, in seconds: what the gateway gives all.
const LONGEST_SECONDS: u64 = 3600;
/// The longest time to take a connection, in seconds: systems give up about then (`proxy_connect_timeout` of nginx).
const LONGEST_CONNECT_SECONDS: u64 = 75;
/// The longest value in bytes.
const LONGEST_VALUE: usize = 4096;

/// What is read: the parts of an Ingress that its annotations depend on.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its annotations of [`FAMILY`], by what stands behind the slash.
    pub annotations: BTreeMap<&'a str, &'a str>,
    /// The hosts of its rules.
    pub hosts: Vec<&'a str>,
    /// The paths of its rules.
    pub paths: Vec<AskedPath<'a>>,
}

/// A path of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedPath<'a> {
    /// The rule, counted from 0.
    pub rule: usize,
    /// The path within the rule.
    pub index: usize,
    /// The path itself.
    pub path: &'a str,
    /// Whether its type is `ImplementationSpecific`, so that it may be a pattern.
    pub may_be_pattern: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What is done; `None` where no annotation asks for anything. It counts only where there are no problems.
    pub extras: Option<Extras>,
    /// What is refused. An Ingress with one is not served: without what it asks for, it might let in anybody.
    pub problems: Vec<Problem>,
    /// What does nothing, and why.
    pub notes: Vec<Note>,
}

/// Where in the Ingress something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The annotation with this name, the part behind the slash.
    Annotation(String),
    /// A path of a rule.
    Path {
        /// The rule.
        rule: usize,
        /// The path within it.
        index: usize,
    },
}

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The annotation is known, and not done here.
    Refused,
    /// Nobody knows the annotation.
    Unknown,
    /// The value is not one that the annotation can have.
    Value,
    /// The path is no pattern.
    Pattern,
}

/// Something that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind.
    pub kind: ProblemKind,
    /// Where.
    pub place: Place,
    /// The value; `None` where the annotation alone is the problem.
    pub value: Option<String>,
    /// Why, as a sentence without full stop.
    pub why: Cow<'static, str>,
    /// What to do instead.
    pub instead: Cow<'static, str>,
}

/// Something that does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The annotation, the part behind the slash.
    pub name: String,
    /// Why it does nothing, or less than it says.
    pub text: Cow<'static, str>,
}

impl<'a> Source<'a> {
    /// The annotations of the family among all of an object, by what stands behind the slash.
    pub fn of_family(all: impl Iterator<Item = (&'a String, &'a String)>) -> BTreeMap<&'a str, &'a str> {
        let ours = all.filter_map(|(key, value)| {
            let name = key.strip_prefix(FAMILY)?.strip_prefix('/')?;
            Some((name, value.as_str()))
        });
        ours.collect()
    }
}

/// Whether paths of type `ImplementationSpecific` are patterns: with ingress-nginx a rewrite makes them such too.
pub fn has_patterns(annotations: &BTreeMap<&str, &str>) -> bool {
    let asked = annotations
        .get("use-regex")
        .and_then(|text| values::boolean(text));
    asked.unwrap_or(false) || annotations.contains_key("rewrite-target")
}

/// Reads the annotations of an Ingress.
pub fn read(source: &Source<'_>) -> Reading {
    let mut reader = Reader {
        source,
        problems: Vec::new(),
        notes: Vec::new(),
    };
    reader.look_at_names();
    let extras = reader.extras();
    let is_something = !extras.obeyed.is_empty();
    Reading {
        extras: is_something.then_some(extras),
        problems: reader.problems,
        notes: reader.notes,
    }
}

struct Reader<'a> {
    source: &'a Source<'a>,
    problems: Vec<Problem>,
    notes: Vec<Note>,
}

impl<'a> Reader<'a> {
    /// What can be said of each annotation by its name alone.
    fn look_at_names(&mut self) {
        for (name, value) in &self.source.annotations {
            match known(name) {
                Some(Known::Obeyed) => {}
                Some(Known::Idle(why)) if values::is_harmless(value) => {
                    self.note(name, format!("does nothing here: {why}; leave it out"));
                }
                Some(Known::Idle(_)) => {
                    self.wrong(
                        name,
                        "must be a word or a number, though it does nothing here",
                        "leave it out",
                    );
                }
                Some(Known::Refused { why, instead }) => {
                    self.refuse(ProblemKind::Refused, name, why.into(), instead.into());
                }
                None => {
                    let instead = match nearest(name) {
                        Some(meant) => format!("leave it out, or write {FAMILY}/{meant} if you mean that"),
                        None => "leave it out; for a note of your own use a key without a slash".to_owned(),
                    };
                    let why = "Annotations that ingress controllers may take orders from are not allowed where nobody knows what they say";
                    self.refuse(ProblemKind::Unknown, name, why.into(), instead.into());
                }
            }
        }
    }

    fn refuse(&mut self, kind: ProblemKind, name: &str, why: Cow<'static, str>, instead: Cow<'static, str>) {
        self.problems.push(Problem {
            kind,
            place: Place::Annotation(name.to_owned()),
            value: None,
            why,
            instead,
        });
    }

    fn wrong(&mut self, name: &str, must: &str, instead: impl Into<Cow<'static, str>>) {
        self.problems.push(Problem {
            kind: ProblemKind::Value,
            place: Place::Annotation(name.to_owned()),
            value: self.text(name).map(str::to_owned),
            why: format!("The annotation {name} {must}").into(),
            instead: instead.into(),
        });
    }

    fn note(&mut self, name: &str, text: impl Into<Cow<'static, str>>) {
        self.notes.push(Note {
            name: name.to_owned(),
            text: text.into(),
        });
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.source.annotations.get(name).copied()
    }

    /// The value of an annotation, where it is there and can be read.
    fn value<T>(
        &mut self,
        name: &str,
        must: &str,
        example: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = Some(text)
            .filter(|text| text.len() <= LONGEST_VALUE)
            .and_then(read);
        if value.is_none() {
            self.wrong(name, must, format!("write it like {example:?}"));
        }
        value
    }

    fn boolean(&mut self, name: &str) -> Option<bool> {
        self.value(name, "must be \"true\" or \"false\"", "true", values::boolean)
    }

    /// Says of annotations that another one has to be there for them to do anything.
    fn needs(&mut self, names: &[&str], needed: &str) {
        for name in names {
            if self.text(name).is_some() {
                self.note(name, format!("does nothing without {needed}"));
            }
        }
    }

    fn extras(&mut self) -> Extras {
        let annotations = &self.source.annotations;
        let obeyed = catalogue::obeyed().iter();
        let obeyed = obeyed.filter_map(|name| Some((*name, (*annotations.get(name)?).to_owned())));
        let patterns = self.patterns();
        let groups = patterns.values().map(Pattern::groups).min();
        let mut extras = Extras {
            obeyed: obeyed.collect(),
            rewrite: self.rewrite(groups),
            redirect: self.redirect(groups),
            patterns,
            https_only: self.https_only(),
            body_limit_bytes: self.body_limit(),
            timeouts: Timeouts {
                connect: self.seconds("proxy-connect-timeout", LONGEST_CONNECT_SECONDS),
                send: self.seconds("proxy-send-timeout", LONGEST_SECONDS),
                read: self.seconds("proxy-read-timeout", LONGEST_SECONDS),
            },
            cors: self.cors(),
            auth: self.auth(),
            rates: self.rates(),
            ..Extras::default()
        };
        self.read_hosts(&mut extras);
        self.read_choice(&mut extras);
        self.read_addresses(&mut extras);
        extras
    }

    fn patterns(&mut self) -> BTreeMap<String, Pattern> {
        let mut patterns = BTreeMap::new();
        self.boolean("use-regex");
        if !has_patterns(&self.source.annotations) {
            return patterns;
        }
        for path in &self.source.paths {
            if !path.may_be_pattern {
                if path.path.contains(['(', ')', '*', '|', '[', '$', '\\', '^', '{']) {
                    let why = "Only paths of type ImplementationSpecific are patterns";
                    self.bad_path(path, why.into(), "write pathType: ImplementationSpecific");
                }
                continue;
            }
            if patterns.len() == MOST_PATTERNS && !patterns.contains_key(path.path) {
                let why = format!("An Ingress has {MOST_PATTERNS} patterns at most");
                self.bad_path(path, why.into(), "write fewer, or paths of type Prefix");
                break;
            }
            // Kubernetes lets the path be left out, for all of them.
            let text = if path.path.is_empty() { "/" } else { path.path };
            match Pattern::new(text) {
                Ok(pattern) => {
                    patterns.insert(path.path.to_owned(), pattern);
                }
                Err(error) => {
                    let why = format!("A path of type ImplementationSpecific {error}");
                    self.bad_path(
                        path,
                        why.into(),
                        "write it like \"/something(/|$)(.*)\", or pathType: Prefix",
                    );
                }
            }
        }
        patterns
    }

    fn bad_path(&mut self, path: &AskedPath<'_>, why: Cow<'static, str>, instead: &'static str) {
        self.problems.push(Problem {
            kind: ProblemKind::Pattern,
            place: Place::Path {
                rule: path.rule,
                index: path.index,
            },
            value: Some(path.path.to_owned()),
            why,
            instead: instead.into(),
        });
    }

    /// Whether a template names no group that one of the paths lacks.
    fn has_groups(&mut self, name: &str, template: &Template, groups: Option<usize>) -> bool {
        let (named, paths) = (template.highest_group(), &self.source.paths);
        let all_patterns = paths.iter().all(|path| path.may_be_pattern);
        let there = groups.filter(|_| all_patterns).unwrap_or(0);
        let names_groups = template.variables().any(|v| matches!(v, Variable::Group(_)));
        if names_groups && (named > there || there == 0 && !all_patterns) {
            let must = format!("names the group ${named}, which not every path of the Ingress has");
            let instead = "write all paths with pathType: ImplementationSpecific and such groups, like \"/something(/|$)(.*)\"";
            self.wrong(name, &must, instead);
            return false;
        }
        true
    }

    fn rewrite(&mut self, groups: Option<usize>) -> Option<Template> {
        let name = "rewrite-target";
        let template = self.value(
            name,
            "must be a path of letters, digits and -._~/: in which groups of the path's pattern may stand",
            "/$2",
            |text| {
                let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/:$".contains(&b);
                let is_path = text.starts_with(['/', '$']) && text.bytes().all(is_plain);
                let is_group = |variable: &Variable| matches!(variable, Variable::Group(_));
                Template::parse(text, is_group).ok().filter(|_| is_path)
            },
        )?;
        self.has_groups(name, &template, groups).then_some(template)
    }

    fn redirect(&mut self, groups: Option<usize>) -> Option<Redirect> {
        let must =
            "must be an absolute URL of https or http, in which $host, $request_uri and the like may stand";
        let (status_must, code) = ("must be 301, 302, 303, 307 or 308", "308");
        for (name, code_name, usual) in [
            ("temporal-redirect", "temporal-redirect-code", 302),
            ("permanent-redirect", "permanent-redirect-code", 301),
        ] {
            let status = self.value(code_name, status_must, code, redirect::status);
            if self.text(name).is_none() {
                self.needs(&[code_name], name);
                continue;
            }
            let to = self.value(name, must, "https://example.org$request_uri", |text| {
                redirect::target(text, redirect::is_of_redirect)
            })?;
            if name == "temporal-redirect" {
                self.needs_not("permanent-redirect", name);
            }
            return self.has_groups(name, &to, groups).then_some(Redirect {
                status: status.unwrap_or(usual),
                to,
            });
        }
        None
    }

    fn needs_not(&mut self, name: &str, other: &str) {
        if self.text(name).is_some() {
            self.note(name, format!("does nothing beside {other}"));
        }
    }

    /// Without a certificate of its own an Ingress is not led to HTTPS by `ssl-redirect`; every host has one here, and
    /// is led there already where the gateway speaks TLS itself.
    fn https_only(&mut self) -> bool {
        let forced = self.boolean("force-ssl-redirect");
        let asked = self.boolean("ssl-redirect");
        for (name, value) in [("force-ssl-redirect", forced), ("ssl-redirect", asked)] {
            if value == Some(false) {
                self.note(
                    name,
                    "is not followed where the gateway leads all visitors to HTTPS, as it usually does",
                );
            }
        }
        if asked == Some(true) && forced.is_none() {
            let text = "does nothing by itself: the gateway leads all visitors to HTTPS, or stands behind a proxy that does; force-ssl-redirect holds in any case";
            self.note("ssl-redirect", text);
        }
        forced.unwrap_or(false)
    }

    fn body_limit(&mut self) -> Option<u64> {
        let name = "proxy-body-size";
        let must = "must be a number of bytes, with k, m or g behind it or without";
        let bytes = self.value(name, must, "8m", values::size_bytes)?;
        if bytes == 0 || bytes > 128 << 20 {
            self.note(
                name,
                "raises no limit: the platform takes no larger bodies than it takes from all, usually 128m",
            );
        }
        Some(bytes).filter(|bytes| *bytes > 0)
    }

    fn seconds(&mut self, name: &str, longest: u64) -> Option<Duration> {
        let must = "must be a number of seconds without unit, at least 1";
        let seconds = self.value(name, must, "60", values::seconds)?;
        if seconds > longest {
            self.note(name, format!("counts as {longest}, the longest that a tool gets"));
        }
        Some(Duration::from_secs(seconds.min(longest)))
    }

    fn cors(&mut self) -> Option<Cors> {
        let is_on = self.boolean("enable-cors").unwrap_or(false);
        let origins = self.value(
            "cors-allow-origin",
            "must be \"*\", or origins with commas, which may begin with *. behind the scheme",
            "https://example.org, https://*.example.org",
            cors::origins,
        );
        let methods = self.value(
            "cors-allow-methods",
            "must be methods with commas",
            "GET, POST",
            cors::methods,
        );
        let headers = self.value(
            "cors-allow-headers",
            "must be names of headers with commas",
            "X-One, X-Two",
            cors::headers,
        );
        let expose = self.value(
            "cors-expose-headers",
            "must be names of headers with commas, or *",
            "X-One, X-Two",
            cors::exposed,
        );
        let credentials = self.boolean("cors-allow-credentials");
        let max_age = self.value(
            "cors-max-age",
            "must be a number of seconds",
            "600",
            values::number,
        );
        if !is_on {
            let all = [
                "cors-allow-origin",
                "cors-allow-methods",
                "cors-allow-headers",
                "cors-expose-headers",
            ];
            self.needs(&all, "enable-cors: \"true\"");
            self.needs(
                &["cors-allow-credentials", "cors-max-age"],
                "enable-cors: \"true\"",
            );
            return None;
        }
        Some(Cors {
            origins: origins.unwrap_or(Origins::Any),
            methods: methods.unwrap_or(cors::METHODS),
            headers: headers.unwrap_or(cors::HEADERS),
            expose,
            credentials: credentials.unwrap_or(true),
            max_age: HeaderValue::from(max_age.unwrap_or(cors::MAX_AGE_SECONDS)),
        })
    }

    fn auth(&mut self) -> Option<Auth> {
        let method = self.value("auth-method", "must be a method of HTTP", "GET", auth::method);
        let headers_must = "must be names of headers with commas, of which none frames a message";
        let headers = self.value(
            "auth-response-headers",
            headers_must,
            "X-User, X-Email",
            auth::response_headers,
        );
        let parameter = self.value(
            "auth-signin-redirect-param",
            "must be the name of a parameter",
            "rd",
            auth::parameter,
        );
        let parameter = parameter.unwrap_or(auth::SIGNIN_PARAMETER);
        let signin: Option<Signin> = self.value(
            "auth-signin",
            "must be an absolute URL, in which $host, $escaped_request_uri and the like may stand",
            "https://$host/oauth2/start",
            |text| auth::signin(text, parameter),
        );
        let always = self.boolean("auth-always-set-cookie").unwrap_or(false);
        if self.text("auth-url").is_none() {
            let all = [
                "auth-method",
                "auth-response-headers",
                "auth-signin",
                "auth-always-set-cookie",
            ];
            self.needs(&all, "auth-url");
            return None;
        }
        if signin.is_none() {
            self.needs(&["auth-signin-redirect-param"], "auth-signin");
        }
        let (namespace, hosts) = (self.source.namespace, &self.source.hosts);
        let found = self
            .text("auth-url")
            .and_then(|url| auth::server(url, namespace, hosts));
        let Some((server, target)) = found else {
            let must = "must lead to a host of the same Ingress or to a Service of the tool, since the gateway reaches more than tools may";
            let instead = format!(
                "write it like \"http://SERVICE.{namespace}.svc:PORT/PATH\" or \"https://$host/PATH\""
            );
            self.wrong("auth-url", must, instead);
            return None;
        };
        Some(Auth {
            server,
            target,
            method: method.unwrap_or(Method::GET),
            response_headers: headers.unwrap_or_default(),
            signin,
            always_set_cookie: always,
        })
    }

    fn rates(&mut self) -> Option<Rates> {
        let must = "must be a number from 1 to 1000000";
        let count = |text: &str| values::number(text).filter(|count| (1..=limits::MOST).contains(count));
        let per_minute = self.value("limit-rpm", must, "300", count);
        let per_second = self.value("limit-rps", must, "10", count);
        let multiplier = self.value("limit-burst-multiplier", must, "5", count);
        let exempt = self.networks(&["limit-whitelist", "limit-allowlist"]);
        let multiplier = multiplier.unwrap_or(limits::BURST_MULTIPLIER);
        let minute = per_minute.map(|count| Rate::new(count, 60, multiplier));
        let second = per_second.map(|count| Rate::new(count, 1, multiplier));
        let limits: Vec<Rate> = minute.into_iter().chain(second).collect();
        if limits.is_empty() {
            let all = ["limit-burst-multiplier", "limit-whitelist", "limit-allowlist"];
            self.needs(&all, "limit-rps or limit-rpm");
            return None;
        }
        Some(Rates {
            limits,
            exempt: exempt.unwrap_or_default(),
        })
    }

    /// A list of networks, by the first of its names that is there.
    fn networks(&mut self, names: &[&str]) -> Option<Networks> {
        let name = names.iter().find(|name| self.text(name).is_some())?;
        for other in names.iter().filter(|other| *other != name) {
            self.needs_not(other, name);
        }
        self.value(
            name,
            "must be addresses and networks with commas, in which no bit is set behind the length",
            "192.0.2.7, 198.51.100.0/24",
            |text| {
                let mut is_right = true;
                let networks = Networks::read(&values::list(text)?, |_, _| is_right = false);
                is_right.then_some(networks)
            },
        )
    }

    fn read_addresses(&mut self, extras: &mut Extras) {
        extras.allowed = self.networks(&["whitelist-source-range", "allowlist-source-range"]);
        extras.denied = self.networks(&["denylist-source-range"]);
    }

    fn read_hosts(&mut self, extras: &mut Extras) {
        let root = self.value("app-root", "must be a path", "/wiki", values::path);
        extras.app_root = root.and_then(values::header_value);
        let host = self.value(
            "upstream-vhost",
            "must be a host, with a port or without",
            "example.org",
            values::host,
        );
        extras.host = host.and_then(values::header_value);
        let prefix = self.value("x-forwarded-prefix", "must be a path", "/wiki", values::path);
        extras.forwarded_prefix = prefix.and_then(values::header_value);
        let service = self.value(
            "default-backend",
            "must be the name of a Service",
            "pages",
            values::label,
        );
        extras.default_backend = service.map(str::to_owned);
        let must = "must be statuses from 400 to 599 with commas";
        let codes = self.value("custom-http-errors", must, "404,503", |text| {
            let code = |item: &str| item.parse().ok().filter(|code| (400..=599_u16).contains(code));
            values::list(text)?
                .into_iter()
                .map(code)
                .collect::<Option<Vec<u16>>>()
        });
        extras.error_codes = codes.unwrap_or_default();
        extras.error_codes.sort_unstable();
        extras.error_codes.dedup();
        let must = "must be HTTP, or GRPC for HTTP/2: without TLS, as the gateway speaks with tools";
        let protocol = self.value("backend-protocol", must, "HTTP", |text| {
            match text.to_ascii_uppercase().as_str() {
                "HTTP" => Some(false),
                "GRPC" => Some(true),
                _ => None,
            }
        });
        extras.http2 = protocol.unwrap_or(false);
    }

    fn read_choice(&mut self, extras: &mut Extras) {
        extras.hash_by = self.value(
            "upstream-hash-by",
            "must be a text with variables such as $request_uri, $remote_addr, $arg_NAME, $cookie_NAME or $http_NAME",
            "$request_uri",
            |text| {
                let allows = |variable: &Variable| {
                    !matches!(variable, Variable::Group(_) | Variable::EscapedRequestUri)
                };
                let is_plain = !text.is_empty() && values::is_url_text(text);
                Template::parse(text, allows).ok().filter(|_| is_plain)
            },
        );
        extras.affinity = self.affinity(extras.patterns.is_empty());
        if extras.affinity.is_some() {
            self.needs_not("upstream-hash-by", "affinity");
        }
    }

    fn affinity(&mut self, paths_are_plain: bool) -> Option<Affinity> {
        let kind = self.value("affinity", "must be \"cookie\"", "cookie", |text| {
            (text == "cookie").then_some(())
        });
        let mode = self.value(
            "affinity-mode",
            "must be balanced or persistent",
            "balanced",
            |text| match text {
                "balanced" => Some(false),
                "persistent" => Some(true),
                _ => None,
            },
        );
        let name = self.value(
            "session-cookie-name",
            "must be letters, digits, - and _",
            "route",
            affinity::cookie_name,
        );
        let path = self.value(
            "session-cookie-path",
            "must be a path",
            "/wiki",
            affinity::cookie_path,
        );
        let age_must = "must be a number of seconds";
        let max_age = self.value("session-cookie-max-age", age_must, "172800", affinity::lifetime);
        let expires = self.value("session-cookie-expires", age_must, "172800", affinity::lifetime);
        let same_site = self.value(
            "session-cookie-samesite",
            "must be None, Lax or Strict",
            "Lax",
            affinity::SameSite::read,
        );
        let secure = self.boolean("session-cookie-secure");
        let change = self.boolean("session-cookie-change-on-failure");
        if kind.is_none() {
            let all = [
                "affinity-mode",
                "session-cookie-name",
                "session-cookie-path",
                "session-cookie-max-age",
                "session-cookie-expires",
                "session-cookie-samesite",
                "session-cookie-secure",
                "session-cookie-change-on-failure",
            ];
            if self.text("affinity").is_none() {
                self.needs(&all, "affinity: cookie");
            }
            return None;
        }
        if path.is_none() && !paths_are_plain && self.text("session-cookie-path").is_none() {
            let must = "needs session-cookie-path where paths are patterns, which cookies know nothing of";
            self.wrong("affinity", must, "add session-cookie-path: \"/\"");
        }
        Some(Affinity {
            name: name.unwrap_or_else(|| affinity::COOKIE_NAME.to_owned()),
            path,
            max_age_seconds: max_age,
            expires_seconds: expires,
            same_site,
            secure,
            change_on_failure: change.unwrap_or(false),
            persistent: mode.unwrap_or(false),
        })
    }
}

#[cfg(test)]
mod tests;
