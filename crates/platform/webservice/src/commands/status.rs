//! `webservice status`.

use std::time::Duration;

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{ResourceExt as _, api::ListParams};

use crate::{
    diagnosis::{Seen, Standing, diagnose},
    error::WebserviceError,
    objects::{TYPE_ANNOTATION, selector},
    platform::Platform,
    session::Session,
};

pub(super) async fn run(session: &Session) -> Result<(), WebserviceError> {
    let doing = "looking at your webservice";
    let parameters = ListParams::default().labels(&selector());
    let deployment = session
        .api::<Deployment>()
        .get_opt(session.tool.as_str())
        .await
        .map_err(WebserviceError::api(doing))?;
    let pods = session
        .api::<Pod>()
        .list(&parameters)
        .await
        .map_err(WebserviceError::api(doing))?;
    let Some(deployment) = deployment else {
        anstream::println!("Your webservice is not running");
        return Ok(());
    };
    let platform = Platform::read(&session.client).await?;
    let kind = deployment
        .annotations()
        .get(TYPE_ANNOTATION)
        .map_or("unknown", String::as_str);
    // What has been so for an unknown time is judged as it is.
    let seen = Seen {
        deployment: Some(&deployment),
        pods: &pods.items,
        waited: Duration::MAX,
    };
    let standing = diagnose(&seen);
    match &standing {
        Standing::Failed(_) => {
            anstream::println!("Your webservice of type {kind} does not come up on backend kubernetes");
        }
        _ => anstream::println!("Your webservice of type {kind} is running on backend kubernetes"),
    }
    match standing {
        Standing::Ready | Standing::Absent => {}
        Standing::Coming(what) => anstream::println!("  now        {what}"),
        Standing::Failed(failure) => anstream::println!("  why        {}", failure.sentence),
    }
    let wanted = deployment.spec.replicas.unwrap_or(1);
    let ready = deployment
        .status
        .as_ref()
        .and_then(|status| status.available_replicas)
        .unwrap_or(0);
    let restarts: i32 = pods
        .iter()
        .filter_map(|pod| pod.status.as_ref()?.container_statuses.as_ref())
        .flatten()
        .map(|status| status.restart_count)
        .sum();
    anstream::println!("  replicas   {ready} ready of {wanted}, {restarts} restarts");
    anstream::println!("  url        {}", platform.url_of(&session.tool));
    Ok(())
}
