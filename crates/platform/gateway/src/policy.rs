//! What Ingresses are held to, now and after each change of the policy file; and what else follows from it: which hosts are ours,
//! and under which settings a table is good.

use std::{future::pending, sync::Arc};

use tokio::sync::watch;
use toolforge_model::{Domain, host_name, names};
use toolforge_policy::IngressPolicy;
use toolforge_registrations::Names;
use toolforge_routing::Settings;

use crate::{default_backend, visit::Visit};

/// The policy, for as long as it changes and when it does not any more.
#[derive(Clone, Debug)]
pub struct Policies(watch::Receiver<Arc<IngressPolicy>>);

impl From<watch::Receiver<Arc<IngressPolicy>>> for Policies {
    fn from(followed: watch::Receiver<Arc<IngressPolicy>>) -> Self {
        Self(followed)
    }
}

impl From<IngressPolicy> for Policies {
    /// One that never changes.
    fn from(policy: IngressPolicy) -> Self {
        Self(watch::channel(Arc::new(policy)).1)
    }
}

impl Policies {
    /// The policy of now, which then is known.
    pub(crate) fn newest(&mut self) -> Arc<IngressPolicy> {
        self.0.borrow_and_update().clone()
    }

    /// The policy of now.
    pub(crate) fn now(&self) -> Arc<IngressPolicy> {
        self.0.borrow().clone()
    }

    /// Returns when there is another policy than was known.
    pub(crate) async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody changes it any more.
            pending::<()>().await;
        }
    }
}

/// The domains whose hosts are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domains {
    /// The main one.
    pub(crate) main: Domain,
    /// The others.
    pub(crate) others: Vec<Domain>,
    /// The hosts that tools share.
    pub(crate) shared: Vec<Domain>,
}

impl Domains {
    /// One domain.
    pub(crate) fn only(main: Domain) -> Self {
        Self {
            main,
            others: Vec::new(),
            shared: Vec::new(),
        }
    }

    /// Those of a policy.
    pub(crate) fn of(policy: &IngressPolicy) -> Self {
        Self {
            main: policy.main_domain().clone(),
            others: policy.domains().iter().skip(1).cloned().collect(),
            shared: policy.legacy_hosts().to_vec(),
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Domain> {
        [&self.main].into_iter().chain(&self.others).chain(&self.shared)
    }

    /// Whether this visit is one of a host that tools share.
    pub(crate) fn shares(&self, visit: &Visit) -> bool {
        if self.shared.is_empty() {
            return false;
        }
        let host = host_name(visit.authority());
        host.is_some_and(|host| self.shared.iter().any(|domain| domain.as_str() == host))
    }
}

/// The hosts that webservices outside of Kubernetes may claim.
pub(crate) fn claimable(policy: &IngressPolicy) -> Names {
    Names {
        domains: policy.domains().to_vec(),
        shared: policy.legacy_hosts().to_vec(),
    }
}

/// What a kept table depends on: under another domain, or with other safe namespaces, its verdicts are worth nothing.
pub(crate) fn table_settings(policy: &IngressPolicy) -> Settings {
    let domains: Vec<_> = policy.domains().iter().map(Domain::as_str).collect();
    let legacy: Vec<_> = policy.legacy_hosts().iter().map(Domain::as_str).collect();
    let safe: Vec<_> = policy.safe_namespaces().iter().map(String::as_str).collect();
    Settings {
        ingress_class: policy.ingress_class().to_owned(),
        controller: names::INGRESS_CONTROLLER.to_owned(),
        default_backend: default_backend(),
        policy: format!(
            "domain {}, legacy hosts {}, safe namespaces {}",
            domains.join(" "),
            legacy.join(" "),
            safe.join(" ")
        ),
    }
}
