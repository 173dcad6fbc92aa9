//! `webservice TYPE start`.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service, networking::v1::Ingress};
use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    adopt, env,
    intent::{self, Intent},
    on_grid,
    serve::{Doing, serve},
    stop, takeover,
};
use crate::{
    cli::{FollowArgs, StartArgs},
    environment,
    error::WebserviceError,
    exit::Exit,
    history,
    objects::{self, BUILDSERVICE, Wanted},
    platform::Platform,
    resources::resources,
    roll::Roll,
    session::Session,
    settings::{Backend, Resolved},
    types::check_home,
};

/// The name under which the API records what is ours.
pub(super) const MANAGER: &str = "webservice";

pub(super) async fn run(session: &Session, arguments: &StartArgs) -> Result<(), WebserviceError> {
    let intent = Intent::read(session, &arguments.settings)?;
    if intent.backend()? == Backend::Gridengine {
        return on_grid::start(session, &intent, arguments).await;
    }
    let platform = Platform::read(&session.client).await?;
    let resolved = intent.resolve(session, &platform)?;
    if session.running().await?.is_some() {
        return Err(WebserviceError::AlreadyRunning);
    }
    env::set(session, &arguments.env).await?;
    bring(
        session,
        &platform,
        &resolved,
        "Starting webservice",
        arguments.follow,
    )
    .await
}

/// Puts the objects of a webservice in place, newly or over those that are there, and follows them.
pub(super) async fn bring(
    session: &Session,
    platform: &Platform,
    resolved: &Resolved,
    words: &'static str,
    follow: FollowArgs,
) -> Result<(), WebserviceError> {
    let placed = put(session, platform, resolved).await?;
    intent::record(&session.home, &resolved.settings);
    let doing = Doing {
        words,
        type_name: &resolved.web_type.name,
    };
    let ((), served) = tokio::join!(
        history::record(session, &resolved.settings),
        serve(session, platform, doing, follow)
    );
    if !follow.no_wait
        && let Some(came_up) = came_up(&served)
    {
        history::note(session, &resolved.settings, came_up).await;
    }
    served?;
    if placed.has_old {
        Box::pin(adopt::clear(session)).await?;
    }
    if follow.no_wait {
        Ok(())
    } else {
        takeover::finish(session, &placed.roll).await
    }
}

/// What an end of following says of a configuration: nothing where it is not the reason.
fn came_up(served: &Result<(), WebserviceError>) -> Option<bool> {
    match served {
        Ok(()) => Some(true),
        Err(WebserviceError::DoesNotServe { exit, .. }) => match exit {
            Exit::Url | Exit::Api | Exit::Time => None,
            _ => Some(false),
        },
        Err(_) => None,
    }
}

/// How the Pods of a webservice that was put in place take over.
pub(super) struct Placed {
    /// From those that are there.
    roll: Roll,
    /// Whether Pods of a version before 0.77 go on serving until the new ones do.
    has_old: bool,
}

/// Puts the objects of a webservice in place; answers how its Pods take over.
pub(super) async fn put(
    session: &Session,
    platform: &Platform,
    resolved: &Resolved,
) -> Result<Placed, WebserviceError> {
    let Resolved {
        settings, web_type, ..
    } = resolved;
    if web_type.runtime != BUILDSERVICE {
        check_home(&web_type.runtime, &session.home, &settings.extra)?;
    }
    if web_type.deprecated {
        anstream::eprintln!("DEPRECATED: '{}' type is deprecated.", web_type.name);
    }
    let environment = environment::version(session).await?;
    let wanted = Wanted {
        tool: &session.tool,
        home: &session.home,
        web_type,
        settings,
        environment: environment.as_deref(),
        resources: resources(settings.limits(), web_type.limits()),
        started_at: jiff::Timestamp::now().to_string(),
    };
    let mut deployment = objects::deployment(&wanted);
    let near = platform.gateway.is_some();
    let prepared = Box::pin(takeover::prepare(session, &mut deployment, near)).await?;
    let applied = Box::pin(apply_all(session, platform, &deployment)).await;
    if applied.is_err() && prepared.is_new {
        // What was put in place before is of no use without the rest. That it stays would be no harm.
        let _ = stop::take_away(session).await;
    }
    Ok(Placed {
        roll: prepared.roll,
        has_old: applied?,
    })
}

/// Applies what a webservice consists of; whether Pods of a version before 0.77 go on serving until its own do.
async fn apply_all(
    session: &Session,
    platform: &Platform,
    deployment: &Value,
) -> Result<bool, WebserviceError> {
    apply(&session.api::<Service>(), &objects::service(&session.tool)).await?;
    apply(
        &session.api::<Ingress>(),
        &objects::ingress(&session.tool, &platform.domain, &platform.ingress_class),
    )
    .await?;
    let has_old = Box::pin(adopt::let_go(session)).await?;
    apply(&session.api::<Deployment>(), deployment).await?;
    Ok(has_old)
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
