//! Probes and lifecycle hooks: the machine runs them, so that they must stay with their own Pod.

use k8s_openapi::api::core::v1::LifecycleHandler;

use crate::verdict::{Law, quoted};
use crate::workload::AnyContainer;

pub(super) const PROBE_HOST: Law = Law::fixed(
    "pod/probe-host",
    "Probes and lifecycle hooks must stay with their own Pod, because the machine runs them",
    "leave host out",
);

/// Adds every probe and hook of a container that names another host.
pub(super) fn check(container: &AnyContainer<'_>, refuse: &mut impl FnMut(&Law, &str, &str)) {
    let mut check_host = |field: String, host: Option<&str>| {
        if let Some(host) = host.filter(|host| !host.is_empty()) {
            refuse(&PROBE_HOST, &container.field(field).to_string(), &quoted(host));
        }
    };
    for (name, probe) in container
        .probes
        .iter()
        .filter_map(|(name, probe)| Some((name, (*probe)?)))
    {
        let http = probe.http_get.as_ref().and_then(|get| get.host.as_deref());
        let tcp = probe
            .tcp_socket
            .as_ref()
            .and_then(|socket| socket.host.as_deref());
        check_host(format!("{name}.httpGet.host"), http);
        check_host(format!("{name}.tcpSocket.host"), tcp);
    }
    let Some(lifecycle) = container.lifecycle else {
        return;
    };
    for (name, hook) in [
        ("postStart", &lifecycle.post_start),
        ("preStop", &lifecycle.pre_stop),
    ] {
        let (http, tcp) = hook.as_ref().map(hosts).unwrap_or_default();
        check_host(format!("lifecycle.{name}.httpGet.host"), http);
        check_host(format!("lifecycle.{name}.tcpSocket.host"), tcp);
    }
}

fn hosts(hook: &LifecycleHandler) -> (Option<&str>, Option<&str>) {
    (
        hook.http_get.as_ref().and_then(|get| get.host.as_deref()),
        hook.tcp_socket.as_ref().and_then(|socket| socket.host.as_deref()),
    )
}
