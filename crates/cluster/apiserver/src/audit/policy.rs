//! Which requests are written, and how much of them. Pure: the first rule that matches counts.

use serde::Deserialize;

use crate::authn::User;
use crate::authz::Attributes;

/// How much is written of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) enum Level {
    /// Nothing.
    None,
    /// Who, what and when.
    Metadata,
    /// Also the body of the request.
    Request,
    /// Also that of the answer.
    RequestResponse,
}

impl Level {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Metadata => "Metadata",
            Self::Request => "Request",
            Self::RequestResponse => "RequestResponse",
        }
    }
}

/// When an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Stage {
    /// Before anything is done.
    RequestReceived,
    /// When a stream begins.
    ResponseStarted,
    /// When all is done.
    ResponseComplete,
    /// When the server failed.
    Panic,
}

impl Stage {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RequestReceived => "RequestReceived",
            Self::ResponseStarted => "ResponseStarted",
            Self::ResponseComplete => "ResponseComplete",
            Self::Panic => "Panic",
        }
    }
}

/// What the policy says of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) level: Level,
    pub(super) omit_stages: Vec<Stage>,
    pub(super) omit_managed_fields: bool,
}

/// A `Policy` of `audit.k8s.io/v1`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Policy {
    api_version: String,
    kind: String,
    #[serde(default, rename = "metadata")]
    _metadata: serde_json::Value,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    omit_stages: Vec<Stage>,
    #[serde(default)]
    omit_managed_fields: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    level: Level,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    user_groups: Vec<String>,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    resources: Vec<GroupResources>,
    #[serde(default)]
    namespaces: Vec<String>,
    #[serde(default, rename = "nonResourceURLs")]
    non_resource_urls: Vec<String>,
    #[serde(default)]
    omit_stages: Vec<Stage>,
    #[serde(default)]
    omit_managed_fields: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GroupResources {
    #[serde(default)]
    group: String,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    resource_names: Vec<String>,
}

/// What holds when nobody says otherwise.
const DEFAULT: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  resources: [{group: coordination.k8s.io, resources: [leases]}]
- level: Metadata
";

impl Default for Policy {
    fn default() -> Self {
        Self::read(DEFAULT).expect("it is read in a test")
    }
}

impl Policy {
    /// Reads a policy, in YAML or JSON.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let policy: Self = serde_saphyr::from_str(text).map_err(|problem| problem.to_string())?;
        if (policy.api_version.as_str(), policy.kind.as_str()) != ("audit.k8s.io/v1", "Policy") {
            return Err(format!(
                "it is a {} of {}, not a Policy of audit.k8s.io/v1",
                policy.kind, policy.api_version
            ));
        }
        if policy.rules.is_empty() {
            return Err("it has no rules, so nothing would be written".to_owned());
        }
        Ok(policy)
    }

    /// What is written of a request.
    pub(super) fn verdict(&self, user: &User, wanted: &Attributes) -> Verdict {
        let rule = self.rules.iter().find(|rule| rule.matches(user, wanted));
        let level = rule.map_or(Level::None, |rule| rule.level);
        let mut omit_stages = self.omit_stages.clone();
        omit_stages.extend(rule.iter().flat_map(|rule| rule.omit_stages.iter().copied()));
        Verdict {
            level: level.min(most(wanted)),
            omit_stages,
            omit_managed_fields: rule
                .and_then(|rule| rule.omit_managed_fields)
                .unwrap_or(self.omit_managed_fields),
        }
    }
}

/// The most that may be written: of Secrets and tokens, and of what passes through to programs, that somebody asked.
fn most(wanted: &Attributes) -> Level {
    match (
        wanted.group.as_str(),
        wanted.resource.as_str(),
        wanted.subresource.as_str(),
    ) {
        ("", "secrets", _)
        | ("", "serviceaccounts", "token")
        | ("authentication.k8s.io", "tokenreviews", _)
        | (_, _, "exec" | "attach" | "portforward" | "proxy") => Level::Metadata,
        _ => Level::RequestResponse,
    }
}

