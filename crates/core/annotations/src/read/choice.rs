//! Which endpoint a visitor gets.

use super::reader::Reader;
use crate::{Affinity, Extras, Template, Variable, affinity, values};

impl Reader<'_> {
    pub(super) fn read_choice(&mut self, extras: &mut Extras) {
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

    pub(super) fn affinity(&mut self, paths_are_plain: bool) -> Option<Affinity> {
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
