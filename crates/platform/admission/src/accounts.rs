//! Which user a tool's Pods run as: read from the annotations of its namespace, which the account service writes.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;
use toolforge_model::{ToolAccount, labels};

use crate::answer::Answer;
use crate::metrics::Metrics;

/// How long one look at the API may take: Kubernetes gives a webhook ten seconds, and an answer in words is worth
/// more than its own time-out.
const LOOK_UP: Duration = Duration::from_secs(5);

/// The tools' accounts, as far as they are known.
#[derive(Clone)]
pub(crate) struct Accounts {
    known: Store<Namespace>,
    api: Api<Namespace>,
    metrics: Arc<Metrics>,
}

impl Accounts {
    /// Starts to follow the namespaces of tools until `shutdown`.
    pub(crate) fn follow(client: Client, metrics: Arc<Metrics>, shutdown: CancellationToken) -> Self {
        let api: Api<Namespace> = Api::all(client);
        let (known, writer) = reflector::store();
        let ours =
            watcher::Config::default().labels(&format!("{}={}", labels::TENANCY, labels::TENANCY_TOOL));
        let events = toolforge_watch::watch(api.clone(), ours);
        let follow = reflector::reflector(writer, events).for_each(|event| async move {
            if let Err(error) = event {
                tracing::warn!(error = %error, "the namespaces of tools cannot be watched; trying again");
            }
        });
        tokio::spawn(shutdown.run_until_cancelled_owned(follow));
        Self { known, api, metrics }
    }

    /// Knows this one, and asks the API for others.
    #[cfg(fuzzing)]
    pub(crate) fn fixed(client: Client, metrics: Arc<Metrics>, namespace: Namespace) -> Self {
        let (known, mut writer) = reflector::store();
        writer.apply_watcher_event(&watcher::Event::Apply(namespace));
        Self {
            known,
            api: Api::all(client),
            metrics,
        }
    }

    /// Whether the namespaces have been read once.
    pub(crate) fn are_known(&self) -> bool {
        matches!(self.known.wait_until_ready().now_or_never(), Some(Ok(())))
    }

    /// The account of a tool by its namespace; else what to answer instead.
    pub(crate) async fn of(&self, namespace: &str) -> Result<ToolAccount, Answer> {
        let known = self.known.get(&ObjectRef::new(namespace));
        if let Some(Ok(account)) = known.as_deref().map(account) {
            return Ok(account);
        }
        // A namespace that was made a moment ago may not have arrived here yet. On the heap, for it is rare and large.
        Box::pin(self.look_up(namespace)).await
    }

    async fn look_up(&self, namespace: &str) -> Result<ToolAccount, Answer> {
        let looked_up = tokio::time::timeout(LOOK_UP, self.api.get_opt(namespace)).await;
        self.metrics.looked_up(match &looked_up {
            Ok(Ok(Some(_))) => "found",
            Ok(Ok(None)) => "missing",
            _ => "failed",
        });
        match looked_up {
            Ok(Ok(Some(found))) => account(&found).map_err(|error| {
                Answer::Later(format!(
                    "the account of namespace {namespace} is not set up yet ({error}); try again in a moment"
                ))
            }),
            Ok(Ok(None)) => Err(Answer::Deny(format!("namespace {namespace} does not exist"))),
            Ok(Err(error)) => {
                tracing::warn!(namespace, error = %error, "the namespace of a tool cannot be read");
                Err(unreadable(namespace))
            }
            Err(_) => Err(unreadable(namespace)),
        }
    }
}

fn account(namespace: &Namespace) -> Result<ToolAccount, toolforge_model::AccountError> {
    static NONE: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    ToolAccount::from_annotations(namespace.metadata.annotations.as_ref().unwrap_or(&NONE))
}

fn unreadable(namespace: &str) -> Answer {
    Answer::Later(format!(
        "the account of namespace {namespace} cannot be read at the moment; try again in a moment"
    ))
}
