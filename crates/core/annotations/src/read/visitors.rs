//! Which visitors may come: over HTTPS, from where, how often, and past whose door.

use http::Method;

use super::reader::Reader;
use crate::{Auth, Extras, Networks, Rate, Rates, Signin, auth, limits, values};

impl Reader<'_> {
    /// Without a certificate of its own an Ingress is not led to HTTPS by `ssl-redirect`; every host has one here, and
    /// is led there already where the gateway speaks TLS itself.
    pub(super) fn https_only(&mut self) -> bool {
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

    pub(super) fn auth(&mut self) -> Option<Auth> {
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

    pub(super) fn rates(&mut self) -> Option<Rates> {
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
    pub(super) fn networks(&mut self, names: &[&str]) -> Option<Networks> {
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

    pub(super) fn read_addresses(&mut self, extras: &mut Extras) {
        extras.allowed = self.networks(&["whitelist-source-range", "allowlist-source-range"]);
        extras.denied = self.networks(&["denylist-source-range"]);
    }
}
