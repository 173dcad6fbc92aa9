//! One RBAC rule: what it allows, and which other rules it covers.
//!
//! Pure. Follows <https://kubernetes.io/docs/reference/access-authn-authz/rbac/>.

use serde_json::{Value, json};

use super::Attributes;

/// A `PolicyRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) verbs: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) names: Vec<String>,
    pub(crate) paths: Vec<String>,
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default()
}

fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|found| found == "*" || found == wanted)
}

impl Rule {
    /// Reads a rule as it stands in a role.
    pub(crate) fn read(value: &Value) -> Self {
        Self {
            verbs: strings(value.get("verbs")),
            groups: strings(value.get("apiGroups")),
            resources: strings(value.get("resources")),
            names: strings(value.get("resourceNames")),
            paths: strings(value.get("nonResourceURLs")),
        }
    }

    /// Reads the rules of a role.
    pub(crate) fn read_all(role: &Value) -> Vec<Self> {
        role.get("rules")
            .and_then(Value::as_array)
            .map(|rules| rules.iter().map(Self::read).collect())
            .unwrap_or_default()
    }

    /// The rule as it stands in a role.
    pub(crate) fn to_value(&self) -> Value {
        let mut value = json!({ "verbs": self.verbs });
        for (field, list) in [
            ("apiGroups", &self.groups),
            ("resources", &self.resources),
            ("resourceNames", &self.names),
            ("nonResourceURLs", &self.paths),
        ] {
            if !list.is_empty() {
                value[field] = json!(list);
            }
        }
        value
    }

    /// Whether it is about objects and not about paths.
    pub(crate) fn is_about_resources(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether it allows this.
    pub(crate) fn allows(&self, wanted: &Attributes) -> bool {
        if !has(&self.verbs, &wanted.verb) {
            return false;
        }
        match &wanted.path {
            Some(path) => self.paths.iter().any(|allowed| path_matches(allowed, path)),
            None => {
                has(&self.groups, &wanted.group)
                    && self.has_resource(&wanted.resource, &wanted.subresource)
                    && (self.names.is_empty()
                        || (!wanted.name.is_empty() && self.names.contains(&wanted.name)))
            }
        }
    }

    fn has_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|allowed| {
            if allowed == "*" {
                return true;
            }
            if subresource.is_empty() {
                return allowed == resource;
            }
            match allowed.split_once('/') {
                Some((found, below)) => (found == "*" || found == resource) && below == subresource,
                None => false,
            }
        })
    }

    /// The single permissions that make up this rule: one verb, one group, one resource, at most one name.
    pub(crate) fn parts(&self) -> Vec<Self> {
        let one = |text: &String| vec![text.clone()];
        let mut parts = Vec::new();
        for verb in &self.verbs {
            for path in &self.paths {
                parts.push(Self {
                    verbs: one(verb),
                    paths: one(path),
                    ..Self::default()
                });
            }
            for group in &self.groups {
                for resource in &self.resources {
                    let part = Self {
                        verbs: one(verb),
                        groups: one(group),
                        resources: one(resource),
                        ..Self::default()
                    };
                    if self.names.is_empty() {
                        parts.push(part);
                    } else {
                        parts.extend(self.names.iter().map(|name| Self {
                            names: one(name),
                            ..part.clone()
                        }));
                    }
                }
            }
        }
        parts
    }

    /// Whether everything that `part` (a single permission) allows, this rule allows too.
    pub(crate) fn covers(&self, part: &Self) -> bool {
        let all = |own: &[String], wanted: &[String]| wanted.iter().all(|wanted| has(own, wanted));
        if !all(&self.verbs, &part.verbs) {
            return false;
        }
        if !part.paths.is_empty() {
            return part.paths.iter().all(|path| {
                self.paths
                    .iter()
                    .any(|own| own == path || path_matches(own, path))
            });
        }
        all(&self.groups, &part.groups)
            && part
                .resources
                .iter()
                .all(|resource| self.covers_resource(resource))
            && (self.names.is_empty()
                || (!part.names.is_empty() && part.names.iter().all(|name| self.names.contains(name))))
    }

    fn covers_resource(&self, wanted: &str) -> bool {
        self.resources.iter().any(|own| {
            own == "*"
                || own == wanted
                || matches!((own.split_once('/'), wanted.split_once('/')),
                    (Some(("*", below)), Some((_, wanted_below))) if below == wanted_below)
        })
    }
}

