//! Who may use which `PodSecurityPolicy`, and the policies themselves: what the cluster's roles and bindings say about
//! the verb `use`, and nothing else of them.
//!
//! The index is pure: objects go in, policies come out. `follow` feeds it from watches; `look` asks the API itself
//! before a refusal is final.

mod follow;
mod look;
mod set;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use toolforge_policy::psp::{GROUP, PLURAL, PodSecurityPolicy};

pub(crate) use follow::Grants;
pub(crate) use look::LookError;
use set::PolicySet;

/// The group whose members may do anything.
const MASTERS: &str = "system:masters";
/// The verb that gives a policy.
const USE: &str = "use";

/// Somebody who may hold grants: a user with groups.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder<'a> {
    pub(crate) user: &'a str,
    pub(crate) groups: &'a [String],
}

/// The account that a Pod runs as, with the groups that Kubernetes gives it.
#[derive(Clone, Debug)]
pub(crate) struct ServiceAccount {
    user: String,
    groups: [String; 3],
}

impl ServiceAccount {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self {
            user: service_account(namespace, name),
            groups: [
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ],
        }
    }

    pub(crate) fn holder(&self) -> Holder<'_> {
        Holder {
            user: &self.user,
            groups: &self.groups,
        }
    }
}

fn service_account(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// Whom a binding means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bound {
    User(String),
    Group(String),
}

/// Which role a binding gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Given {
    Role(String),
    ClusterRole(String),
}

/// A binding, without what does not matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Binding {
    given: Given,
    bound: Vec<Bound>,
}

/// What is known of the grants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    policies: BTreeMap<String, Arc<PodSecurityPolicy>>,
    cluster_roles: HashMap<String, PolicySet>,
    cluster_bindings: HashMap<String, Binding>,
    namespaces: HashMap<String, Namespaced>,
}

/// The same of one namespace.
#[derive(Clone, Debug, Default)]
struct Namespaced {
    roles: HashMap<String, PolicySet>,
    bindings: HashMap<String, Binding>,
}

impl Index {
    /// The policies that any of these may use in a namespace.
    pub(crate) fn usable(&self, namespace: &str, holders: &[Holder<'_>]) -> Vec<Arc<PodSecurityPolicy>> {
        match self.names(namespace, holders) {
            PolicySet::All => self.policies.values().cloned().collect(),
            PolicySet::Named(names) => names
                .iter()
                .filter_map(|name| self.policies.get(name).cloned())
                .collect(),
        }
    }

    /// Their names, whether or not they exist.
    fn names(&self, namespace: &str, holders: &[Holder<'_>]) -> PolicySet {
        let is_master = |holder: &Holder<'_>| holder.groups.iter().any(|group| group == MASTERS);
        if holders.iter().any(is_master) {
            return PolicySet::All;
        }
        let mut names = PolicySet::default();
        for binding in self
            .cluster_bindings
            .values()
            .filter(|binding| binding.means(holders))
        {
            if let Given::ClusterRole(role) = &binding.given {
                names.extend(self.cluster_roles.get(role));
            }
        }
        if let Some(here) = self.namespaces.get(namespace) {
            for binding in here.bindings.values().filter(|binding| binding.means(holders)) {
                names.extend(match &binding.given {
                    Given::ClusterRole(role) => self.cluster_roles.get(role),
                    Given::Role(role) => here.roles.get(role),
                });
            }
        }
        names
    }

    fn put_policy(&mut self, policy: PodSecurityPolicy) {
        self.policies.insert(policy.name().to_owned(), Arc::new(policy));
    }

    fn put_cluster_role(&mut self, role: &ClusterRole) {
        let name = role.metadata.name.clone().unwrap_or_default();
        put_set(&mut self.cluster_roles, name, granted(role.rules.as_deref()));
    }

    fn put_cluster_binding(&mut self, binding: &ClusterRoleBinding) {
        let name = binding.metadata.name.clone().unwrap_or_default();
        let binding = Binding::of(&binding.role_ref, binding.subjects.as_deref(), "");
        self.cluster_bindings.insert(name, binding);
    }

    fn put_role(&mut self, role: &Role) {
        let (namespace, name) = place(&role.metadata);
        let here = self.namespaces.entry(namespace).or_default();
        put_set(&mut here.roles, name, granted(role.rules.as_deref()));
    }

    fn put_binding(&mut self, binding: &RoleBinding) {
        let (namespace, name) = place(&binding.metadata);
        let binding = Binding::of(&binding.role_ref, binding.subjects.as_deref(), &namespace);
        let here = self.namespaces.entry(namespace).or_default();
        here.bindings.insert(name, binding);
    }
}

fn place(metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> (String, String) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    (text(&metadata.namespace), text(&metadata.name))
}

/// Roles that give no policy are not kept.
fn put_set(sets: &mut HashMap<String, PolicySet>, name: String, set: PolicySet) {
    if set.is_empty() {
        sets.remove(&name);
    } else {
        sets.insert(name, set);
    }
}

impl Binding {
    /// A subject without a group of the API means the one that its kind has, as Kubernetes fills it in.
    fn of(role: &RoleRef, subjects: Option<&[Subject]>, namespace: &str) -> Self {
        let given = match role.kind.as_str() {
            "Role" => Given::Role(role.name.clone()),
            _ => Given::ClusterRole(role.name.clone()),
        };
        let bound = |subject: &Subject| match subject.kind.as_str() {
            "User" => Some(Bound::User(subject.name.clone())),
            "Group" => Some(Bound::Group(subject.name.clone())),
            "ServiceAccount" => {
                let at = subject.namespace.as_deref().filter(|at| !at.is_empty());
                let at = at.unwrap_or(namespace);
                (!at.is_empty()).then(|| Bound::User(service_account(at, &subject.name)))
            }
            _ => None,
        };
        Self {
            given,
            bound: subjects.unwrap_or_default().iter().filter_map(bound).collect(),
        }
    }

    fn means(&self, holders: &[Holder<'_>]) -> bool {
        self.bound.iter().any(|bound| {
            holders.iter().any(|holder| match bound {
                Bound::User(name) => name == holder.user,
                Bound::Group(name) => holder.groups.contains(name),
            })
        })
    }
}

/// The policies that these rules give.
fn granted(rules: Option<&[PolicyRule]>) -> PolicySet {
    let mut set = PolicySet::default();
    let has = |list: Option<&[String]>, wanted: &str| {
        list.unwrap_or_default()
            .iter()
            .any(|item| item == "*" || item == wanted)
    };
    for rule in rules.unwrap_or_default() {
        let gives = has(Some(&rule.verbs), USE)
            && has(rule.api_groups.as_deref(), GROUP)
            && has(rule.resources.as_deref(), PLURAL);
        if gives {
            let names = rule.resource_names.as_deref().unwrap_or_default();
            set.extend(Some(&if names.is_empty() {
                PolicySet::All
            } else {
                PolicySet::Named(names.iter().cloned().collect::<BTreeSet<_>>())
            }));
        }
    }
    set
}

#[cfg(test)]
mod tests;
