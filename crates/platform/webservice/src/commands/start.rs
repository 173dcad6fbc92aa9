//! `webservice TYPE start`.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service, networking::v1::Ingress};
use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::serve::{Doing, serve};
use crate::{
    cli::{FollowArgs, StartArgs},
    error::WebserviceError,
    objects::{self, Wanted},
    platform::Platform,
    resources::{Limits, resources},
    session::Session,
    settings::{Backend, Mount, Settings, problems_of},
    types::{WebType, check_home},
};

/// The name under which the API records what is ours.
pub(super) const MANAGER: &str = "webservice";

pub(super) async fn run(session: &Session, arguments: &StartArgs) -> Result<(), WebserviceError> {
    let kind = arguments.settings.kind.as_deref();
    let platform = Platform::read(&session.client).await?;
    let Some(kind) = kind else {
        return Err(WebserviceError::Usage(format!(
            "say which type: webservice TYPE start, where TYPE is one of:\n  {}",
            platform.types.names().join("\n  ")
        )));
    };
    let web_type = platform.types.find(kind)?;
    let running = session
        .api::<Deployment>()
        .get_opt(session.tool.as_str())
        .await
        .map_err(WebserviceError::api("looking at your webservice"))?;
    if running.is_some_and(|running| running.metadata.deletion_timestamp.is_none()) {
        return Err(WebserviceError::AlreadyRunning);
    }
    bring(
        session,
        &platform,
        web_type,
        &Settings::asked(&arguments.settings),
        "Starting webservice",
        arguments.follow,
    )
    .await
}

/// Puts the objects of a webservice in place, newly or over those that are there, and follows them.
pub(super) async fn bring(
    session: &Session,
    platform: &Platform,
    web_type: &WebType,
    settings: &Settings,
    words: &'static str,
    follow: FollowArgs,
) -> Result<(), WebserviceError> {
    check_home(&web_type.runtime, &session.home, &settings.extra)?;
    let problems = problems_of(settings);
    if !problems.is_empty() {
        return Err(WebserviceError::Usage(problems.join("\n")));
    }
    if settings.mount == Some(Mount::None) && !objects::runs_without_home(&web_type.runtime) {
        return Err(WebserviceError::Precondition(format!(
            "--mount none is not for type {}, which is read from your home; leave it out, or say --mount all",
            web_type.name
        )));
    }
    if settings.backend == Some(Backend::Gridengine) {
        return Err(WebserviceError::Precondition(
            "there is no Grid Engine on this platform; leave --backend out, or say --backend kubernetes"
                .to_owned(),
        ));
    }
    if web_type.deprecated {
        anstream::eprintln!("DEPRECATED: '{}' type is deprecated.", web_type.name);
    }
    let wanted = Wanted {
        tool: &session.tool,
        home: &session.home,
        web_type,
        settings,
        resources: resources(settings.limits(), Limits::default()),
        started_at: jiff::Timestamp::now().to_string(),
    };
    let deployment = objects::deployment(&wanted);
    apply(&session.api::<Service>(), &objects::service(&session.tool)).await?;
    apply(
        &session.api::<Ingress>(),
        &objects::ingress(&session.tool, &platform.domain, &platform.ingress_class),
    )
    .await?;
    apply(&session.api::<Deployment>(), &deployment).await?;
    let doing = Doing {
        words,
        type_name: &web_type.name,
    };
    serve(session, platform, doing, follow).await
}

async fn apply<K>(api: &Api<K>, object: &Value) -> Result<(), WebserviceError>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let name = object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    api.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(object))
        .await
        .map_err(WebserviceError::api("starting your webservice"))?;
    Ok(())
}
