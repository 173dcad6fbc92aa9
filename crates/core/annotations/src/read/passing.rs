//! How a request is passed on: limits of its body and of time, its host, and which Service has the pages of errors.

use std::time::Duration;

use super::reader::Reader;
use crate::{Extras, Timeouts, values};

/// The longest time that a tool may be given, in seconds: what the gateway gives all.
const LONGEST_SECONDS: u64 = 3600;
/// The longest time to take a connection, in seconds: systems give up about then (`proxy_connect_timeout` of nginx).
const LONGEST_CONNECT_SECONDS: u64 = 75;

impl Reader<'_> {
    pub(super) fn timeouts(&mut self) -> Timeouts {
        Timeouts {
            connect: self.seconds("proxy-connect-timeout", LONGEST_CONNECT_SECONDS),
            send: self.seconds("proxy-send-timeout", LONGEST_SECONDS),
            read: self.seconds("proxy-read-timeout", LONGEST_SECONDS),
        }
    }

    pub(super) fn body_limit(&mut self) -> Option<u64> {
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

    pub(super) fn seconds(&mut self, name: &str, longest: u64) -> Option<Duration> {
        let must = "must be a number of seconds without unit, at least 1";
        let seconds = self.value(name, must, "60", values::seconds)?;
        if seconds > longest {
            self.note(name, format!("counts as {longest}, the longest that a tool gets"));
        }
        Some(Duration::from_secs(seconds.min(longest)))
    }

    pub(super) fn read_hosts(&mut self, extras: &mut Extras) {
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
}
