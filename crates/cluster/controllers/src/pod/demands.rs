//! What the containers of a Pod ask for altogether, summed when the Pod is read.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use parking_lot::Mutex;
use toolforge_model::Quantity;

use super::read::SpecContainer;
use crate::scheduler::resources::{Amounts, Side, add, parse};
use crate::shared::Shared;
use crate::text::Text;

static KNOWN: LazyLock<Mutex<Shared<[Demand]>>> = LazyLock::new(Mutex::default);

/// Amounts by the name of the resource. Most Pods ask for the same, so that they are kept once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Demands(Arc<[Demand]>);

/// An amount of a resource; equal to others that are also written the same.
#[derive(Clone, Debug)]
struct Demand {
    resource: Text,
    amount: Quantity,
}

impl PartialEq for Demand {
    fn eq(&self, other: &Self) -> bool {
        self.resource == other.resource && self.amount.is_identical(other.amount)
    }
}

impl Eq for Demand {}

impl Hash for Demand {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.resource.hash(state);
        self.amount.hash(state);
    }
}

impl Demands {
    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Text, &Quantity)> {
        self.0.iter().map(|demand| (&demand.resource, &demand.amount))
    }

    /// Whether nothing is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
impl Demands {
    /// Whether both are the same in memory.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl From<Amounts> for Demands {
    fn from(amounts: Amounts) -> Self {
        let amounts = amounts.into_iter();
        let demands: Vec<Demand> = amounts
            .map(|(resource, amount)| Demand { resource, amount })
            .collect();
        Self(KNOWN.lock().get(&demands))
    }
}

/// What a Pod asks for: all its containers together, or more where starting it needs more.
///
/// An init container runs before the others, so that only the largest counts; one that keeps running (a "sidecar")
/// counts beside all that follow.
pub(super) fn altogether(
    containers: &[SpecContainer],
    first: &[SpecContainer],
    overhead: Option<&BTreeMap<String, Written>>,
    side: Side,
) -> Demands {
    let mut sum = Amounts::new();
    for container in containers {
        add(&mut sum, &of_container(container.resources.as_ref(), side));
    }
    let mut sidecars = Amounts::new();
    let mut starting = Amounts::new();
    for container in first {
        let own = of_container(container.resources.as_ref(), side);
        let mut at_once = sidecars.clone();
        add(&mut at_once, &own);
        raise(&mut starting, &at_once);
        if is_sidecar(container) {
            add(&mut sidecars, &own);
        }
    }
    add(&mut sum, &sidecars);
    raise(&mut sum, &starting);
    add(&mut sum, &parse(overhead));
    sum.into()
}

fn is_sidecar(container: &SpecContainer) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn of_container(resources: Option<&ResourceRequirements>, side: Side) -> Amounts {
    let Some(resources) = resources else {
        return Amounts::new();
    };
    let limits = parse(resources.limits.as_ref());
    match side {
        Side::Limits => limits,
        Side::Requests => {
            // What is limited but not requested is requested in full.
            let mut requests = limits;
            requests.extend(parse(resources.requests.as_ref()));
            requests
        }
    }
}

fn raise(sum: &mut Amounts, to: &Amounts) {
    for (name, amount) in to {
        let present = sum.entry(name.clone()).or_default();
        *present = (*present).max(*amount);
    }
}
