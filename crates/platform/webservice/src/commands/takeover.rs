//! Before a Deployment is put in place: how its Pods take over from those that are there.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, PodSpec, ResourceQuota},
};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::start::MANAGER;
use crate::{
    diagnosis::{Failure, refusal},
    error::WebserviceError,
    exit::Exit,
    look::{all, look},
    roll::{Roll, Want, drain, knows_pause, plan},
    scene::is_going,
    session::Session,
};

const DOING: &str = "asking whether the new version may run";

/// Fits the Deployment to what is there, and says so when there will be a gap. Asks first whether the new Pods
/// would be let in at all: what serves must not go for something that never comes. `near`: the gateway is on the
/// machine of the Pods.
pub(super) async fn prepare(
    session: &Session,
    deployment: &mut Value,
    near: bool,
) -> Result<Prepared, WebserviceError> {
    let (version, scene) = futures::join!(session.client.apiserver_version(), look(session));
    // Without a version it is left out: it is better to lose a request than not to start.
    if version.is_ok_and(|version| knows_pause(&version.major, &version.minor)) {
        drain(deployment, near);
    }
    let scene = scene?;
    let old: Vec<&Pod> = scene.own_pods().collect();
    let staying = old.iter().filter(|pod| !is_going(pod)).count();
    let roll = if staying == 0 {
        Roll::SideBySide
    } else {
        take_over(session, deployment, &old).await?
    };
    deployment["spec"]["strategy"] = roll.strategy();
    if let Some(warning) = roll.warning(staying) {
        anstream::eprintln!("{warning}");
    }
    Ok(Prepared {
        roll,
        is_new: scene.deployment.is_none(),
    })
}

/// What is to come.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) roll: Roll,
    /// Whether there is no webservice yet.
    pub(super) is_new: bool,
}

/// Has the next change roll as usual again.
pub(super) async fn finish(session: &Session, roll: &Roll) -> Result<(), WebserviceError> {
    if *roll == Roll::SideBySide {
        return Ok(());
    }
    let usual = json!({ "spec": { "strategy": Roll::SideBySide.strategy() } });
    let deployments = session.api::<Deployment>();
    deployments
        .patch(session.tool.as_str(), &parameters(), &Patch::Merge(&usual))
        .await
        .map_err(WebserviceError::api("having the next restart roll as usual"))?;
    Ok(())
}

fn parameters() -> PatchParams {
    PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    }
}

async fn take_over(session: &Session, deployment: &Value, old: &[&Pod]) -> Result<Roll, WebserviceError> {
    let template = &deployment["spec"]["template"];
    let Err(refused) = would_run(&session.api::<Pod>(), template).await else {
        return Ok(Roll::SideBySide);
    };
    let kube::Error::Api(answer) = &refused else {
        return Err(WebserviceError::api(DOING)(refused));
    };
    let exit = Exit::of_answer(answer.code, &answer.message);
    // Only a full quota is better once the old ones have gone; the quota is asked last, so all others agree.
    if exit != Exit::Quota || !answer.message.contains("exceeded quota") {
        return Err(not_let_in(&refusal(exit, &answer.message)));
    }
    let quotas = all::<ResourceQuota>(session).await?;
    let spec: PodSpec = serde_json::from_value(template["spec"].clone()).unwrap_or_default();
    let replicas = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let replicas = u16::try_from(replicas).unwrap_or(u16::MAX);
    match plan(&quotas, old, &spec.containers, replicas) {
        Ok(roll) => Ok(roll),
        Err(want) => Err(too_much(&want)),
    }
}

/// Whether a Pod of this template would be let in; nothing is created.
async fn would_run(pods: &Api<Pod>, template: &Value) -> Result<(), kube::Error> {
    let mut pod = template.clone();
    pod["metadata"]["generateName"] = json!("webservice-trial-");
    let pod: Pod = serde_json::from_value(pod).map_err(kube::Error::SerdeError)?;
    let trial = PostParams {
        dry_run: true,
        field_manager: Some(MANAGER.to_owned()),
    };
    pods.create(&trial, &pod).await.map(drop)
}

fn not_let_in(failure: &Failure) -> WebserviceError {
    WebserviceError::DoesNotServe {
        exit: failure.exit,
        sentence: format!(
            "{} Nothing was changed, and what runs goes on serving.\n{}",
            failure.reason, failure.next
        ),
    }
}

fn too_much(want: &Want) -> WebserviceError {
    WebserviceError::DoesNotServe {
        exit: Exit::Quota,
        sentence: format!(
            "Your tool's quota does not allow that, even without what runs now ({want}). Nothing was changed.\n\
             Ask for less with --mem, --cpu or --replicas; `kubectl describe quota` shows what is used."
        ),
    }
}
