//! The objects that an account should have in the cluster: data in, Kubernetes objects out.
//!
//! Pure. `plan.rs` compares them with what is there; nothing here knows whether anything is.

mod observer;
mod pod_security;

use serde_json::{Value, json};
use toolforge_model::{ToolName, labels};
use toolforge_policy::psp::ToolClass;

use crate::{
    overrides::Overrides,
    plan::ObjectKey,
    snapshot::{Admin, Tool},
};

#[cfg(test)]
mod tests;

pub use observer::OBSERVER_ROLE;
pub(crate) use observer::observer;

/// Who made an object, as its label and as the field manager of our applies.
pub(crate) const MANAGER: &str = "toolforge-accounts";

/// The `ConfigMap` that says that an account has credentials, and until when. Deleting it asks for new ones.
pub const MARKER: &str = "maintain-kubeusers";

/// The `NetworkPolicy` of each tool, where one is configured.
pub(crate) const NETWORK_POLICY: &str = "toolforge";

/// The namespace of the marker of all admins.
pub const ADMIN_NAMESPACE: &str = "maintain-kubeusers";

/// The `ClusterRole` that a tool has in its own namespace.
pub(crate) const TOOL_ROLE: &str = "tools-user";

/// The `ClusterRole` with which an admin may act as anybody.
pub(crate) const ADMIN_ROLE: &str = "k8s-admin";

/// The `ClusterRole` with which an admin sees everything but secrets.
pub(crate) const VIEW_ROLE: &str = "view";

const RBAC: &str = "rbac.authorization.k8s.io";

/// The key of the marker of all admins, which has a datum for each.
pub(crate) fn admin_marker_key() -> ObjectKey {
    ObjectKey {
        kind: "ConfigMap".to_owned(),
        namespace: ADMIN_NAMESPACE.to_owned(),
        name: MARKER.to_owned(),
    }
}

/// All objects of a tool, in the order in which they have to be made.
///
/// With the `uid` of its namespace the tool's policy, which is in no namespace, goes when the namespace goes.
pub fn desired_tool_objects(
    tool: &Tool,
    class: &ToolClass,
    overrides: &Overrides,
    uid: Option<&str>,
) -> Vec<Value> {
    let mut objects = vec![
        namespace(tool),
        quota(tool, overrides),
        limits(tool, overrides),
        tool_binding(tool),
    ];
    objects.extend(pod_security::objects(tool, class, uid));
    objects.extend(network_policy(tool, overrides));
    if overrides.observes(&tool.name) {
        objects.extend(observer::objects(tool, uid));
    }
    objects
}

/// What only some tools have, and this one has not, in the order in which it has to go where it is.
pub(crate) fn undesired_tool_objects(tool: &ToolName, overrides: &Overrides) -> Vec<ObjectKey> {
    let mut undesired = Vec::new();
    if overrides.network_policy(tool).is_none() {
        undesired.push(key(tool, "NetworkPolicy", NETWORK_POLICY.to_owned()));
    }
    if !overrides.observes(tool) {
        undesired.extend(observer::keys(tool));
    }
    undesired
}

/// All objects of an admin.
pub fn desired_admin_objects(admin: &Admin) -> Vec<Value> {
    let user = &admin.name;
    let [admin, view] = admin_bindings(user);
    vec![
        service_namespace(),
        cluster_binding(&view, VIEW_ROLE, user),
        cluster_binding(&admin, ADMIN_ROLE, user),
    ]
}

/// The namespace of what the service itself keeps in the cluster.
pub(crate) fn service_namespace() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": { "name": ADMIN_NAMESPACE, "labels": { labels::MANAGED_BY: MANAGER, labels::NAME: ADMIN_NAMESPACE } },
    })
}

/// The names of an admin's bindings, the mightier first.
pub(crate) fn admin_bindings(user: &str) -> [String; 2] {
    [format!("{user}-binding"), format!("{user}-view-binding")]
}

