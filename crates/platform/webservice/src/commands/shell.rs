//! `webservice TYPE shell [-- COMMAND]`: a Pod of its own with the type's image and the tool's mounts, for one
//! shell or command. Nothing is left of it.

use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, PostParams},
};
use toolforge_model::labels;

use super::intent::Intent;
use crate::{
    cli::{SettingsArgs, ShellArgs},
    error::WebserviceError,
    exit::Exit,
    inside::{self, Place, Signals, command_or_shell},
    objects::default_mount,
    platform::Platform,
    resources::resources,
    session::Session,
    settings::{Backend, Mount, Settings},
    shell::{self, CONTAINER, Lease, Standing, Wanted, standing},
};

/// How long a Pod may take to be there: an image may have to be fetched.
const PATIENCE: Duration = Duration::from_mins(2);
/// After this the maintainer hears what is waited for.
const QUIET: Duration = Duration::from_secs(2);
/// How long the end of the Pod is waited for; what is gone later needs nobody here.
const GONE_PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(session: &Session, arguments: &ShellArgs) -> Result<u8, WebserviceError> {
    let mut signals = Signals::listen().map_err(WebserviceError::Start)?;
    let platform = Platform::read(&session.client).await?;
    let wanted = wanted(session, &platform, &arguments.settings).await?;
    let pods = session.api::<Pod>();
    let pod = make(&pods, &wanted).await?;
    let name = pod.name_any();
    let outcome = tokio::select! {
        outcome = inside_of(&pods, &name, &arguments.settings.extra) => outcome,
        code = signals.next() => Ok(code),
    };
    take_away(&pods, &name).await;
    sweep(&pods).await;
    outcome
}

/// What is asked for; the type of the webservice that runs where none is.
async fn wanted(
    session: &Session,
    platform: &Platform,
    arguments: &SettingsArgs,
) -> Result<Pod, WebserviceError> {
    let mut intent = Intent::read(session, arguments)?;
    if intent.backend()? == Backend::Gridengine {
        return Err(WebserviceError::Precondition(
            "ERROR: shell is only supported for kubernetes backend".to_owned(),
        ));
    }
    if let Some(running) = running(session).await? {
        intent = intent.over(&running);
    }
    let web_type = intent.resolve(session, platform)?.web_type;
    let asked = Settings::asked(arguments);
    let mount = asked.mount.unwrap_or_else(|| default_mount(&web_type.runtime));
    let pod = shell::pod(&Wanted {
        tool: &session.tool,
        image: &web_type.image,
        resources: resources(asked.limits(), web_type.limits()),
        home: (mount == Mount::All).then_some(session.home.as_path()),
        mount: match mount {
            Mount::All => labels::MOUNT_STORAGE_ALL,
            Mount::None => labels::MOUNT_STORAGE_NONE,
        },
        now: jiff::Timestamp::now(),
    });
    serde_json::from_value(pod)
        .map_err(|error| WebserviceError::Failed(format!("the Pod cannot be said: {error}")))
}

async fn running(session: &Session) -> Result<Option<Deployment>, WebserviceError> {
    session
        .api::<Deployment>()
        .get_opt(session.tool.as_str())
        .await
        .map_err(WebserviceError::api("looking at your webservice"))
}

async fn make(pods: &Api<Pod>, wanted: &Pod) -> Result<Pod, WebserviceError> {
    pods.create(&PostParams::default(), wanted)
        .await
        .map_err(WebserviceError::api("making a Pod for your shell"))
}

async fn inside_of(pods: &Api<Pod>, name: &str, asked: &[String]) -> Result<u8, WebserviceError> {
    match tokio::time::timeout(PATIENCE, until_ready(pods, name)).await {
        Ok(ready) => ready?,
        Err(_) => {
            return Err(does_not_come(
                Exit::Time,
                &format!("It is not ready within {} s.", PATIENCE.as_secs()),
            ));
        }
    }
    let lease = Lease::take(pods, name).await?;
    let place = Place {
        pods,
        pod: name,
        container: CONTAINER,
    };
    let code = inside::run(place, command_or_shell(asked)).await;
    drop(lease);
    code
}

async fn until_ready(pods: &Api<Pod>, name: &str) -> Result<(), WebserviceError> {
    let mut changes = toolforge_watch::watch_object(pods.clone(), name);
    let mut quiet = std::pin::pin!(tokio::time::sleep(QUIET));
    let (mut last, mut told) = (String::new(), None);
    loop {
        let change = tokio::select! {
            change = changes.next() => change,
            () = &mut quiet, if told.is_none() => {
                anstream::eprintln!("Your shell waits for {last}");
                told = Some(last.clone());
                continue;
            }
        };
        match change {
            Some(Ok(Some(pod))) => match standing(&pod) {
                Standing::Ready => return Ok(()),
                Standing::Failed(exit, why) => return Err(does_not_come(exit, &why)),
                Standing::Coming(what) => {
                    if told.as_ref().is_some_and(|told| *told != what) {
                        anstream::eprintln!("Your shell waits for {what}");
                        told = Some(what.clone());
                    }
                    last = what;
                }
            },
            Some(Ok(None)) => return Err(does_not_come(Exit::Tool, "Its Pod was deleted meanwhile.")),
            // The watch tries again by itself.
            Some(Err(_)) => {}
            None => return Err(does_not_come(Exit::Api, "It cannot be watched any more.")),
        }
    }
}

fn does_not_come(exit: Exit, why: &str) -> WebserviceError {
    WebserviceError::DoesNotServe {
        exit,
        sentence: format!("Your shell does not come up. {why}"),
    }
}

/// Deletes the Pod, and waits a moment until it is gone.
async fn take_away(pods: &Api<Pod>, name: &str) {
    let gone = async {
        match pods.delete(name, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => return true,
            Err(_) => return false,
        }
        let mut changes = toolforge_watch::watch_object(pods.clone(), name);
        while let Some(change) = changes.next().await {
            if matches!(change, Ok(None)) {
                break;
            }
        }
        true
    };
    if tokio::time::timeout(GONE_PATIENCE, gone).await != Ok(true) {
        anstream::eprintln!(
            "The Pod {name} of your shell is not gone yet. Nothing runs in it any more; if `kubectl get pods` still \
             shows it later, the next `webservice shell` takes it away."
        );
    }
}

/// Takes away the Pods of shells whose clients were killed: they have ended, and nobody else asks for them.
async fn sweep(pods: &Api<Pod>) {
    let ended = ListParams::default()
        .labels(&shell::selector())
        .fields("status.phase!=Running,status.phase!=Pending");
    // It is a courtesy; the next shell tries again.
    if let Ok(found) = pods.list_metadata(&ended).await {
        for pod in found {
            let _ = pods.delete(&pod.name_any(), &DeleteParams::default()).await;
        }
    }
}
