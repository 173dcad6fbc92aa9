//! Follows a webservice until its URL answers or it is clear that it will not, and says what happens.

mod progress;
mod world;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;

use crate::{
    diagnosis::{Failure, Standing, diagnose},
    error::WebserviceError,
    exit::Exit,
    scene::{Moment, Scene, Serving},
    session::Session,
    url_check::UrlCheck,
};
pub(crate) use progress::Progress;
use world::World;

/// When everything has been ready for this long and the URL still does not answer, something is wrong
/// between the gateway and the tool.
const URL_PATIENCE: Duration = Duration::from_secs(15);
/// How soon the URL is asked again at first, and at most: the gateway hears of a new Pod within
/// milliseconds.
const URL_PAUSE: Duration = Duration::from_millis(5);
const URL_PAUSE_MOST: Duration = Duration::from_millis(500);
/// How often verdicts that depend on time are looked at again.
const TICK: Duration = Duration::from_millis(500);
/// How long the API may be away: restarts of a single API server take less.
const API_PATIENCE: Duration = Duration::from_secs(20);
/// How long nothing may be clear. Images of gigabytes are fetched within this time; beyond it nobody looks at a
/// spinner any more.
const WHOLE_PATIENCE: Duration = Duration::from_mins(10);
/// How much of a crashed tool's log is shown.
const LOG_LINES: i64 = 20;

/// What is followed, in words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Following {
    /// `Starting webservice`, in the words that scripts know.
    pub(crate) doing: &'static str,
    /// How long a process that runs may take until it serves.
    pub(crate) patience: Duration,
}

/// Waits until the webservice serves; the status that its URL answered with. Ctrl-C ends the waiting and
/// nothing else.
pub(crate) async fn until_it_serves(
    session: &Session,
    check: &UrlCheck,
    following: Following,
) -> Result<reqwest::StatusCode, WebserviceError> {
    let mut progress = Progress::begin(following.doing);
    tokio::select! {
        outcome = follow(session, check, following, &mut progress) => outcome,
        Ok(()) = tokio::signal::ctrl_c() => Err(WebserviceError::Interrupted),
    }
}

/// Waits until all of it is ready, whether or not its URL leads there.
pub(crate) async fn until_it_is_ready(
    session: &Session,
    following: Following,
) -> Result<(), WebserviceError> {
    let (mut progress, mut world) = (Progress::begin(following.doing), World::of(session));
    tokio::select! {
        outcome = ready(session, &mut world, following, &mut progress) => outcome,
        Ok(()) = tokio::signal::ctrl_c() => Err(WebserviceError::Interrupted),
    }
}

async fn follow(
    session: &Session,
    check: &UrlCheck,
    following: Following,
    progress: &mut Progress,
) -> Result<reqwest::StatusCode, WebserviceError> {
    let mut world = World::of(session);
    ready(session, &mut world, following, progress).await?;
    progress.say("asking its URL");
    // The first visit may be what it does not survive.
    tokio::select! {
        answered = until_answered(check) => answered,
        (failure, scene) = until_failed(&mut world, following.patience) => {
            Err(does_not_serve(session, &failure, &scene).await)
        }
    }
}

async fn ready(
    session: &Session,
    world: &mut World,
    following: Following,
    progress: &mut Progress,
) -> Result<(), WebserviceError> {
    match until_ready(world, following.patience, progress).await {
        Ok(()) => Ok(()),
        Err((failure, scene)) => Err(does_not_serve(session, &failure, &scene).await),
    }
}

async fn does_not_serve(session: &Session, failure: &Failure, scene: &Scene) -> WebserviceError {
    let log = last_lines(session, failure).await;
    WebserviceError::DoesNotServe {
        exit: failure.exit,
        sentence: told(failure, scene, &log),
    }
}

/// Until what was ready has failed; for ever, if it does not.
async fn until_failed(world: &mut World, patience: Duration) -> (Failure, Scene) {
    let began = Instant::now();
    loop {
        world.change().await;
        let Some(scene) = world.scene() else { continue };
        let moment = Moment {
            now: Timestamp::now(),
            followed: Some(began.elapsed()),
            gone: world.gone(),
        };
        if let Standing::Failed(failure) = diagnose(&scene, moment, patience) {
            return (failure, scene);
        }
    }
}

