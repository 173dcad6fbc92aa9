//! Where a URL goes, asked of the gateway that runs: what its table says, and what only it knows, which is how the endpoints
//! have behaved lately, and how much of its share the tool has under way. `toolforge gateway explain` asks for it.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Json,
    extract::{Query, State},
};
use serde::{Deserialize, Serialize};
use toolforge_routing::Explanation;

use super::pages::Seen;
use crate::standing::Fault;

/// Where it is asked for.
pub(crate) const PATH: &str = "/explain";

/// What is asked about: host and path of a URL.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    host: String,
    path: String,
}

/// Where a URL goes, as the gateway knows it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Explained {
    /// What follows from its table.
    #[serde(flatten)]
    pub explanation: Explanation,
    /// What only a gateway that runs knows; `None` where none was asked.
    pub now: Option<Now>,
}

/// How it goes at this moment.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Now {
    /// `ready`, `draining` or `not ready`.
    pub gateway: String,
    /// How many threads serve: each judges endpoints for itself.
    pub threads: usize,
    /// The endpoints that are passed over.
    pub passed_over: Vec<PassedOver>,
    /// What the tool has under way; `None` where the URL leads to none.
    pub share: Option<Share>,
}

/// An endpoint that is passed over.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PassedOver {
    /// Address and port.
    pub endpoint: SocketAddr,
    /// How many threads pass it over.
    pub threads: usize,
    /// For how long yet the last of them does.
    pub seconds_left: f64,
    /// What it does wrong.
    pub because: String,
}

/// What one tool has under way, and what it may have (`toolLimits`).
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Requests under way.
    pub requests: usize,
    /// How many there may be.
    pub most_requests: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// How many may wait.
    pub most_waiting: usize,
    /// Upgraded connections that are open.
    pub upgraded_connections: usize,
    /// How many there may be.
    pub most_upgraded_connections: usize,
}

/// Answers where a URL goes.
pub(super) async fn explain(State(seen): State<Seen>, Query(asked): Query<Asked>) -> Json<Explained> {
    let explanation = seen.shared.table.load().explain(&asked.host, &asked.path);
    Json(Explained {
        now: Some(Now::of(&seen, &explanation)),
        explanation,
    })
}

impl Now {
    fn of(seen: &Seen, explanation: &Explanation) -> Self {
        let pools = seen.shared.pools.all();
        let passed_over = |endpoint: SocketAddr| {
            let all = pools.iter();
            let all = all.filter_map(|pool| pool.standings.passed_over(endpoint));
            let all: Vec<_> = all.collect();
            let longest = all.iter().max_by_key(|passed| passed.left)?;
            Some(PassedOver {
                endpoint,
                threads: all.len(),
                seconds_left: tenths(longest.left),
                because: match longest.fault {
                    Fault::Unreachable => "it takes no connection".to_owned(),
                    Fault::Failing => "it breaks off, or answers what is no answer".to_owned(),
                },
            })
        };
        let endpoints = explanation.endpoints.iter().map(|state| state.address);
        let route = explanation.route.as_ref();
        Self {
            gateway: seen.state().0.to_owned(),
            threads: pools.len(),
            passed_over: endpoints.filter_map(passed_over).collect(),
            share: route.map(|route| Share::of(seen, &route.namespace)),
        }
    }
}

impl Share {
    fn of(seen: &Seen, namespace: &str) -> Self {
        let size = seen.shared.rules.load().rooms.size(namespace);
        let filled = seen.shared.rooms.filled(namespace);
        Self {
            requests: filled.requests,
            most_requests: size.requests,
            waiting: filled.waiting,
            most_waiting: size.waiting,
            upgraded_connections: filled.upgraded,
            most_upgraded_connections: size.upgraded,
        }
    }
}

fn tenths(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).ceil() / 10.0
}
