//! Who may use which `PodSecurityPolicy`, and the policies themselves: what the cluster's roles and bindings say about
//! the verb `use`, and nothing else of them.
//!
//! Objects go in, policies come out. The webhook server feeds it from watches, the command line from a platform or from
//! files; both ask it the same question.

mod set;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{GROUP, KIND, PLURAL, PodSecurityPolicy, PolicyError};
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use serde::Deserialize;
use serde_json::Value;
use set::PolicySet;

/// The group whose members may do anything.
const MASTERS: &str = "system:masters";
/// The API group of roles and bindings.
const RBAC: &str = "rbac.authorization.k8s.io";
/// The verb that gives a policy.
const USE: &str = "use";

/// Why an object cannot be taken in.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// A policy that cannot be asked.
    #[error("the policy cannot be used")]
    Policy(#[from] PolicyError),
    /// A role or a binding that is none by its shape.
    #[error("it does not have the shape of its kind")]
    Shape(#[from] serde_json::Error),
}

/// Somebody who may hold grants: a user with groups.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// Its name.
    pub user: &'a str,
    /// Its groups.
    pub groups: &'a [String],
}

/// The account that a Pod runs as, with the groups that Kubernetes gives it.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    user: String,
    groups: [String; 3],
}

impl ServiceAccount {
    /// The account of this name in this namespace.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            user: service_account(namespace, name),
            groups: [
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ],
        }
    }

    /// What it holds is what its name and its groups hold.
    pub fn holder(&self) -> Holder<'_> {
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
pub struct GrantIndex {
    policies: BTreeMap<String, Arc<PodSecurityPolicy>>,
    cluster_roles: HashMap<String, PolicySet>,
    /// Whom bindings of the whole cluster mean, by cluster role and by their own name: most of a cluster's roles give no
    /// policy, and who is bound to those is asked nothing.
    cluster_bindings: HashMap<String, HashMap<String, Vec<Bound>>>,
    namespaces: HashMap<String, Namespaced>,
}

/// The same of one namespace.
#[derive(Clone, Debug, Default)]
struct Namespaced {
    roles: HashMap<String, PolicySet>,
    bindings: HashMap<String, Binding>,
}

