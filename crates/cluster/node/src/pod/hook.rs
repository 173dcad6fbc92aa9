//! Runs a lifecycle hook: a command, a request, or a pause.

use std::{net::Ipv4Addr, time::Duration};

use k8s_openapi::api::core::v1::{Container, LifecycleHandler};
use tokio::time::{sleep, timeout};

use super::http_get;
use crate::{
    life::HookKind,
    runtime::{ContainerId, Runtime},
};

/// How long a hook without a limit may take: a container that starts is stopped by other means.
const NO_LIMIT: Duration = Duration::from_hours(24);

/// Runs a hook to its end, or until its time is up; says why it failed.
pub(super) async fn run<R: Runtime>(
    runtime: &R,
    id: &ContainerId,
    container: &Container,
    kind: HookKind,
    address: Ipv4Addr,
    limit: Option<Duration>,
) -> Result<(), String> {
    let cycle = container.lifecycle.as_ref();
    let handler = match kind {
        HookKind::PostStart => cycle.and_then(|cycle| cycle.post_start.as_ref()),
        HookKind::PreStop => cycle.and_then(|cycle| cycle.pre_stop.as_ref()),
    };
    let Some(handler) = handler else { return Ok(()) };
    let limit = limit.unwrap_or(NO_LIMIT);
    let done = timeout(limit, handle(runtime, id, container, handler, address, limit));
    done.await
        .unwrap_or_else(|_| Err(format!("not done within {}s", limit.as_secs())))
}

async fn handle<R: Runtime>(
    runtime: &R,
    id: &ContainerId,
    container: &Container,
    handler: &LifecycleHandler,
    address: Ipv4Addr,
    limit: Duration,
) -> Result<(), String> {
    if let Some(exec) = &handler.exec {
        let outcome = runtime
            .exec(id, exec.command.as_deref().unwrap_or_default(), limit)
            .await;
        return if outcome.success {
            Ok(())
        } else {
            Err(outcome.output)
        };
    }
    if let Some(get) = &handler.http_get {
        return http_get::hook(container, get, address).await;
    }
    if let Some(pause) = &handler.sleep {
        sleep(Duration::from_secs(
            u64::try_from(pause.seconds).unwrap_or_default(),
        ))
        .await;
        return Ok(());
    }
    Err("this node knows no such hook: use exec, httpGet or sleep".to_owned())
}
