//! Follows a webservice until its URL answers or it is clear that it will not, and says what happens.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream::BoxStream};
use indicatif::{ProgressBar, ProgressStyle};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    ResourceExt as _,
    api::LogParams,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};

use crate::{
    diagnosis::{Failure, Seen, Standing, diagnose},
    error::WebserviceError,
    exit::Exit,
    objects::{CONTAINER, selector},
    session::Session,
    url_check::{UrlCheck, is_from_the_tool},
};

/// When everything has been ready for this long and the URL still does not answer, something is wrong
/// between the gateway and the tool.
const URL_PATIENCE: Duration = Duration::from_secs(15);
/// How soon the URL is asked again at first, and at most: the gateway hears of a new Pod within
/// milliseconds.
const URL_PAUSE: Duration = Duration::from_millis(5);
const URL_PAUSE_MOST: Duration = Duration::from_millis(500);
/// How often verdicts that depend on time are looked at again.
const TICK: Duration = Duration::from_millis(500);
/// How much of a crashed tool's log is shown.
const LOG_LINES: i64 = 20;

/// Waits until the webservice serves; the status that its URL answered with.
pub(crate) async fn until_it_serves(
    session: &Session,
    check: &UrlCheck,
) -> Result<reqwest::StatusCode, WebserviceError> {
    let bar = progress();
    let outcome = until_ready(session, &bar).await;
    let outcome = match outcome {
        Ok(()) => {
            bar.set_message("asking its URL");
            until_answered(check).await
        }
        Err(failure) => {
            bar.finish_and_clear();
            show_log(session, &failure).await;
            Err(WebserviceError::DoesNotServe {
                exit: failure.exit,
                sentence: format!(
                    "Your webservice does not come up. {}\nMend it, then say `webservice restart`; `webservice stop` takes it away.",
                    failure.sentence
                ),
            })
        }
    };
    bar.finish_and_clear();
    outcome
}

/// A world of one Deployment and its Pods, kept by two watches.
async fn until_ready(session: &Session, bar: &ProgressBar) -> Result<(), Failure> {
    let began = Instant::now();
    let config = watcher::Config::default().labels(&selector());
    let mut deployments = changes(
        watcher(session.api::<Deployment>(), config.clone())
            .default_backoff()
            .boxed(),
    );
    let mut pods = changes(watcher(session.api::<Pod>(), config).default_backoff().boxed());
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            () = deployments.next() => {}
            () = pods.next() => {}
            _ = tick.tick() => {}
        }
        if !(deployments.complete && pods.complete) {
            continue;
        }
        let own = deployments
            .objects
            .iter()
            .find(|own| own.name_any() == session.tool.as_str());
        let seen = Seen {
            deployment: own,
            pods: &pods.objects,
            waited: began.elapsed(),
        };
        match diagnose(&seen) {
            Standing::Ready => return Ok(()),
            Standing::Coming(what) => bar.set_message(what),
            Standing::Failed(failure) => return Err(failure),
            Standing::Absent => {
                let sentence = "It was stopped meanwhile.".to_owned();
                return Err(Failure {
                    exit: Exit::Tool,
                    sentence,
                    log: None,
                });
            }
        }
    }
}

/// The objects of one watch as they are now.
struct Changes<K> {
    stream: BoxStream<'static, watcher::Result<Event<K>>>,
    objects: Vec<K>,
    complete: bool,
}

fn changes<K>(stream: BoxStream<'static, watcher::Result<Event<K>>>) -> Changes<K> {
    Changes {
        stream,
        objects: Vec::new(),
        complete: false,
    }
}

impl<K: kube::Resource> Changes<K> {
    /// Takes in the next event. Errors are retried by the watcher, so they only cost time.
    async fn next(&mut self) {
        match self.stream.next().await {
            Some(Ok(Event::Init)) => {
                self.objects.clear();
                self.complete = false;
            }
            Some(Ok(Event::InitDone)) => self.complete = true,
            Some(Ok(Event::InitApply(object) | Event::Apply(object))) => {
                self.objects.retain(|known| known.meta().uid != object.meta().uid);
                self.objects.push(object);
            }
            Some(Ok(Event::Delete(object))) => {
                self.objects.retain(|known| known.meta().uid != object.meta().uid);
            }
            Some(Err(_)) => {}
            None => std::future::pending().await,
        }
    }
}

async fn until_answered(check: &UrlCheck) -> Result<reqwest::StatusCode, WebserviceError> {
    let began = Instant::now();
    let mut pause = URL_PAUSE;
    loop {
        let answer = check.ask().await;
        match &answer {
            Ok(status) if is_from_the_tool(*status) => return Ok(*status),
            _ if began.elapsed() < URL_PATIENCE => {}
            Ok(status) => {
                return Err(url_failure(format!(
                    "Your webservice runs, but {} answers {status}. `webservice logs` shows what it printed.",
                    check.url()
                )));
            }
            Err(error) => {
                return Err(url_failure(format!(
                    "Your webservice runs, but {} cannot be reached: {error}.",
                    check.url()
                )));
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(URL_PAUSE_MOST);
    }
}

fn url_failure(sentence: String) -> WebserviceError {
    WebserviceError::DoesNotServe {
        exit: Exit::Url,
        sentence,
    }
}

async fn show_log(session: &Session, failure: &Failure) {
    let Some((pod, previous)) = &failure.log else {
        return;
    };
    let parameters = LogParams {
        container: Some(CONTAINER.to_owned()),
        previous: *previous,
        tail_lines: Some(LOG_LINES),
        ..LogParams::default()
    };
    // Without its log a failure is still a failure.
    if let Ok(log) = session.api::<Pod>().logs(pod, &parameters).await {
        for line in log.lines() {
            anstream::eprintln!("  {line}");
        }
    }
}

fn progress() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} Starting webservice: {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
