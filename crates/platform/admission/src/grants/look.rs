//! A look at the API itself, before a refusal is final.
//!
//! **Invariant:** its answers do not go into the index, for only the watches know what came after what. However many
//! Pods are refused, a namespace is looked at by one look at a time, few times a second, and few namespaces at once:
//! whoever waits shares the next look that begins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use toolforge_policy::psp::GrantIndex;

use super::follow::{Lists, policies, read_policy};

/// How long one look may take, waiting included: Kubernetes gives a webhook ten seconds.
const LOOK_UP: Duration = Duration::from_secs(5);
/// How long after the last look at a namespace the next one may begin.
const SPACING: Duration = Duration::from_millis(200);
/// How many namespaces are looked at at once.
const AT_ONCE: usize = 4;
/// How many roles and bindings of a namespace are read; a tool's has a handful.
const MOST_ITEMS: u32 = 500;
/// How many policies and cluster roles are read anew for one look.
const MOST_NAMES: usize = 20;
/// How many namespaces may be waited for before those that nobody waits for are forgotten.
const KEPT_GATES: usize = 256;

/// Why nobody can say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    #[error("the API did not answer in time")]
    Late,
    #[error("the API cannot be asked")]
    Api(#[source] Arc<kube::Error>),
}

type Answer = Result<Arc<GrantIndex>, Arc<kube::Error>>;
/// The last look at a namespace: when it began, and what it saw.
type Gate = tokio::sync::Mutex<Option<(Instant, Answer)>>;

/// The looks that are under way.
pub(super) struct Looks {
    client: Client,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    permits: Semaphore,
}

impl Looks {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            gates: Mutex::default(),
            permits: Semaphore::new(AT_ONCE),
        }
    }

    /// What the API says now of this namespace, on top of what is known of the cluster.
    pub(super) async fn look(
        &self,
        namespace: &str,
        known: &RwLock<GrantIndex>,
    ) -> Result<Arc<GrantIndex>, LookError> {
        let asked = Instant::now();
        let gate = self.gate(namespace);
        let look = async {
            let mut last = gate.lock().await;
            if let Some((began, answer)) = last.as_ref() {
                if *began >= asked {
                    return answer.clone();
                }
                tokio::time::sleep_until(*began + SPACING).await;
            }
            // The semaphore is never closed; without a permit the time limit is what protects the API.
            let _permit = self.permits.acquire().await.ok();
            let began = Instant::now();
            let answer = self.fetch(namespace, known).await.map(Arc::new).map_err(Arc::new);
            *last = Some((began, answer.clone()));
            answer
        };
        match tokio::time::timeout(LOOK_UP, look).await {
            Ok(answer) => answer.map_err(LookError::Api),
            Err(_) => Err(LookError::Late),
        }
    }

    fn gate(&self, namespace: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() >= KEPT_GATES {
            gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        }
        Arc::clone(gates.entry(namespace.to_owned()).or_default())
    }

    async fn fetch(&self, namespace: &str, known: &RwLock<GrantIndex>) -> Result<GrantIndex, kube::Error> {
        let (roles, bindings) = self.lists(namespace).await?;
        let mut fresh = known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .without_namespaces();
        for role in &roles {
            fresh.put_role(role);
        }
        for binding in &bindings {
            fresh.put_binding(binding);
        }
        self.fetch_cluster_roles(namespace, &mut fresh).await?;
        self.fetch_policies(namespace, &mut fresh).await?;
        Ok(fresh)
    }

    async fn lists(&self, namespace: &str) -> Result<Lists, kube::Error> {
        let limit = ListParams::default().limit(MOST_ITEMS);
        let roles = Api::namespaced(self.client.clone(), namespace);
        let bindings = Api::namespaced(self.client.clone(), namespace);
        let (roles, bindings) = futures::try_join!(roles.list(&limit), bindings.list(&limit))?;
        Ok((roles.items, bindings.items))
    }

    /// Cluster roles that are bound here and give nothing, as far as is known.
    async fn fetch_cluster_roles(&self, namespace: &str, fresh: &mut GrantIndex) -> Result<(), kube::Error> {
        let names = fresh.unknown_cluster_roles(namespace);
        let api: Api<ClusterRole> = Api::all(self.client.clone());
        for name in names.iter().take(MOST_NAMES) {
            if let Some(role) = api.get_opt(name).await? {
                fresh.put_cluster_role(&role);
            }
        }
        Ok(())
    }

    /// The policies that are given here, as they are now.
    async fn fetch_policies(&self, namespace: &str, fresh: &mut GrantIndex) -> Result<(), kube::Error> {
        let Some(names) = fresh.given_in(namespace) else {
            return Ok(());
        };
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &policies());
        for name in names.into_iter().take(MOST_NAMES) {
            match api.get_opt(&name).await?.as_ref().and_then(read_policy) {
                Some(policy) => fresh.put_policy(policy),
                None => {
                    fresh.remove_policy(&name);
                }
            }
        }
        Ok(())
    }
}
