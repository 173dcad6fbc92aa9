//! A namespace at a glance: what lists show of it, judged when something in it changes, and not at each visit. Pure.
//!
//! **Invariant:** a glance is computed from the objects of its namespace alone: neither the time nor anything elsewhere
//! goes into it, so that it holds until one of them changes.

use std::collections::{BTreeSet, HashMap};

use crate::board::verdict::{IDLE, Verdict, judge};
use crate::board::world::{World, on};

/// What lists show of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glance {
    /// How it is, if it is a tool's.
    pub(crate) verdict: Verdict,
    /// Whether anything of a tool runs, is to run, or is offered to visitors (facts section 10).
    pub(crate) is_active: bool,
    pub(crate) pods: usize,
}

/// Of a namespace in which nothing is.
static NOTHING: Glance = Glance {
    verdict: IDLE,
    is_active: false,
    pods: 0,
};

impl Glance {
    fn of(world: &World, namespace: &str) -> Self {
        let pods = on(&world.pods, namespace).count();
        let is_active = pods > 0
            || on(&world.cron_jobs, namespace).next().is_some()
            || on(&world.ingresses, namespace).next().is_some();
        Self {
            verdict: judge(world, namespace),
            is_active,
            pods,
        }
    }
}

/// The glances of all namespaces. In most there is nothing to be seen, and none is kept for them.
#[derive(Debug, Default)]
pub(crate) struct Glances(HashMap<String, Glance>);

impl Glances {
    /// What is seen of a namespace.
    pub(crate) fn of(&self, namespace: &str) -> &Glance {
        self.0.get(namespace).unwrap_or(&NOTHING)
    }

    /// These, with one namespace looked at anew.
    pub(crate) fn renew(&mut self, world: &World, namespace: &str) {
        let glance = Glance::of(world, namespace);
        if glance == NOTHING {
            self.0.remove(namespace);
        } else if let Some(known) = self.0.get_mut(namespace) {
            *known = glance;
        } else {
            self.0.insert(namespace.to_owned(), glance);
        }
    }

    /// All namespaces, looked at for the first time.
    pub(crate) fn all(world: &World) -> Self {
        let occupied: BTreeSet<&String> = (world.pods.keys())
            .chain(world.cron_jobs.keys())
            .chain(world.ingresses.keys())
            .collect();
        let mut glances = Self::default();
        for namespace in occupied {
            glances.renew(world, namespace);
        }
        glances
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::board::example::{World as Example, ingress, pod, service};

    #[test]
    fn only_what_is_there_is_kept() {
        let mut example = Example::default();
        example.put(&service("tool-t", "t"));
        assert!(Glances::all(&example.world).0.is_empty(), "nothing leads to it");
        assert_eq!(
            Glances::default().of("tool-t"),
            &Glance::of(&example.world, "tool-t")
        );
        example.put(&ingress("tool-t", "t.toolforge.org", "t"));
        let mut glances = Glances::all(&example.world);
        assert!(glances.of("tool-t").is_active);
        example.world.ingresses.clear();
        glances.renew(&example.world, "tool-t");
        assert!(glances.0.is_empty(), "what is gone is forgotten");
    }

    #[test]
    fn a_namespace_looked_at_anew_is_as_if_all_were() {
        let mut example = Example::default();
        let mut glances = Glances::default();
        for object in [
            ingress("tool-t", "t.toolforge.org", "t"),
            pod("tool-t", "t-1", &json!({ "phase": "Running" })),
            pod("tool-u", "u-1", &json!({ "phase": "Running" })),
            service("tool-t", "t"),
        ] {
            example.put(&object);
            let namespace = object["metadata"]["namespace"].as_str().unwrap();
            glances.renew(&example.world, namespace);
            assert_eq!(glances.0, Glances::all(&example.world).0, "{object}");
        }
    }
}
