//! The gateway at a glance, for operators: what `/` of the status listener shows, as a page or as JSON. Read when
//! somebody asks; nothing of it is kept.

use std::{cmp::Reverse, time::SystemTime};

use askama::Template;
use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, VARY},
    },
    response::{Html, IntoResponse, Response},
};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    health::KINDS,
    pages::Seen,
    tally::{Counts, Event, Requests},
};

/// So many namespaces are shown: those that are asked for most. `/metrics` has all.
const NAMESPACES_SHOWN: usize = 50;
/// A page without scripts, and in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

/// What there is to say.
#[derive(Debug, Serialize, Template)]
#[serde(rename_all = "camelCase")]
#[template(path = "overview.html")]
struct Overview {
    version: &'static str,
    /// In a word: `ready`, `draining` or `not ready`.
    state: &'static str,
    /// Why it is not ready; empty when it is.
    reason: String,
    at: Timestamp,
    started: Timestamp,
    hosts: usize,
    /// When the table last changed; none while it is that of an earlier run.
    table_changed: Option<Timestamp>,
    /// Kinds of object of which the API says nothing now: the last table is served.
    silent: Vec<&'static str>,
    connections: i64,
    upgraded_connections: i64,
    requests: u64,
    requests_to_no_tool: u64,
    events: Vec<Happened>,
    certificates: Vec<Certificates>,
    namespaces: Vec<Namespace>,
    namespaces_not_shown: usize,
}

/// How often something happened besides answers of tools.
#[derive(Debug, Serialize)]
struct Happened {
    event: &'static str,
    count: u64,
}

/// The certificates of one source.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Certificates {
    source: &'static str,
    count: usize,
    first_ends: Timestamp,
    has_ended: bool,
}

/// The requests of one namespace.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Namespace {
    name: String,
    requests: u64,
    client_errors: u64,
    server_errors: u64,
    mean_milliseconds: f64,
    sent_bytes: u64,
}

/// Answers with a page to who asks for HTML, and with JSON to everybody else.
pub(super) async fn overview(State(seen): State<Seen>, headers: HeaderMap) -> Response {
    let overview = Overview::of(&seen);
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let mut response = if accept.is_some_and(|accept| accept.contains("text/html")) {
        match overview.render() {
            Ok(page) => Html(page).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    } else {
        Json(overview).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

impl Overview {
    fn of(seen: &Seen) -> Self {
        let (health, mut counts) = (&seen.health, Counts::default());
        for tally in seen.tallies.iter() {
            tally.add_to(&mut counts);
        }
        let (state, reason) = seen.state();
        let is_silent = |(kind, _): &&(_, _)| !health.is_heard(*kind);
        let mut namespaces = namespaces(&counts);
        let namespaces_not_shown = namespaces.len().saturating_sub(NAMESPACES_SHOWN);
        namespaces.truncate(NAMESPACES_SHOWN);
        let events = Event::ALL.iter().zip(counts.events);
        let events = events.filter(|(_, count)| *count > 0);
        let all = counts.namespaces.values().chain([&counts.others]);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            state,
            reason,
            at: Timestamp::now(),
            started: seen.started,
            hosts: seen.shared.table.load().host_count(),
            table_changed: match health.changed_seconds() {
                0 => None,
                seconds => Timestamp::from_second(seconds).ok(),
            },
            silent: KINDS.iter().filter(is_silent).map(|(_, name)| *name).collect(),
            connections: seen.tallies.iter().map(|tally| tally.connections.count()).sum(),
            upgraded_connections: seen.tallies.iter().map(|tally| tally.tunnels.count()).sum(),
            requests: all.map(Requests::count).sum(),
            requests_to_no_tool: counts.namespaces.get("").map_or(0, Requests::count),
            events: events
                .map(|(event, count)| Happened {
                    event: event.label(),
                    count,
                })
                .collect(),
            certificates: certificates(seen),
            namespaces,
            namespaces_not_shown,
        }
    }

    /// For people: to the second, in UTC.
    fn time(at: &Timestamp) -> String {
        at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
    }
}

impl Namespace {
    fn of(name: &str, requests: &Requests) -> Self {
        let count = requests.count();
        // Beyond 2^53 requests a mean is not known to the last digit, and nobody minds.
        #[expect(clippy::cast_precision_loss, reason = "a mean of that many is good enough")]
        let mean = requests.time.as_secs_f64() * 1000.0 / count.max(1) as f64;
        Self {
            name: name.to_owned(),
            requests: count,
            client_errors: requests.by_class[3],
            server_errors: requests.by_class[4],
            mean_milliseconds: (mean * 10.0).round() / 10.0,
            sent_bytes: requests.sent_bytes,
        }
    }

    /// For people, in a unit that is short.
    fn sent(&self) -> String {
        let mut amount = self.sent_bytes;
        for unit in ["B", "kB", "MB", "GB"] {
            if amount < 10_000 {
                return format!("{amount} {unit}");
            }
            amount /= 1000;
        }
        format!("{amount} TB")
    }
}

/// Those that are asked for most come first.
fn namespaces(counts: &Counts) -> Vec<Namespace> {
    let named = counts.namespaces.iter().filter(|(name, _)| !name.is_empty());
    let mut all: Vec<_> = named
        .map(|(name, requests)| Namespace::of(name, requests))
        .collect();
    all.sort_by(|one, other| (Reverse(one.requests), &one.name).cmp(&(Reverse(other.requests), &other.name)));
    all
}

fn certificates(seen: &Seen) -> Vec<Certificates> {
    let ends = seen.certificates.ends();
    let ends = ends.into_iter().map(|ends| Certificates {
        source: ends.source,
        count: ends.count,
        first_ends: Timestamp::try_from(ends.first).unwrap_or(Timestamp::MAX),
        has_ended: ends.first < SystemTime::now(),
    });
    ends.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Counts, Namespace, namespaces};
    use crate::seen::tally::Tally;

    #[test]
    fn those_that_are_asked_for_most_come_first() {
        let tally = Tally::default();
        for (namespace, status) in [
            ("tool-b", 200),
            ("tool-a", 404),
            ("tool-b", 503),
            ("", 301),
            ("tool-c", 200),
        ] {
            tally.answered(namespace, status, Duration::from_micros(2500), 12_345);
        }
        let mut counts = Counts::default();
        tally.add_to(&mut counts);
        let shown = namespaces(&counts);
        let names: Vec<_> = shown.iter().map(|namespace| namespace.name.as_str()).collect();
        assert_eq!(names, ["tool-b", "tool-a", "tool-c"]);
        let Namespace {
            requests,
            client_errors,
            server_errors,
            mean_milliseconds,
            ..
        } = shown[0];
        assert_eq!((requests, client_errors, server_errors), (2, 0, 1));
        assert!((mean_milliseconds - 2.5).abs() < f64::EPSILON);
        assert_eq!(shown[0].sent(), "24 kB");
        assert_eq!(shown[1].client_errors, 1);
    }
}
