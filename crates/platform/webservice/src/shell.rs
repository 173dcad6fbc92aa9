//! A Pod for one shell: what it is, when it can be used, and how it goes.
//!
//! Its only process waits for its input to end. The client holds that input open; when the client is gone, however
//! that came, the input ends, with it the container, and with that every command in it.

mod lease;
mod standing;

use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};
use toolforge_model::{ToolName, labels};

use crate::environment::env_from;

pub(crate) use lease::Lease;
pub(crate) use standing::{Standing, standing};

/// The name of the one container.
pub(crate) const CONTAINER: &str = "shell";
/// What it does until its input ends: nothing. It takes in the lease's signs of life.
const WAIT: [&str; 3] = ["/bin/sh", "-c", "exec cat >/dev/null"];
/// Longest life, seconds: for clients that can neither end nor go on. A week, since work in a shell may take long.
const LONGEST_SECONDS: i64 = 7 * 24 * 3600;
/// How long what waits for input gets to end, seconds; it has nothing to finish.
const GRACE_SECONDS: i64 = 1;

/// What a shell is asked to be.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) tool: &'a ToolName,
    pub(crate) image: &'a str,
    pub(crate) resources: Value,
    /// Where it begins; none where the home is not mounted.
    pub(crate) home: Option<&'a Path>,
    /// Value of the label that asks for the tool's mounts.
    pub(crate) mount: &'a str,
    pub(crate) now: Timestamp,
}

/// The labels by which shells are found.
pub(crate) fn selector() -> String {
    format!(
        "{}={},{}={}",
        labels::COMPONENT,
        labels::COMPONENT_INTERACTIVE,
        labels::MANAGED_BY,
        labels::MANAGED_BY_WEBSERVICE
    )
}

/// The Pod. It has no label `name`, by which the webservice's Service would send it visitors.
pub(crate) fn pod(wanted: &Wanted<'_>) -> Value {
    let mut container = json!({
        "name": CONTAINER,
        "image": wanted.image,
        "command": WAIT,
        "stdin": true,
        "stdinOnce": true,
        "resources": wanted.resources,
        "envFrom": env_from(),
    });
    if let Some(home) = wanted.home {
        container["workingDir"] = json!(home);
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": format!("shell-{}-", wanted.now.as_second()),
            "namespace": wanted.tool.namespace().as_str(),
            "labels": {
                labels::COMPONENT: labels::COMPONENT_INTERACTIVE,
                labels::MANAGED_BY: labels::MANAGED_BY_WEBSERVICE,
                labels::TOOLFORGE: labels::TOOLFORGE_TOOL,
                labels::MOUNT_STORAGE: wanted.mount,
            },
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": LONGEST_SECONDS,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "enableServiceLinks": false,
            "containers": [container],
        },
    })
}
