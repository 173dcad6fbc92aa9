//! Keeps the history in a `ConfigMap` of the tool's namespace; it outlives the webservice.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{ResourceExt as _, api::PostParams};
use toolforge_model::labels;

use super::{Entry, seen, with};
use crate::{error::WebserviceError, session::Session, settings::Settings};

/// The `ConfigMap`.
const CONFIG_MAP: &str = "webservice-history";
/// Its key: the entries as JSON, the newest last.
const KEY: &str = "history.json";
const READING: &str = "reading the history of your webservice";
const WRITING: &str = "recording this configuration in the history of your webservice";
/// How often a change is tried while others make theirs.
const TRIES: usize = 5;

/// All entries, the newest last.
pub(crate) async fn read(session: &Session) -> Result<Vec<Entry>, WebserviceError> {
    let map = session.api::<ConfigMap>().get_opt(CONFIG_MAP).await;
    let map = map.map_err(WebserviceError::api(READING))?.unwrap_or_default();
    entries(&map).ok_or_else(|| {
        WebserviceError::Failed(format!(
            "the history of your webservice is damaged; begin a new one with: kubectl delete configmap {CONFIG_MAP}"
        ))
    })
}

/// Records what was applied. What runs, runs, so that this does not work is only told.
pub(crate) async fn record(session: &Session, settings: &Settings) {
    let now = jiff::Timestamp::now().to_string();
    change(session, |entries| Some(with(entries, settings, &now))).await;
}

/// Notes whether it came up.
pub(crate) async fn note(session: &Session, settings: &Settings, came_up: bool) {
    change(session, |entries| seen(entries, settings, came_up)).await;
}

/// Writes what becomes of the entries, if that is something new.
async fn change(session: &Session, changed: impl Fn(&[Entry]) -> Option<Vec<Entry>>) {
    let mut last = None;
    for _ in 0..TRIES {
        match change_once(session, &changed).await {
            Ok(()) => return,
            // Others wrote in between: they are read again.
            Err(kube::Error::Api(status)) if status.code == 409 => last = Some(kube::Error::Api(status)),
            Err(error) => {
                last = Some(error);
                break;
            }
        }
    }
    if let Some(error) = last {
        anstream::eprintln!("WARNING: {WRITING} did not work: {error}");
    }
}

async fn change_once(
    session: &Session,
    changed: impl Fn(&[Entry]) -> Option<Vec<Entry>>,
) -> kube::Result<()> {
    let maps = session.api::<ConfigMap>();
    let found = maps.get_opt(CONFIG_MAP).await?;
    let is_new = found.is_none();
    let mut map = found.unwrap_or_default();
    // One that cannot be read is begun anew: nobody can go back to what is in it.
    let Some(entries) = changed(&entries(&map).unwrap_or_default()) else {
        return Ok(());
    };
    let text = serde_json::to_string_pretty(&entries).map_err(kube::Error::SerdeError)?;
    map.data.get_or_insert_default().insert(KEY.to_owned(), text);
    map.labels_mut().insert(
        labels::MANAGED_BY.to_owned(),
        labels::MANAGED_BY_WEBSERVICE.to_owned(),
    );
    if is_new {
        map.metadata.name = Some(CONFIG_MAP.to_owned());
        map.metadata.namespace = Some(session.tool.namespace().as_str().to_owned());
        return maps.create(&PostParams::default(), &map).await.map(drop);
    }
    // It has the version that was read, so nobody's entry is lost.
    maps.replace(CONFIG_MAP, &PostParams::default(), &map)
        .await
        .map(drop)
}

fn entries(map: &ConfigMap) -> Option<Vec<Entry>> {
    match map.data.as_ref().and_then(|data| data.get(KEY)) {
        None => Some(Vec::new()),
        Some(text) => serde_json::from_str(text).ok(),
    }
}
