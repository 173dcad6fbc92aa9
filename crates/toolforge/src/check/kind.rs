//! What kind of object a manifest is, and whether a tool may write it: from the kinds that Kubernetes has, and the role
//! that all tools share.

use serde_json::Value;
use toolforge_kinds::Kind;
use toolforge_policy::ObjectKind;

/// What a manifest says it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    pub(super) kind: ObjectKind<'a>,
    pub(super) known: Known,
}

/// What is known of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    /// Kubernetes has it.
    Yes(&'static Kind),
    /// Kubernetes has it in another version.
    InVersion(&'static Kind),
    /// Kubernetes does not have it; somebody else may have defined it.
    No,
}

impl<'a> Named<'a> {
    /// Reads `apiVersion` and `kind`; the fields that are missing or no text when it cannot.
    pub(super) fn read(object: &'a Value) -> Result<Self, &'static str> {
        let text = |field: &'static str| {
            let text = object.get(field).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).ok_or(field)
        };
        let (api_version, kind) = (text("apiVersion")?, text("kind")?);
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = ObjectKind { group, version, kind };
        Ok(Self {
            kind,
            known: Known::of(kind),
        })
    }

    /// Whether objects of it lie in namespaces; of kinds that nobody knows that is assumed.
    pub(super) fn is_namespaced(self) -> bool {
        match self.known {
            Known::Yes(kind) | Known::InVersion(kind) => kind.namespaced,
            Known::No => true,
        }
    }

    /// Whether a tool may create objects of it, by its role.
    pub(super) fn is_for_tools(self) -> bool {
        // What nobody knows is in no group of the role either.
        let (Known::Yes(kind) | Known::InVersion(kind)) = self.known else {
            return false;
        };
        let role = toolforge_accounts::tool_role();
        let rules = role["rules"].as_array();
        rules
            .into_iter()
            .flatten()
            .any(|rule| allows(rule, kind.group, kind.plural))
    }
}

impl Known {
    fn of(named: ObjectKind<'_>) -> Self {
        if let Some(kind) = toolforge_kinds::by_kind(named.group, named.version, named.kind) {
            return Self::Yes(kind);
        }
        // Before there were groups of their own, these lay in one.
        let same = |kind: &&Kind| {
            kind.kind == named.kind && (kind.group == named.group || named.group == "extensions")
        };
        toolforge_kinds::all()
            .iter()
            .find(same)
            .map_or(Self::No, Self::InVersion)
    }
}

fn allows(rule: &Value, group: &str, plural: &str) -> bool {
    let has = |list: &str, value: &str| {
        let list = rule[list].as_array();
        list.into_iter()
            .flatten()
            .any(|item| item.as_str().is_some_and(|item| item == value || item == "*"))
    };
    has("apiGroups", group) && has("resources", plural) && has("verbs", "create")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(api_version: &str, kind: &str) -> (bool, bool, &'static str) {
        let object = json!({"apiVersion": api_version, "kind": kind});
        let named = Named::read(&object).unwrap();
        let known = match named.known {
            Known::Yes(_) => "yes",
            Known::InVersion(_) => "in a version",
            Known::No => "no",
        };
        (named.is_namespaced(), named.is_for_tools(), known)
    }

    #[test]
    fn tools_may_write_what_their_role_says() {
        for (api_version, kind) in [
            ("v1", "Pod"),
            ("v1", "Secret"),
            ("apps/v1", "Deployment"),
            ("batch/v1", "CronJob"),
            ("networking.k8s.io/v1", "Ingress"),
            ("networking.k8s.io/v1", "NetworkPolicy"),
        ] {
            assert_eq!(named(api_version, kind), (true, true, "yes"), "{kind}");
        }
        for (api_version, kind, namespaced) in [
            ("v1", "ResourceQuota", true),
            ("v1", "ReplicationController", true),
            ("v1", "Namespace", false),
            ("apps/v1", "DaemonSet", true),
            ("rbac.authorization.k8s.io/v1", "RoleBinding", true),
            ("rbac.authorization.k8s.io/v1", "ClusterRole", false),
        ] {
            assert_eq!(named(api_version, kind), (namespaced, false, "yes"), "{kind}");
        }
    }

    #[test]
    fn old_versions_and_kinds_of_others_are_known_as_such() {
        assert_eq!(named("networking.k8s.io/v1beta1", "Ingress").2, "in a version");
        assert_eq!(named("extensions/v1beta1", "Ingress").2, "in a version");
        assert_eq!(named("batch/v1beta1", "CronJob").2, "in a version");
        assert_eq!(named("example.org/v1", "Ingress"), (true, false, "no"));
        assert_eq!(Named::read(&json!({"kind": "Pod"})).unwrap_err(), "apiVersion");
        assert_eq!(
            Named::read(&json!({"apiVersion": "v1", "kind": 1})).unwrap_err(),
            "kind"
        );
    }
}
