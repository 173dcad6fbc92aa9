//! `webservice scale NUMBER`: more copies, or fewer; those that run go on.

use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{
    intent, only_kubernetes,
    serve::{Doing, serve},
    start::MANAGER,
};
use crate::{
    cli::ScaleArgs, error::WebserviceError, history, objects::TYPE_ANNOTATION, platform::Platform,
    session::Session, settings::Settings,
};

pub(super) async fn run(session: &Session, arguments: &ScaleArgs) -> Result<(), WebserviceError> {
    only_kubernetes::check(
        session,
        "scale",
        "A job is one copy; `webservice migrate --replicas NUMBER` takes it to Kubernetes, where there can be more.",
    )?;
    let platform = Platform::read(&session.client).await?;
    let deployments = session.api::<Deployment>();
    let name = session.tool.as_str();
    let running = session.running().await?.ok_or_else(|| {
        WebserviceError::Failed(format!(
            "Your webservice is not running, so there is nothing to scale; start it with --replicas {}",
            arguments.replicas
        ))
    })?;
    let replicas = json!({ "spec": { "replicas": arguments.replicas } });
    let parameters = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    deployments
        .patch(name, &parameters, &Patch::Merge(&replicas))
        .await
        .map_err(WebserviceError::api("scaling your webservice"))?;
    let settings = Settings {
        replicas: Some(arguments.replicas),
        ..Settings::of(&running)
    };
    intent::record(&session.home, &settings);
    history::record(session, &settings).await;
    let doing = Doing {
        words: "Scaling webservice",
        type_name: running
            .annotations()
            .get(TYPE_ANNOTATION)
            .map_or("unknown", String::as_str),
    };
    serve(session, &platform, doing, arguments.follow).await
}
