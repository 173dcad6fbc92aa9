//! Webhooks as their configurations define them.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;

use super::review::Version;
use crate::selector::LabelSelector;
use crate::world::World;

/// The API group of the configurations.
pub(super) const GROUP: &str = "admissionregistration.k8s.io";

/// How long a webhook may take when its configuration does not say, in seconds; as in Kubernetes.
const DEFAULT_TIMEOUT_SECONDS: u64 = 10;

/// The longest that a configuration may allow, in seconds; as in Kubernetes.
const MAX_TIMEOUT_SECONDS: u64 = 30;

/// Which of the two kinds of webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Mutating,
    Validating,
}

impl Phase {
    fn plural(self) -> &'static str {
        match self {
            Self::Mutating => "mutatingwebhookconfigurations",
            Self::Validating => "validatingwebhookconfigurations",
        }
    }
}

/// One webhook.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Webhook {
    pub(crate) name: String,
    pub(crate) client_config: ClientConfig,
    #[serde(default)]
    pub(crate) rules: Option<Vec<Rule>>,
    #[serde(default)]
    pub(crate) failure_policy: Option<FailurePolicy>,
    #[serde(default)]
    pub(crate) match_policy: Option<MatchPolicy>,
    #[serde(default)]
    pub(crate) namespace_selector: Option<LabelSelector>,
    #[serde(default)]
    pub(crate) object_selector: Option<LabelSelector>,
    #[serde(default)]
    pub(crate) match_conditions: Option<Vec<Condition>>,
    #[serde(default)]
    pub(crate) side_effects: Option<String>,
    #[serde(default)]
    admission_review_versions: Vec<String>,
    #[serde(default)]
    timeout_seconds: Option<u64>,
    #[serde(default)]
    pub(crate) reinvocation_policy: Option<ReinvocationPolicy>,
    /// The name of the configuration that it stands in; connections are kept by it.
    #[serde(skip)]
    pub(crate) configuration: String,
}

impl Webhook {
    /// How long the webhook may take.
    pub(crate) fn timeout_seconds(&self) -> u64 {
        self.timeout_seconds
            .unwrap_or(DEFAULT_TIMEOUT_SECONDS)
            .clamp(1, MAX_TIMEOUT_SECONDS)
    }

    /// The version of reviews that it is asked in.
    pub(super) fn review_version(&self) -> Version {
        Version::of(&self.admission_review_versions)
    }

    /// Whether it has conditions.
    pub(crate) fn has_conditions(&self) -> bool {
        self.match_conditions
            .as_ref()
            .is_some_and(|list| !list.is_empty())
    }

    /// Whether a request that will not be stored may be sent to it.
    pub(crate) fn may_run_dry(&self) -> bool {
        matches!(self.side_effects.as_deref(), Some("None" | "NoneOnDryRun"))
    }
}

/// Where a webhook listens, and whom to trust about it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClientConfig {
    #[serde(default)]
    pub(crate) url: Option<String>,
    #[serde(default)]
    pub(crate) service: Option<ServiceReference>,
    /// PEM in base64.
    #[serde(default)]
    pub(crate) ca_bundle: Option<String>,
}

/// A webhook behind a Service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ServiceReference {
    pub(crate) namespace: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) path: Option<String>,
    #[serde(default)]
    pub(crate) port: Option<u16>,
}

/// An expression that must be true for a webhook to be asked.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Condition {
    pub(crate) expression: String,
}

/// Which requests a webhook wants to see.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Rule {
    pub(crate) operations: Vec<String>,
    pub(crate) api_groups: Vec<String>,
    pub(crate) api_versions: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) scope: Option<Scope>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Scope {
    #[serde(rename = "*")]
    All,
    Namespaced,
    Cluster,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum FailurePolicy {
    Ignore,
    Fail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum MatchPolicy {
    Exact,
    Equivalent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum ReinvocationPolicy {
    Never,
    IfNeeded,
}

/// A configuration that cannot be read: nobody knows whom to ask, so nobody may pass.
#[derive(Debug, thiserror::Error)]
#[error("webhook configuration {configuration:?} cannot be read: {source}; correct it or delete it")]
pub(crate) struct UnreadableConfiguration {
    configuration: String,
    source: serde_json::Error,
}

/// The webhooks of the phases as they were read last.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    mutating: Mutex<Option<Read>>,
    validating: Mutex<Option<Read>>,
}

/// In which state of the world they were read, and what was read.
#[derive(Debug)]
struct Read {
    changed: u64,
    webhooks: Arc<Vec<Webhook>>,
}

impl Definitions {
    /// All webhooks of a phase as they are now. They are asked for with every write, and read when they have changed.
    pub(crate) fn all(
        &self,
        world: &dyn World,
        phase: Phase,
    ) -> Result<Arc<Vec<Webhook>>, UnreadableConfiguration> {
        let known = match phase {
            Phase::Mutating => &self.mutating,
            Phase::Validating => &self.validating,
        };
        // Asked before they are read: a change in between makes the next one read them again.
        let changed = world.changed(GROUP, phase.plural());
        let mut known = known.lock();
        if let (Some(read), Some(changed)) = (known.as_ref(), changed)
            && read.changed == changed
        {
            return Ok(read.webhooks.clone());
        }
        let webhooks = Arc::new(all(world, phase)?);
        *known = changed.map(|changed| Read {
            changed,
            webhooks: webhooks.clone(),
        });
        Ok(webhooks)
    }
}

/// All webhooks of a phase: configurations by name, and each one's webhooks in their order.
fn all(world: &dyn World, phase: Phase) -> Result<Vec<Webhook>, UnreadableConfiguration> {
    let mut configurations = world.list(GROUP, phase.plural(), None);
    configurations.sort_by(|a, b| name_of(a).cmp(name_of(b)));
    let mut webhooks = Vec::new();
    for configuration in &configurations {
        webhooks.extend(read(configuration)?);
    }
    Ok(webhooks)
}

fn read(configuration: &Arc<Value>) -> Result<Vec<Webhook>, UnreadableConfiguration> {
    let Some(webhooks) = configuration.get("webhooks").and_then(Value::as_array) else {
        return Ok(Vec::new());
    };
    let name = name_of(configuration);
    let unreadable = |source| UnreadableConfiguration {
        configuration: name.to_owned(),
        source,
    };
    webhooks
        .iter()
        .map(|webhook| Webhook::deserialize(webhook).map_err(unreadable))
        .map(|webhook| {
            webhook.map(|webhook| Webhook {
                configuration: name.to_owned(),
                ..webhook
            })
        })
        .collect()
}

fn name_of(object: &Value) -> &str {
    object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}