impl Rule {
    fn matches(&self, user: &User, wanted: &Attributes) -> bool {
        let has = |list: &[String], text: &str| list.is_empty() || list.iter().any(|found| found == text);
        let in_groups =
            self.user_groups.is_empty() || user.groups.iter().any(|group| has(&self.user_groups, group));
        if !has(&self.users, &user.name) || !in_groups || !has(&self.verbs, &wanted.verb) {
            return false;
        }
        if !self.namespaces.is_empty() || !self.resources.is_empty() {
            return wanted.path.is_none()
                && has(&self.namespaces, &wanted.namespace)
                && (self.resources.is_empty() || self.resources.iter().any(|found| found.matches(wanted)));
        }
        if self.non_resource_urls.is_empty() {
            return true;
        }
        wanted.path.as_ref().is_some_and(|path| {
            self.non_resource_urls
                .iter()
                .any(|pattern| match pattern.strip_suffix('*') {
                    Some(prefix) => path.starts_with(prefix),
                    None => path == pattern,
                })
        })
    }
}

impl GroupResources {
    fn matches(&self, wanted: &Attributes) -> bool {
        if self.group != wanted.group {
            return false;
        }
        if self.resources.is_empty() {
            return true;
        }
        let named = self.resource_names.is_empty() || self.resource_names.contains(&wanted.name);
        named
            && self
                .resources
                .iter()
                .any(|pattern| match pattern.split_once('/') {
                    None => pattern == "*" || (pattern == &wanted.resource && wanted.subresource.is_empty()),
                    Some((resource, below)) => {
                        !wanted.subresource.is_empty()
                            && (resource == "*" || resource == wanted.resource)
                            && (below == "*" || below == wanted.subresource)
                    }
                })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(verb: &str, group: &str, resource: &str) -> Attributes {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        Attributes {
            verb: verb.into(),
            group: group.into(),
            resource: resource.into(),
            subresource: subresource.into(),
            namespace: "a".into(),
            name: "x".into(),
            ..Attributes::default()
        }
    }

    #[test]
    fn the_first_rule_that_matches_counts() {
        let policy = Policy::read(
            "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: [ada], verbs: [get]}
- {level: Request, resources: [{group: '', resources: [pods, 'pods/log']}], omitStages: [ResponseStarted], omitManagedFields: true}
- {level: RequestResponse, userGroups: [admins], namespaces: [a]}
- {level: Metadata, nonResourceURLs: ['/api*']}
",
        )
        .unwrap();
        let ada = User::authenticated("ada", &[]);
        let bob = User::authenticated("bob", &["admins"]);
        let level = |user: &User, wanted: Attributes| policy.verdict(user, &wanted).level;
        assert_eq!(level(&ada, asks("get", "", "pods")), Level::None);
        assert_eq!(level(&ada, asks("list", "", "pods")), Level::Request);
        assert_eq!(level(&ada, asks("list", "", "pods/log")), Level::Request);
        assert_eq!(level(&ada, asks("list", "", "pods/status")), Level::None);
        assert_eq!(
            level(&bob, asks("create", "apps", "deployments")),
            Level::RequestResponse
        );
        assert_eq!(level(&bob, asks("create", "", "secrets")), Level::Metadata);
        assert_eq!(
            level(&bob, asks("create", "", "serviceaccounts/token")),
            Level::Metadata
        );
        assert_eq!(level(&bob, asks("create", "", "pods/proxy")), Level::Metadata);
        let path = Attributes {
            verb: "list".into(),
            path: Some("/apis".into()),
            ..Attributes::default()
        };
        assert_eq!(level(&bob, path), Level::Metadata);
        let verdict = policy.verdict(&ada, &asks("list", "", "pods"));
        assert_eq!(
            verdict.omit_stages,
            [Stage::RequestReceived, Stage::ResponseStarted]
        );
        assert!(verdict.omit_managed_fields);
    }

    #[test]
    fn the_default_is_metadata_of_all_but_leases() {
        let policy = Policy::default();
        let user = User::authenticated("ada", &[]);
        assert_eq!(
            policy.verdict(&user, &asks("get", "", "pods")).level,
            Level::Metadata
        );
        let lease = asks("update", "coordination.k8s.io", "leases");
        assert_eq!(policy.verdict(&user, &lease).level, Level::None);
    }

    #[test]
    fn what_is_no_policy_is_refused_with_a_reason() {
        for text in [
            "",
            "kind: Policy",
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []",
            "apiVersion: audit.k8s.io/v1beta1\nkind: Policy\nrules: [{level: None}]",
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Some}]",
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None, user: [a]}]",
        ] {
            assert!(Policy::read(text).is_err(), "{text}");
        }
    }
}
