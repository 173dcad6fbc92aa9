//! The index of roles and bindings: from a user and its groups to the rules that apply.
//!
//! Pure data: objects go in and out one at a time, questions are answered without looking anything up elsewhere.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::rules::Rule;
use super::{Attributes, Decision};
use crate::authn::User;
use crate::store::Key;

/// The API group of roles and bindings.
pub(crate) const GROUP: &str = "rbac.authorization.k8s.io";

/// A role: namespace (empty for cluster roles) and name.
type RoleKey = (String, String);
/// A binding: namespace (empty for cluster role bindings) and name.
type BindingKey = (String, String);

/// Who is bound.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    User(String),
    Group(String),
}

#[derive(Debug, Default)]
struct Role {
    rules: Arc<Vec<Rule>>,
    /// An object with the role's labels.
    labelled: Value,
    /// Of which one must match for another cluster role to be part of this one.
    aggregates: Vec<Value>,
}

#[derive(Debug)]
struct Binding {
    role: RoleKey,
    subjects: Vec<Subject>,
}

/// Rules that apply to somebody.
#[derive(Debug)]
pub(crate) struct Grant {
    /// Empty when the rules apply everywhere.
    pub(crate) namespace: String,
    pub(crate) rules: Arc<Vec<Rule>>,
}

/// Roles and bindings.
#[derive(Debug, Default)]
pub(crate) struct Index {
    roles: HashMap<RoleKey, Role>,
    bindings: HashMap<BindingKey, Binding>,
    by_subject: HashMap<Subject, HashSet<BindingKey>>,
    /// Rules of aggregated cluster roles, joined from their parts.
    joined: HashMap<String, Arc<Vec<Rule>>>,
}

impl Index {
    /// Takes a role or binding, new or changed.
    pub(crate) fn put(&mut self, key: &Key, object: &Value) {
        let place = (key.namespace.clone(), key.name.clone());
        match key.resource.plural {
            "roles" | "clusterroles" => {
                self.roles.insert(place, read_role(object));
                self.join();
            }
            "rolebindings" | "clusterrolebindings" => {
                self.remove(key);
                let binding = read_binding(&key.namespace, object);
                for subject in &binding.subjects {
                    self.by_subject
                        .entry(subject.clone())
                        .or_default()
                        .insert(place.clone());
                }
                self.bindings.insert(place, binding);
            }
            _ => {}
        }
    }

