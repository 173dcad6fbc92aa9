//! Holds a shell's Pod: as long as this lives, its container waits.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{AttachParams, AttachedProcess},
};
use tokio::{io::AsyncWriteExt as _, task::JoinHandle};

use super::CONTAINER;
use crate::error::WebserviceError;

/// How often the container hears that somebody is there: well within the silence after which nodes (four hours)
/// and what lies between (often a minute or two) close a connection.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);

/// A held Pod.
pub(crate) struct Lease {
    signs: JoinHandle<()>,
    _process: AttachedProcess,
}

impl Lease {
    /// Takes hold of a Pod whose container runs.
    pub(crate) async fn take(pods: &Api<Pod>, pod: &str) -> Result<Self, WebserviceError> {
        let parameters = AttachParams {
            container: Some(CONTAINER.to_owned()),
            stdin: true,
            stdout: false,
            stderr: false,
            tty: false,
            ..AttachParams::default()
        };
        let mut process = pods
            .attach(pod, &parameters)
            .await
            .map_err(WebserviceError::api("holding on to your Pod"))?;
        let input = process.stdin();
        let signs = tokio::spawn(async move {
            let Some(mut input) = input else { return };
            let mut times = tokio::time::interval(SIGN_OF_LIFE);
            loop {
                times.tick().await;
                // Without a connection the container ends, and the command in it with it.
                if input.write_all(b"\n").await.is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            signs,
            _process: process,
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.signs.abort();
    }
}