/// The bindings that give a tool what it may do, the mightier first.
pub(crate) fn tool_bindings(tool: &ToolName) -> [ObjectKey; 5] {
    let [everywhere, observing, _] = observer::keys(tool);
    let [user, account] = pod_security::bindings(tool).map(|name| key(tool, "RoleBinding", name));
    let own = key(tool, "RoleBinding", own_binding(tool));
    [everywhere, own, user, account, observing]
}

/// The name of the binding that gives a tool its own namespace.
fn own_binding(tool: &ToolName) -> String {
    format!("{tool}-tool-binding")
}

/// The key of an object in a tool's namespace.
fn key(tool: &ToolName, kind: &str, name: String) -> ObjectKey {
    ObjectKey {
        kind: kind.to_owned(),
        namespace: tool.namespace().to_string(),
        name,
    }
}

/// The `ownerReferences` of what goes when a tool's namespace of this `uid` goes.
fn owned_by(tool: &ToolName, uid: &str) -> Value {
    json!([{ "apiVersion": "v1", "kind": "Namespace", "name": tool.namespace().as_str(), "uid": uid }])
}

/// A tool's namespace.
pub(crate) fn namespace(tool: &Tool) -> Value {
    let name = tool.name.namespace();
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name.as_str(),
            "labels": {
                labels::NAME: name.as_str(),
                labels::TENANCY: labels::TENANCY_TOOL,
                labels::MANAGED_BY: MANAGER,
            },
            "annotations": {
                labels::UID: tool.uid.to_string(),
                labels::HOME: tool.home.to_string_lossy(),
                labels::MAINTAINERS: maintainers(tool),
            },
        },
    })
}

/// Who looks after a tool, as the annotation of its namespace says it.
pub(crate) fn maintainers(tool: &Tool) -> String {
    // What the maintainers are called cannot fail to become JSON: it is text.
    serde_json::to_string(&tool.maintainers).unwrap_or_else(|_| "[]".to_owned())
}

fn metadata(tool: &Tool, name: &str) -> Value {
    json!({
        "name": name,
        "namespace": tool.name.namespace().as_str(),
        "labels": { labels::MANAGED_BY: MANAGER },
    })
}

fn quota(tool: &Tool, overrides: &Overrides) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": metadata(tool, tool.name.namespace().as_str()),
        "spec": { "hard": overrides.quota(&tool.name) },
    })
}

fn limits(tool: &Tool, overrides: &Overrides) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": metadata(tool, tool.name.namespace().as_str()),
        "spec": { "limits": [overrides.limits(&tool.name)] },
    })
}

fn network_policy(tool: &Tool, overrides: &Overrides) -> Option<Value> {
    let spec = overrides.network_policy(&tool.name)?;
    Some(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(tool, NETWORK_POLICY),
        "spec": spec,
    }))
}

fn tool_binding(tool: &Tool) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "RoleBinding",
        "metadata": metadata(tool, &own_binding(&tool.name)),
        "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": TOOL_ROLE },
        "subjects": [{ "apiGroup": RBAC, "kind": "User", "name": tool.name.as_str() }],
    })
}

fn cluster_binding(name: &str, role: &str, user: &str) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "ClusterRoleBinding",
        "metadata": { "name": name, "labels": { labels::MANAGED_BY: MANAGER } },
        "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": role },
        "subjects": [{ "apiGroup": RBAC, "kind": "User", "name": user }],
    })
}

/// The marker of a tool: it has had credentials since `now`, and they end at `expires`.
pub fn tool_marker(tool: &Tool, now: jiff::Timestamp, expires: jiff::Timestamp) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(tool, MARKER),
        "data": {
            "status": format!("user created: {}", iso(now)),
            "expires": iso(expires),
        },
    })
}

/// UTC without a zone, to the second: what the original's tools read and write.
pub(crate) fn iso(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Reads what [`iso`] writes, and forgives a zone of UTC or a fraction.
pub(crate) fn read_iso(text: &str) -> Option<jiff::Timestamp> {
    let text = text.trim().trim_end_matches('Z').trim_end_matches("+00:00");
    let at: jiff::civil::DateTime = text.parse().ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}
