//! Tells the cluster's Events what happens to accounts: `kubectl get events` in a tool's namespace shows them.
//!
//! The service hands over and goes on; a task of its own publishes. Events are for people who look: when there are more
//! than can be published they are dropped, the log and the published state have them all.

use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, api::PostParams};
use tokio::sync::mpsc;

use crate::{
    account::Account,
    desired::{self, ADMIN_NAMESPACE, MANAGER, MARKER},
    execute,
    plan::Action,
    status::STATUS,
};

/// Events that wait to be published.
const MOST_WAITING: usize = 1000;

/// Bytes of a note; Kubernetes takes 1024.
const LONGEST_NOTE: usize = 900;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Failing,
    Works,
    Withdrawn,
    Restored,
}

/// Takes events; they are published for as long as the task of [`publisher`] runs.
#[derive(Clone, Debug)]
pub(crate) struct Events(mpsc::Sender<Event>);

impl Events {
    /// Says something about an account; `has_place` is whether a tool has its namespace.
    pub(crate) fn tell(&self, account: &Account, has_place: bool, kind: Kind, note: &str) {
        // Full: see above.
        let _ = self
            .0
            .try_send(event(account, has_place, kind, note, Timestamp::now()));
    }
}

/// A way to tell, and the task that publishes what is told; it ends when nobody can tell any more.
pub(crate) fn publisher(client: Client) -> (Events, impl Future<Output = ()>) {
    let (sender, mut waiting) = mpsc::channel::<Event>(MOST_WAITING);
    let task = async move {
        while let Some(event) = waiting.recv().await {
            if let Err(error) = publish(&client, &event).await {
                tracing::warn!(%error, "an event cannot be published");
            }
        }
    };
    (Events(sender), task)
}

async fn publish(client: &Client, event: &Event) -> kube::Result<()> {
    let namespace = event.metadata.namespace.as_deref().unwrap_or(ADMIN_NAMESPACE);
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let published = api.create(&PostParams::default(), event).await;
    if namespace == ADMIN_NAMESPACE
        && matches!(&published, Err(kube::Error::Api(status)) if status.is_not_found())
    {
        // The service's own namespace is made when something is first kept in it, which may be later.
        let made = execute::execute(client, Action::Apply(desired::service_namespace())).await;
        if made.is_ok() {
            return api.create(&PostParams::default(), event).await.map(drop);
        }
    }
    published.map(drop)
}

/// The object. Each is one of its own and never a series of an earlier one: what was said of one account must not
/// stand for what is said of another, and the service tells the same only once.
fn event(account: &Account, has_place: bool, kind: Kind, note: &str, now: Timestamp) -> Event {
    let (type_, reason) = match kind {
        Kind::Failing => ("Warning", "AccountFailing"),
        Kind::Works => ("Normal", "AccountWorks"),
        Kind::Withdrawn => ("Warning", "AccessWithdrawn"),
        Kind::Restored => ("Normal", "AccessRestored"),
    };
    let regarding = regarding(account, has_place);
    Event {
        metadata: ObjectMeta {
            namespace: regarding.namespace.clone(),
            name: Some(format!(
                "{}.{:016x}",
                regarding.name.as_deref().unwrap_or(MARKER),
                rand::random::<u64>()
            )),
            ..ObjectMeta::default()
        },
        type_: Some(type_.to_owned()),
        reason: Some(reason.to_owned()),
        action: Some("Reconcile".to_owned()),
        note: Some(shortened(&format!("{account}: {note}"))),
        event_time: Some(MicroTime(now)),
        regarding: Some(regarding),
        reporting_controller: Some(MANAGER.to_owned()),
        reporting_instance: Some(MANAGER.to_owned()),
        ..Event::default()
    }
}

/// Events are in the namespace of what they are about: of a tool's marker, or of the service's state.
fn regarding(account: &Account, has_place: bool) -> ObjectReference {
    let (namespace, name) = match account {
        Account::Tool(tool) if has_place => (tool.namespace().to_string(), MARKER),
        _ => (ADMIN_NAMESPACE.to_owned(), STATUS),
    };
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("ConfigMap".to_owned()),
        namespace: Some(namespace),
        name: Some(name.to_owned()),
        ..ObjectReference::default()
    }
}

fn shortened(text: &str) -> String {
    let mut end = text.len().min(LONGEST_NOTE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_lies_where_what_it_is_about_lies_and_a_long_note_is_cut_between_characters() {
        let account: Account = "tool alpha".parse().unwrap();
        let told = event(
            &account,
            true,
            Kind::Failing,
            &"\u{20ac}".repeat(2000),
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(told.metadata.namespace.as_deref(), Some("tool-alpha"));
        assert_eq!(told.regarding.unwrap().namespace.as_deref(), Some("tool-alpha"));
        assert!(told.note.unwrap().len() <= LONGEST_NOTE);
        let told = event(&account, false, Kind::Failing, "why", Timestamp::UNIX_EPOCH);
        assert_eq!(told.metadata.namespace.as_deref(), Some(ADMIN_NAMESPACE));
        assert_eq!(told.note.as_deref(), Some("tool alpha: why"));
    }
}
