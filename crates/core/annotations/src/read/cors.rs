//! What pages of other origins may ask.

use http::HeaderValue;

use super::reader::Reader;
use crate::{Cors, Origins, cors, values};

impl Reader<'_> {
    pub(super) fn cors(&mut self) -> Option<Cors> {
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
}
