//! Which Pod security policies a platform gives to whom: everything for who may read roles and bindings; else what the API
//! says of the rights of who asks, and the policies that they may read by name.

use std::collections::BTreeSet;

use anyhow::Context as _;
use k8s_openapi::api::{
    authentication::v1::SelfSubjectReview,
    authorization::v1::{SelfSubjectRulesReview, SelfSubjectRulesReviewSpec},
    rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, PostParams},
};
use toolforge_model::ToolName;
use toolforge_policy::psp::{GROUP, GrantIndex, KIND, PLURAL, PodSecurityPolicy, VERSION};

/// The name of what stands for the rights of who asks.
const OWN: &str = "own";

/// What is known of the grants of a platform.
#[derive(Debug)]
pub(crate) struct PlatformGrants {
    pub(crate) index: GrantIndex,
    pub(crate) seen: Seen,
}

/// How much that is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// All there is.
    Everything,
    /// What the tool that asks may use itself, but for what it may use and not read.
    OwnRights {
        /// Names of policies; `*` stands for all.
        hidden: Vec<String>,
    },
    /// Nothing: who asks is neither an operator nor the tool.
    Nothing,
}

/// What is known with the rights of this client, of the namespaces of these tools.
pub(super) async fn read(client: &Client, tools: &BTreeSet<ToolName>) -> anyhow::Result<PlatformGrants> {
    let what = "which Pod security policies are granted cannot be read";
    if let Some(index) = unless_forbidden(everything(client, tools).await).context(what)? {
        return Ok(PlatformGrants {
            index,
            seen: Seen::Everything,
        });
    }
    let user = unless_forbidden(user_name(client).await).context(what)?.flatten();
    let mut index = GrantIndex::default();
    let mut seen = Seen::Nothing;
    if let Some(tool) = tools.iter().find(|tool| user.as_deref() == Some(tool.as_str())) {
        let hidden = own(client, tool, &mut index).await.context(what)?;
        seen = Seen::OwnRights { hidden };
    }
    Ok(PlatformGrants { index, seen })
}

fn unless_forbidden<T>(answer: kube::Result<T>) -> kube::Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
        Err(error) => Err(error),
    }
}

/// All roles, bindings and policies that matter to these tools.
async fn everything(client: &Client, tools: &BTreeSet<ToolName>) -> kube::Result<GrantIndex> {
    let mut index = GrantIndex::default();
    let all = ListParams::default();
    for role in Api::<ClusterRole>::all(client.clone()).list(&all).await? {
        index.put_cluster_role(&role);
    }
    for binding in Api::<ClusterRoleBinding>::all(client.clone()).list(&all).await? {
        index.put_cluster_binding(&binding);
    }
    for tool in tools {
        let namespace = tool.namespace();
        for role in Api::<Role>::namespaced(client.clone(), namespace.as_str())
            .list(&all)
            .await?
        {
            index.put_role(&role);
        }
        for binding in Api::<RoleBinding>::namespaced(client.clone(), namespace.as_str())
            .list(&all)
            .await?
        {
            index.put_binding(&binding);
        }
    }
    for policy in policies(client).list(&all).await? {
        put_policy(&mut index, &policy);
    }
    Ok(index)
}

/// The name of the user who asks.
async fn user_name(client: &Client) -> kube::Result<Option<String>> {
    let review = Api::all(client.clone())
        .create(&PostParams::default(), &SelfSubjectReview::default())
        .await?;
    Ok(review.status.and_then(|status| status.user_info?.username))
}

/// What the tool that asks may use in its own namespace; gives the names of what it may not read.
async fn own(client: &Client, tool: &ToolName, index: &mut GrantIndex) -> kube::Result<Vec<String>> {
    let namespace = tool.namespace().to_string();
    let asked = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec {
            namespace: Some(namespace.clone()),
        },
        ..SelfSubjectRulesReview::default()
    };
    let review = Api::all(client.clone())
        .create(&PostParams::default(), &asked)
        .await?;
    let rules = review
        .status
        .map(|status| status.resource_rules)
        .unwrap_or_default();
    let rules = rules.into_iter().map(|rule| PolicyRule {
        api_groups: rule.api_groups,
        resources: rule.resources,
        resource_names: rule.resource_names,
        verbs: rule.verbs,
        ..PolicyRule::default()
    });
    put_own(index, tool, &namespace, rules.collect());
    let mut hidden = Vec::new();
    match index.given_in(&namespace) {
        Some(names) => {
            for name in names {
                match unless_forbidden(policies(client).get_opt(&name).await)? {
                    Some(Some(policy)) => put_policy(index, &policy),
                    Some(None) => {}
                    None => hidden.push(name),
                }
            }
        }
        None => match unless_forbidden(policies(client).list(&ListParams::default()).await)? {
            Some(all) => all.iter().for_each(|policy| put_policy(index, policy)),
            None => hidden.push("*".to_owned()),
        },
    }
    Ok(hidden)
}

/// The rights of the tool in its namespace, wherever they are from, as a role and its binding.
fn put_own(index: &mut GrantIndex, tool: &ToolName, namespace: &str, rules: Vec<PolicyRule>) {
    let metadata = ObjectMeta {
        name: Some(OWN.to_owned()),
        namespace: Some(namespace.to_owned()),
        ..ObjectMeta::default()
    };
    index.put_role(&Role {
        metadata: metadata.clone(),
        rules: Some(rules),
    });
    index.put_binding(&RoleBinding {
        metadata,
        role_ref: RoleRef {
            kind: "Role".to_owned(),
            name: OWN.to_owned(),
            ..RoleRef::default()
        },
        subjects: Some(vec![Subject {
            kind: "User".to_owned(),
            name: tool.to_string(),
            ..Subject::default()
        }]),
    });
}

fn policies(client: &Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk(GROUP, VERSION, KIND);
    Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, PLURAL))
}

/// One that cannot be used is as good as not there, as it is to the webhook.
fn put_policy(index: &mut GrantIndex, object: &DynamicObject) {
    let policy = serde_json::to_value(object)
        .ok()
        .and_then(|object| PodSecurityPolicy::read(&object).ok());
    if let Some(policy) = policy {
        index.put_policy(policy);
    }
}