    /// Forgets a role or binding.
    pub(crate) fn remove(&mut self, key: &Key) {
        let place = (key.namespace.clone(), key.name.clone());
        match key.resource.plural {
            "roles" | "clusterroles" => {
                self.roles.remove(&place);
                self.join();
            }
            "rolebindings" | "clusterrolebindings" => {
                let Some(binding) = self.bindings.remove(&place) else {
                    return;
                };
                for subject in binding.subjects {
                    if let Some(bound) = self.by_subject.get_mut(&subject) {
                        bound.remove(&place);
                        if bound.is_empty() {
                            self.by_subject.remove(&subject);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// The rules of a role; those of an aggregated one are its own and those of its parts.
    pub(crate) fn rules_of(&self, namespace: &str, name: &str) -> Option<Arc<Vec<Rule>>> {
        if namespace.is_empty()
            && let Some(joined) = self.joined.get(name)
        {
            return Some(joined.clone());
        }
        self.roles
            .get(&(namespace.to_owned(), name.to_owned()))
            .map(|role| role.rules.clone())
    }

    /// What applies to a user in a namespace, and everywhere.
    pub(crate) fn grants(&self, user: &User, namespace: &str) -> Vec<Grant> {
        let mut grants = Vec::new();
        self.visit(user, namespace, |binding_key, _, _, rules| {
            grants.push(Grant {
                namespace: binding_key.0.clone(),
                rules: rules.clone(),
            });
            false
        });
        grants
    }

    /// Decides.
    pub(crate) fn decide(&self, user: &User, wanted: &Attributes) -> Decision {
        let mut allowed = None;
        self.visit(user, &wanted.namespace, |binding_key, binding, subject, rules| {
            // Rules about paths only count when they hold everywhere.
            if wanted.path.is_some() && !binding_key.0.is_empty() {
                return false;
            }
            if rules.iter().any(|rule| rule.allows(wanted)) {
                allowed = Some(reason(binding_key, binding, subject));
            }
            allowed.is_some()
        });
        match allowed {
            Some(reason) => Decision::Allow(format!("RBAC: allowed by {reason}")),
            None => Decision::NoOpinion(String::new()),
        }
    }

    /// Shows the bindings of a user until `stop` says enough.
    fn visit(
        &self,
        user: &User,
        namespace: &str,
        mut stop: impl FnMut(&BindingKey, &Binding, &Subject, &Arc<Vec<Rule>>) -> bool,
    ) {
        let subjects = std::iter::once(Subject::User(user.name.clone()))
            .chain(user.groups.iter().map(|group| Subject::Group(group.clone())));
        for subject in subjects {
            let Some(bound) = self.by_subject.get(&subject) else {
                continue;
            };
            for key in bound {
                if !key.0.is_empty() && key.0 != namespace {
                    continue;
                }
                let Some(binding) = self.bindings.get(key) else {
                    continue;
                };
                let Some(rules) = self.rules_of(&binding.role.0, &binding.role.1) else {
                    continue;
                };
                if stop(key, binding, &subject, &rules) {
                    return;
                }
            }
        }
    }

    /// Computes the rules of aggregated cluster roles anew, parts of parts included.
    fn join(&mut self) {
        let names: Vec<String> = self
            .roles
            .iter()
            .filter(|((namespace, _), role)| namespace.is_empty() && !role.aggregates.is_empty())
            .map(|((_, name), _)| name.clone())
            .collect();
        self.joined = names
            .iter()
            .map(|name| (name.clone(), Arc::new(self.join_one(name))))
            .collect();
    }

    fn join_one(&self, name: &str) -> Vec<Rule> {
        let mut rules: Vec<Rule> = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut queue = vec![name];
        while let Some(name) = queue.pop() {
            if !seen.insert(name) {
                continue;
            }
            let Some(role) = self.roles.get(&(String::new(), name.to_owned())) else {
                continue;
            };
            if role.aggregates.is_empty() {
                for rule in role.rules.iter() {
                    if !rules.contains(rule) {
                        rules.push(rule.clone());
                    }
                }
                continue;
            }
            let mut parts: Vec<&str> = self
                .roles
                .iter()
                .filter(|((namespace, _), part)| {
                    namespace.is_empty()
                        && role
                            .aggregates
                            .iter()
                            .any(|wanted| toolforge_chain::selects(wanted, &part.labelled))
                })
                .map(|((_, name), _)| name.as_str())
                .collect();
            parts.sort_unstable_by(|a, b| b.cmp(a));
            queue.extend(parts);
        }
        rules
    }
}

fn reason(key: &BindingKey, binding: &Binding, subject: &Subject) -> String {
    let (kind, name) = match subject {
        Subject::User(name) => ("User", name),
        Subject::Group(name) => ("Group", name),
    };
    let role_kind = if binding.role.0.is_empty() {
        "ClusterRole"
    } else {
        "Role"
    };
    if key.0.is_empty() {
        format!(
            "ClusterRoleBinding {:?} of {role_kind} {:?} to {kind} {name:?}",
            key.1, binding.role.1
        )
    } else {
        let place = format!("{}/{}", key.1, key.0);
        format!(
            "RoleBinding {place:?} of {role_kind} {:?} to {kind} {name:?}",
            binding.role.1
        )
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn read_role(object: &Value) -> Role {
    let aggregates = object
        .pointer("/aggregationRule/clusterRoleSelectors")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    Role {
        rules: Arc::new(Rule::read_all(object)),
        labelled: json!({ "metadata": { "labels": object.pointer("/metadata/labels") } }),
        aggregates,
    }
}

fn read_binding(namespace: &str, object: &Value) -> Binding {
    let role = object.get("roleRef").unwrap_or(&Value::Null);
    let role_namespace = if text(role, "kind") == "Role" {
        namespace
    } else {
        ""
    };
    let subjects = object
        .get("subjects")
        .and_then(Value::as_array)
        .map(|subjects| {
            subjects
                .iter()
                .filter_map(|subject| read_subject(namespace, subject))
                .collect()
        })
        .unwrap_or_default();
    Binding {
        role: (role_namespace.to_owned(), text(role, "name").to_owned()),
        subjects,
    }
}

fn read_subject(binding_namespace: &str, subject: &Value) -> Option<Subject> {
    let name = text(subject, "name");
    match text(subject, "kind") {
        "User" => Some(Subject::User(name.to_owned())),
        "Group" => Some(Subject::Group(name.to_owned())),
        "ServiceAccount" => {
            let namespace = match text(subject, "namespace") {
                "" => binding_namespace,
                found => found,
            };
            Some(Subject::User(format!("system:serviceaccount:{namespace}:{name}")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
