//! `webservice logs`: what the webservice printed, each line as `TIME [POD] MESSAGE` (facts section 8).

use futures::{AsyncBufReadExt as _, StreamExt as _, TryStreamExt as _, stream::SelectAll};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt as _,
    api::{ListParams, LogParams},
};

use crate::{
    cli::LogsArgs,
    error::WebserviceError,
    objects::{CONTAINER, selector},
    session::Session,
};

const DOING: &str = "reading the logs";

pub(super) async fn run(session: &Session, arguments: &LogsArgs) -> Result<(), WebserviceError> {
    let pods = session.api::<Pod>();
    let found = pods
        .list(&ListParams::default().labels(&selector()))
        .await
        .map_err(WebserviceError::api(DOING))?;
    let parameters = LogParams {
        container: Some(CONTAINER.to_owned()),
        follow: arguments.follow,
        tail_lines: arguments.last.map(i64::from),
        timestamps: true,
        ..LogParams::default()
    };
    let mut lines = SelectAll::new();
    let mut refused = None;
    for pod in found {
        let name = pod.name_any();
        match pods.log_stream(&name, &parameters).await {
            Ok(stream) => lines.push(stream.lines().map_ok(move |line| with_pod(&name, &line)).boxed()),
            // One that has not started has no log; it is an error only when there is no other.
            Err(error) => refused = Some(error),
        }
    }
    let mut any = false;
    while let Some(line) = lines.next().await {
        match line {
            Ok(line) => {
                any = true;
                anstream::println!("{line}");
            }
            Err(error) => return Err(WebserviceError::Failed(format!("the log broke off: {error}"))),
        }
    }
    match refused {
        Some(error) if !any => Err(WebserviceError::api(DOING)(error)),
        _ if any => Ok(()),
        _ => {
            anstream::println!("No logs found!");
            Ok(())
        }
    }
}

fn with_pod(pod: &str, line: &str) -> String {
    let (time, message) = line.split_once(' ').unwrap_or(("", line));
    format!("{time} [{pod}] {message}")
}