impl GrantIndex {
    /// The policies that any of these may use in a namespace.
    pub fn usable(&self, namespace: &str, holders: &[Holder<'_>]) -> Vec<Arc<PodSecurityPolicy>> {
        match self.names(namespace, holders) {
            PolicySet::All => self.policies.values().cloned().collect(),
            PolicySet::Named(names) => names
                .iter()
                .filter_map(|name| self.policies.get(*name).cloned())
                .collect(),
        }
    }

    /// Their names, whether or not they exist.
    fn names(&self, namespace: &str, holders: &[Holder<'_>]) -> PolicySet<&str> {
        let is_master = |holder: &Holder<'_>| holder.groups.iter().any(|group| group == MASTERS);
        if holders.iter().any(is_master) {
            return PolicySet::All;
        }
        let mut names = PolicySet::default();
        for (role, given) in &self.cluster_roles {
            let bindings = self.cluster_bindings.get(role).into_iter();
            if bindings
                .flat_map(HashMap::values)
                .any(|bound| mean(bound, holders))
            {
                names.extend(Some(given));
            }
        }
        if let Some(here) = self.namespaces.get(namespace) {
            for binding in here
                .bindings
                .values()
                .filter(|binding| mean(&binding.bound, holders))
            {
                names.extend(self.given_by(here, binding));
            }
        }
        names
    }

    /// Takes in an object of any kind as the API has it, and says whether it is of a kind that matters here: a policy, a
    /// role or a binding.
    ///
    /// # Errors
    /// When it is of such a kind and not of its shape.
    pub fn put(&mut self, object: &Value) -> Result<bool, GrantError> {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let (group, _) = text("apiVersion").split_once('/').unwrap_or_default();
        match (group, text("kind")) {
            (GROUP, KIND) => self.put_policy(PodSecurityPolicy::read(object)?),
            (RBAC, "ClusterRole") => self.put_cluster_role(&ClusterRole::deserialize(object)?),
            (RBAC, "ClusterRoleBinding") => {
                self.put_cluster_binding(&ClusterRoleBinding::deserialize(object)?);
            }
            (RBAC, "Role") => self.put_role(&Role::deserialize(object)?),
            (RBAC, "RoleBinding") => self.put_binding(&RoleBinding::deserialize(object)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether there is a policy of this name.
    pub fn has_policy(&self, name: &str) -> bool {
        self.policies.contains_key(name)
    }

    /// The cluster-wide part of it, with nothing in this namespace.
    #[must_use]
    pub fn without_namespaces(&self) -> Self {
        Self {
            policies: self.policies.clone(),
            cluster_roles: self.cluster_roles.clone(),
            cluster_bindings: self.cluster_bindings.clone(),
            namespaces: HashMap::new(),
        }
    }

    /// Cluster roles that are bound in a namespace and give nothing, as far as is known; by name.
    pub fn unknown_cluster_roles(&self, namespace: &str) -> BTreeSet<String> {
        let here = self.namespaces.get(namespace);
        here.into_iter()
            .flat_map(|here| here.bindings.values())
            .filter_map(|binding| match &binding.given {
                Given::ClusterRole(name) => Some(name.clone()),
                Given::Role(_) => None,
            })
            .filter(|name| !self.cluster_roles.contains_key(name))
            .collect()
    }

    /// The names of the policies that are given to anybody by the bindings of a namespace; none when those are all.
    pub fn given_in(&self, namespace: &str) -> Option<BTreeSet<String>> {
        let mut names = <PolicySet>::default();
        if let Some(here) = self.namespaces.get(namespace) {
            for binding in here.bindings.values() {
                names.extend(self.given_by(here, binding));
            }
        }
        match names {
            PolicySet::All => None,
            PolicySet::Named(names) => Some(names),
        }
    }

    fn given_by<'a>(&'a self, here: &'a Namespaced, binding: &Binding) -> Option<&'a PolicySet> {
        match &binding.given {
            Given::ClusterRole(role) => self.cluster_roles.get(role),
            Given::Role(role) => here.roles.get(role),
        }
    }

    /// Takes in a policy, over one of the same name.
    pub fn put_policy(&mut self, policy: PodSecurityPolicy) {
        self.policies.insert(policy.name().to_owned(), Arc::new(policy));
    }

    /// Takes in a cluster role.
    pub fn put_cluster_role(&mut self, role: &ClusterRole) {
        let name = role.metadata.name.clone().unwrap_or_default();
        put_set(&mut self.cluster_roles, name, granted(role.rules.as_deref()));
    }

    /// Takes in a binding of the whole cluster.
    pub fn put_cluster_binding(&mut self, binding: &ClusterRoleBinding) {
        let name = binding.metadata.name.clone().unwrap_or_default();
        self.remove_cluster_binding(&name);
        let binding = Binding::of(&binding.role_ref, binding.subjects.as_deref(), "");
        if let Given::ClusterRole(role) = binding.given {
            self.cluster_bindings
                .entry(role)
                .or_default()
                .insert(name, binding.bound);
        }
    }

    /// Takes in a role of a namespace.
    pub fn put_role(&mut self, role: &Role) {
        let (namespace, name) = place(&role.metadata);
        let here = self.namespaces.entry(namespace).or_default();
        put_set(&mut here.roles, name, granted(role.rules.as_deref()));
    }

    /// Takes in a binding of a namespace.
    pub fn put_binding(&mut self, binding: &RoleBinding) {
        let (namespace, name) = place(&binding.metadata);
        let binding = Binding::of(&binding.role_ref, binding.subjects.as_deref(), &namespace);
        let here = self.namespaces.entry(namespace).or_default();
        here.bindings.insert(name, binding);
    }

    /// Forgets a policy.
    pub fn remove_policy(&mut self, name: &str) {
        self.policies.remove(name);
    }

    /// Forgets a cluster role.
    pub fn remove_cluster_role(&mut self, name: &str) {
        self.cluster_roles.remove(name);
    }

    /// Forgets a binding of the whole cluster.
    pub fn remove_cluster_binding(&mut self, name: &str) {
        // What role it gave is known to itself alone.
        self.cluster_bindings.retain(|_, bindings| {
            bindings.remove(name);
            !bindings.is_empty()
        });
    }

    /// Forgets a role of a namespace.
    pub fn remove_role(&mut self, namespace: &str, name: &str) {
        self.forget(namespace, |here| drop(here.roles.remove(name)));
    }

    /// Forgets a binding of a namespace.
    pub fn remove_binding(&mut self, namespace: &str, name: &str) {
        self.forget(namespace, |here| drop(here.bindings.remove(name)));
    }

    /// Namespaces in which nothing is left are not kept.
    fn forget(&mut self, namespace: &str, what: impl FnOnce(&mut Namespaced)) {
        if let Some(here) = self.namespaces.get_mut(namespace) {
            what(here);
            if here.roles.is_empty() && here.bindings.is_empty() {
                self.namespaces.remove(namespace);
            }
        }
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
}

/// Whether any of those that are bound is one of these.
fn mean(bound: &[Bound], holders: &[Holder<'_>]) -> bool {
    bound.iter().any(|bound| {
        holders.iter().any(|holder| match bound {
            Bound::User(name) => name == holder.user,
            Bound::Group(name) => holder.groups.contains(name),
        })
    })
}

/// The policies that these rules give.
fn granted(rules: Option<&[PolicyRule]>) -> PolicySet {
    let mut set = <PolicySet>::default();
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
