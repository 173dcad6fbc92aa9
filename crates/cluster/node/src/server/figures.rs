//! `/metrics` and what is below it, and `/stats/summary`: what the node and its containers use, in kubelet's and cAdvisor's
//! words.
//!
//! Every answer is read from the machine when it is asked for: nothing is measured while nobody asks.

mod cadvisor;
mod own;
mod resource;
mod summary;

pub use own::FAMILIES;

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use toolforge_exposition::MEDIA_TYPE;

use super::Server;
use crate::{
    machine::{Load, Machine},
    process::Controllers,
    runtime::Runtime,
    usage::Reading,
};

/// What is the same in every answer, and where to look for the rest.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) node: String,
    pub(crate) machine: Machine,
    pub(crate) controllers: Controllers,
}

/// All of one moment.
struct Scene {
    meter: Arc<Meter>,
    load: Load,
    /// In the order of their places.
    readings: Vec<Reading>,
    now: Timestamp,
}

pub(super) async fn own<R: Runtime>(State(server): State<Server<R>>) -> Response {
    page(server, own::page).await
}

pub(super) async fn resource<R: Runtime>(State(server): State<Server<R>>) -> Response {
    page(server, resource::page).await
}

pub(super) async fn cadvisor<R: Runtime>(State(server): State<Server<R>>) -> Response {
    page(server, cadvisor::page).await
}

pub(super) async fn summary<R: Runtime>(State(server): State<Server<R>>) -> Response {
    match look(server, summary::of).await {
        Ok(summary) => Json(summary).into_response(),
        Err(response) => *response,
    }
}

async fn page<R: Runtime>(server: Server<R>, write: fn(&Scene) -> String) -> Response {
    match look(server, write).await {
        Ok(text) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(response) => *response,
    }
}

/// Looks at the machine on a thread that may wait for files.
async fn look<R: Runtime, T: Send + 'static>(
    server: Server<R>,
    write: fn(&Scene) -> T,
) -> Result<T, Box<Response>> {
    let looked = tokio::task::spawn_blocking(move || {
        let mut readings = server.runtime.readings();
        readings.sort_by(|one, other| one.place.cmp(&other.place));
        write(&Scene {
            load: Load::read(&server.meter.controllers),
            meter: server.meter,
            readings,
            now: Timestamp::now(),
        })
    });
    looked
        .await
        .map_err(|error| Box::new((StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()))
}

/// A time in seconds since 1970, as figures have it.
fn seconds(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests;