fn path_matches(allowed: &str, path: &str) -> bool {
    allowed == "*"
        || allowed == path
        || allowed
            .strip_suffix('*')
            .is_some_and(|prefix| path.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(verbs: &str, groups: &str, resources: &str, names: &str) -> Rule {
        let list = |text: &str| {
            text.split_whitespace()
                .map(|word| word.replace("core", ""))
                .collect()
        };
        Rule {
            verbs: list(verbs),
            groups: list(groups),
            resources: list(resources),
            names: list(names),
            paths: vec![],
        }
    }

    fn wants(verb: &str, group: &str, resource: &str, name: &str) -> Attributes {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        Attributes {
            verb: verb.into(),
            group: group.into(),
            resource: resource.into(),
            subresource: subresource.into(),
            name: name.into(),
            ..Attributes::default()
        }
    }

    #[test]
    fn allows_what_the_rule_names_and_nothing_else() {
        let table = [
            (
                rule("get list", "core", "pods", ""),
                wants("get", "", "pods", "x"),
                true,
            ),
            (
                rule("get list", "core", "pods", ""),
                wants("watch", "", "pods", ""),
                false,
            ),
            (
                rule("get", "core", "pods", ""),
                wants("get", "apps", "pods", ""),
                false,
            ),
            (
                rule("get", "core", "pods", ""),
                wants("get", "", "pods/log", "x"),
                false,
            ),
            (
                rule("get", "core", "pods/log", ""),
                wants("get", "", "pods/log", "x"),
                true,
            ),
            (
                rule("get", "core", "pods/log", ""),
                wants("get", "", "pods", "x"),
                false,
            ),
            (
                rule("update", "*", "*/scale", ""),
                wants("update", "apps", "deployments/scale", "x"),
                true,
            ),
            (
                rule("update", "*", "*/scale", ""),
                wants("update", "apps", "deployments", "x"),
                false,
            ),
            (
                rule("*", "*", "*", ""),
                wants("delete", "apps", "deployments/status", "x"),
                true,
            ),
            (
                rule("get", "core", "secrets", "one"),
                wants("get", "", "secrets", "one"),
                true,
            ),
            (
                rule("get", "core", "secrets", "one"),
                wants("get", "", "secrets", "two"),
                false,
            ),
            (
                rule("create list", "core", "secrets", "one"),
                wants("list", "", "secrets", ""),
                false,
            ),
        ];
        for (rule, wanted, expected) in table {
            assert_eq!(rule.allows(&wanted), expected, "{rule:?} {wanted:?}");
        }
    }

    #[test]
    fn paths_match_whole_or_by_prefix() {
        let rule = Rule {
            verbs: vec!["get".into()],
            paths: vec!["/healthz".into(), "/openapi/*".into()],
            ..Rule::default()
        };
        let wants = |path: &str| Attributes {
            verb: "get".into(),
            path: Some(path.into()),
            ..Attributes::default()
        };
        assert!(rule.allows(&wants("/healthz")));
        assert!(rule.allows(&wants("/openapi/v3/api/v1")));
        assert!(!rule.allows(&wants("/healthz/ping")));
        assert!(!rule.allows(&Attributes {
            verb: "get".into(),
            resource: "pods".into(),
            ..Attributes::default()
        }));
    }

    #[test]
    fn covers_only_what_it_allows_itself() {
        let table = [
            (rule("*", "*", "*", ""), rule("get", "core", "pods", ""), true),
            (
                rule("get list", "core", "pods", ""),
                rule("get", "core", "pods", "x"),
                true,
            ),
            (
                rule("get", "core", "pods", "x"),
                rule("get", "core", "pods", ""),
                false,
            ),
            (
                rule("get", "core", "pods", "x y"),
                rule("get", "core", "pods", "y"),
                true,
            ),
            (
                rule("get", "core", "pods", ""),
                rule("*", "core", "pods", ""),
                false,
            ),
            (
                rule("get", "core", "pods", ""),
                rule("get", "*", "pods", ""),
                false,
            ),
            (
                rule("get", "core", "pods", ""),
                rule("get", "core", "pods/log", ""),
                false,
            ),
            (
                rule("get", "core", "*/log", ""),
                rule("get", "core", "pods/log", ""),
                true,
            ),
        ];
        for (own, wanted, expected) in table {
            let covered = wanted.parts().iter().all(|part| own.covers(part));
            assert_eq!(covered, expected, "{own:?} {wanted:?}");
        }
    }

    #[test]
    fn several_rules_together_cover_the_parts_of_one() {
        let own = [rule("get", "core", "pods", ""), rule("list", "core", "pods", "")];
        let wanted = rule("get list", "core", "pods", "");
        assert!(
            wanted
                .parts()
                .iter()
                .all(|part| own.iter().any(|rule| rule.covers(part)))
        );
    }
}
