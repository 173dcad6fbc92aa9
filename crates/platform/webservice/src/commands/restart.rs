//! `webservice restart`: a new Pod, answering before the old one goes.

use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;
use toolforge_model::labels;

use super::{
    serve::{Doing, serve},
    start,
};
use crate::{
    cli::StartArgs, error::WebserviceError, objects::TYPE_ANNOTATION, platform::Platform, session::Session,
    settings::Settings,
};

const WORDS: &str = "Restarting webservice";

pub(super) async fn run(session: &Session, arguments: &StartArgs) -> Result<(), WebserviceError> {
    let kind = arguments.settings.kind.as_deref();
    let platform = Platform::read(&session.client).await?;
    let deployments = session.api::<Deployment>();
    let running = deployments
        .get_opt(session.tool.as_str())
        .await
        .map_err(WebserviceError::api("looking at your webservice"))?
        .filter(|running| running.metadata.deletion_timestamp.is_none());
    let Some(running) = running else {
        anstream::eprintln!("Your job is not running, starting");
        return start::run(session, arguments).await;
    };
    let current = running
        .annotations()
        .get(TYPE_ANNOTATION)
        .map_or("generic", String::as_str);
    let asked = Settings::asked(&arguments.settings);
    if kind.is_some() || asked != Settings::default() {
        let web_type = platform.types.find(kind.unwrap_or(current))?;
        let settings = asked.over(Settings::of(&running), web_type.name == current);
        return start::bring(session, &platform, web_type, &settings, WORDS, arguments.follow).await;
    }
    let stamp = json!({ "spec": { "template": { "metadata": { "annotations": {
        labels::STARTED_AT: jiff::Timestamp::now().to_string(),
    } } } } });
    deployments
        .patch(
            session.tool.as_str(),
            &PatchParams::default(),
            &Patch::Merge(&stamp),
        )
        .await
        .map_err(WebserviceError::api("restarting your webservice"))?;
    let doing = Doing {
        words: WORDS,
        type_name: current,
    };
    serve(session, &platform, doing, arguments.follow).await
}