/// A failure as the maintainer reads it: the reason, the last words, who still serves, the next step.
fn told(failure: &Failure, scene: &Scene, log: &[String]) -> String {
    let serving = scene.serving();
    let mut text = match serving {
        Serving::Fewer => format!(
            "Only {} of {} copies of your webservice come up. {}",
            scene.ready(),
            scene.wanted(),
            failure.reason
        ),
        Serving::Nobody | Serving::Older => format!("Your webservice does not come up. {}", failure.reason),
    };
    if !log.is_empty() {
        text.push_str(" The last lines that it printed:");
        for line in log {
            text.push_str("\n    ");
            text.push_str(line);
        }
    }
    if serving == Serving::Older {
        text.push_str("\nThe version before goes on serving.");
    }
    text.push('\n');
    text.push_str(&failure.next);
    text
}

async fn until_ready(
    world: &mut World,
    patience: Duration,
    progress: &mut Progress,
) -> Result<(), (Failure, Scene)> {
    let began = Instant::now();
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            () = world.change() => {}
            _ = tick.tick() => progress.tick(),
        }
        if let Some(trouble) = world.trouble(API_PATIENCE) {
            return Err((api_gone(&trouble), Scene::default()));
        }
        let Some(scene) = world.scene() else { continue };
        let moment = Moment {
            now: Timestamp::now(),
            followed: Some(began.elapsed()),
            gone: world.gone(),
        };
        let failure = match diagnose(&scene, moment, patience) {
            Standing::Ready => return Ok(()),
            Standing::Coming(what) if began.elapsed() < WHOLE_PATIENCE => {
                progress.say(what);
                continue;
            }
            Standing::Coming(what) => out_of_time(what),
            Standing::Failed(failure) => failure,
            Standing::Absent => Failure::new(
                Exit::Tool,
                "It was stopped meanwhile.",
                "Say `webservice start` if that was not meant.",
            ),
        };
        return Err((failure, scene));
    }
}

fn api_gone(trouble: &str) -> Failure {
    Failure::new(
        Exit::Api,
        format!("Nobody can tell, because the platform's API does not answer: {trouble}."),
        "What was asked for goes on by itself; `webservice status` tells how it went once the API is back.",
    )
}

fn out_of_time(what: &str) -> Failure {
    Failure::new(
        Exit::Time,
        format!("After {} min it is still {what}.", WHOLE_PATIENCE.as_secs() / 60),
        "It goes on by itself; `webservice status` tells how it went, and `webservice why` where it hangs.",
    )
}

async fn until_answered(check: &UrlCheck) -> Result<reqwest::StatusCode, WebserviceError> {
    let began = Instant::now();
    let mut pause = URL_PAUSE;
    loop {
        let answer = check.ask().await;
        match &answer {
            Ok(answer) if !answer.is_in_place_of_the_tool => return Ok(answer.status),
            _ if began.elapsed() < URL_PATIENCE => {}
            Ok(answer) => {
                return Err(url_failure(
                    check,
                    &format!("answers {}, which is the gateway's own word", answer.status),
                ));
            }
            Err(error) => return Err(url_failure(check, &format!("cannot be reached: {}", error.text))),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(URL_PAUSE_MOST);
    }
}

fn url_failure(check: &UrlCheck, what: &str) -> WebserviceError {
    WebserviceError::DoesNotServe {
        exit: Exit::Url,
        sentence: format!(
            "Your webservice runs, but {} {what}.\n`webservice why` looks for the broken link between the two.",
            check.url()
        ),
    }
}

/// The end of the log that belongs to a failure. Without its log a failure is still a failure.
async fn last_lines(session: &Session, failure: &Failure) -> Vec<String> {
    let Some((pod, previous)) = &failure.log else {
        return Vec::new();
    };
    let parameters = LogParams {
        container: Some(crate::objects::CONTAINER.to_owned()),
        previous: *previous,
        tail_lines: Some(LOG_LINES),
        ..LogParams::default()
    };
    let log = session.api::<Pod>().logs(pod, &parameters).await;
    log.unwrap_or_default().lines().map(str::to_owned).collect()
}
