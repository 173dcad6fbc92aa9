//! What single tools have more or less of than all: one reviewed file, `--overrides FILE`.
//!
//! Pure: text in, all problems or all overrides out. `desired.rs` asks what a tool's quota, limits and network policy are;
//! the file is the only place in which they are said, so what is taken out of it is taken back from the tool.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use toolforge_model::{Problems, Quantity, ToolName};

#[cfg(test)]
mod tests;

/// The quota of the original since August 2021 (its commit 262b907, keys of counts as fixed in a6f378d).
const QUOTA: [(&str, &str); 14] = [
    ("requests.cpu", "2"),
    ("limits.cpu", "2"),
    ("requests.memory", "6Gi"),
    ("limits.memory", "8Gi"),
    ("pods", "10"),
    ("services", "1"),
    ("services.nodeports", "0"),
    ("replicationcontrollers", "1"),
    ("secrets", "10"),
    ("configmaps", "10"),
    ("persistentvolumeclaims", "3"),
    ("count/cronjobs.batch", "50"),
    ("count/jobs.batch", "15"),
    ("count/deployments.apps", "3"),
];

/// Resources of a container that have limits.
const RESOURCES: [&str; 2] = ["cpu", "memory"];

/// The bounds of a container's resources, from the least to the most, with the original's values.
const BOUNDS: [(&str, &str, &str); 4] = [
    ("min", "50m", "100Mi"),
    ("defaultRequest", "150m", "256Mi"),
    ("default", "500m", "512Mi"),
    ("max", "1", "4Gi"),
];

/// The file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct File {
    network_policy: Option<Value>,
    tools: BTreeMap<String, Changes>,
}

/// What is said of one tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Changes {
    /// Why, for whoever reads the file.
    reason: String,
    quota: BTreeMap<String, Amount>,
    limits: BTreeMap<String, BTreeMap<String, Amount>>,
    network_policy: Option<Policy>,
    /// Whether its observing service account sees the whole cluster.
    observer: bool,
}

/// A quantity, also where it is written as a number.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Amount {
    Number(u64),
    Text(String),
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl Amount {
    /// As the API writes it, so that what is there and what is wanted compare.
    fn canonical(&self) -> String {
        let text = self.to_string();
        text.parse::<Quantity>()
            .map_or(text, |quantity| quantity.to_string())
    }
}

/// A network policy of its own, or none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Policy {
    None(bool),
    Own(Value),
}

/// Everything that is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines())]
pub struct OverridesError(pub Problems);

impl OverridesError {
    fn lines(&self) -> String {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }
}

/// What tools have, where it is not the default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    network_policy: Option<Value>,
    tools: BTreeMap<ToolName, Changes>,
}

impl Overrides {
    /// Reads and checks the text of a file; an empty one overrides nothing.
    ///
    /// # Errors
    /// With all that is wrong.
    pub fn read(text: &str) -> Result<Self, OverridesError> {
        let file: Option<File> = serde_saphyr::from_str(text).map_err(|error| {
            let mut problems = Problems::default();
            problems.add("", error.to_string());
            OverridesError(problems)
        })?;
        let file = file.unwrap_or_default();
        let mut problems = Problems::default();
        if let Some(policy) = &file.network_policy {
            check_policy("networkPolicy", policy, &mut problems);
        }
        let mut tools = BTreeMap::new();
        for (name, changes) in file.tools {
            let field = format!("tools.{name}");
            check(&field, &changes, &mut problems);
            match name.parse::<ToolName>() {
                Ok(name) => {
                    tools.insert(name, changes);
                }
                Err(error) => problems.add(field, error.to_string()),
            }
        }
        if problems.is_empty() {
            Ok(Self {
                network_policy: file.network_policy,
                tools,
            })
        } else {
            Err(OverridesError(problems))
        }
    }

    /// The tools that are named.
    pub fn tools(&self) -> impl Iterator<Item = &ToolName> {
        self.tools.keys()
    }

    /// Whether a tool is named.
    pub(crate) fn name(&self, tool: &ToolName) -> bool {
        self.tools.contains_key(tool)
    }

    /// Whether a tool has the same by both.
    pub(crate) fn gives_the_same(&self, other: &Self, tool: &ToolName) -> bool {
        self.quota(tool) == other.quota(tool)
            && self.limits(tool) == other.limits(tool)
            && self.network_policy(tool) == other.network_policy(tool)
            && self.observes(tool) == other.observes(tool)
    }

    /// A tool's quota: `spec.hard`.
    pub(crate) fn quota(&self, tool: &ToolName) -> Value {
        let mut hard: Map<String, Value> = QUOTA
            .iter()
            .map(|(key, amount)| ((*key).to_owned(), json!(amount)))
            .collect();
        for (key, amount) in self
            .tools
            .get(tool)
            .into_iter()
            .flat_map(|changes| &changes.quota)
        {
            hard.insert(key.clone(), json!(amount.canonical()));
        }
        Value::Object(hard)
    }

    /// A tool's limits of containers: one item of `spec.limits`.
    pub(crate) fn limits(&self, tool: &ToolName) -> Value {
        limits(self.tools.get(tool).unwrap_or(&Changes::default()))
    }

    /// Whether a tool may see the whole cluster.
    pub(crate) fn observes(&self, tool: &ToolName) -> bool {
        self.tools.get(tool).is_some_and(|changes| changes.observer)
    }

    /// The spec of a tool's network policy, where it has one.
    pub(crate) fn network_policy(&self, tool: &ToolName) -> Option<&Value> {
        match self
            .tools
            .get(tool)
            .and_then(|changes| changes.network_policy.as_ref())
        {
            Some(Policy::None(_)) => None,
            Some(Policy::Own(spec)) => Some(spec),
            None => self.network_policy.as_ref(),
        }
    }
}

fn limits(changes: &Changes) -> Value {
    let mut item = json!({ "type": "Container" });
    for (bound, cpu, memory) in BOUNDS {
        item[bound] = json!({ "cpu": cpu, "memory": memory });
        for (resource, amount) in changes.limits.get(bound).into_iter().flatten() {
            item[bound][resource] = json!(amount.canonical());
        }
    }
    item
}

fn check(field: &str, changes: &Changes, problems: &mut Problems) {
    let mut wrong = |field: String, rule: String| problems.add(field, rule);
    for (key, amount) in &changes.quota {
        let is_known = QUOTA.iter().any(|(known, _)| known == key) || is_count(key);
        if !is_known {
            wrong(
                format!("{field}.quota.{key}"),
                format!(
                    "is no key of the quota; there are {}, and count/RESOURCE.GROUP",
                    quota_keys()
                ),
            );
        }
        check_amount(format!("{field}.quota.{key}"), amount, &mut wrong);
    }
    for (bound, amounts) in &changes.limits {
        if !BOUNDS.iter().any(|(known, ..)| known == bound) {
            wrong(
                format!("{field}.limits.{bound}"),
                "is no bound; there are min, defaultRequest, default and max".to_owned(),
            );
        }
        for (resource, amount) in amounts {
            let place = format!("{field}.limits.{bound}.{resource}");
            if !RESOURCES.contains(&resource.as_str()) {
                wrong(
                    place.clone(),
                    "is no resource with limits; there are cpu and memory".to_owned(),
                );
            }
            check_amount(place, amount, &mut wrong);
        }
    }
    check_order(field, changes, &mut wrong);
    match &changes.network_policy {
        Some(Policy::None(true)) => wrong(
            format!("{field}.networkPolicy"),
            "is the spec of a NetworkPolicy, or false for none".to_owned(),
        ),
        Some(Policy::Own(spec)) => check_policy(&format!("{field}.networkPolicy"), spec, problems),
        _ => {}
    }
}

fn check_amount(field: String, amount: &Amount, wrong: &mut impl FnMut(String, String)) {
    match amount.to_string().parse::<Quantity>() {
        Ok(quantity) if quantity >= Quantity::ZERO => {}
        Ok(_) => wrong(field, "must not be less than nothing".to_owned()),
        Err(error) => wrong(field, error.to_string()),
    }
}

/// The bounds must stand in their order, or no Pod could be made.
fn check_order(field: &str, changes: &Changes, wrong: &mut impl FnMut(String, String)) {
    let item = limits(changes);
    for resource in RESOURCES {
        let amount = |bound: &str| item[bound][resource].as_str()?.parse::<Quantity>().ok();
        for pair in BOUNDS.windows(2) {
            let (low, high) = (pair[0].0, pair[1].0);
            if let (Some(least), Some(most)) = (amount(low), amount(high))
                && least > most
            {
                wrong(
                    format!("{field}.limits"),
                    format!(
                        "{low}.{resource} ({}) is above {high}.{resource} ({}); change both",
                        item[low][resource], item[high][resource]
                    ),
                );
            }
        }
    }
}

fn check_policy(field: &str, spec: &Value, problems: &mut Problems) {
    if let Err(error) =
        serde_json::from_value::<k8s_openapi::api::networking::v1::NetworkPolicySpec>(spec.clone())
    {
        problems.add(field, format!("is not the spec of a NetworkPolicy: {error}"));
    }
}

fn is_count(key: &str) -> bool {
    let resource = key.strip_prefix("count/").unwrap_or_default();
    !resource.is_empty()
        && resource
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
}

fn quota_keys() -> String {
    QUOTA.map(|(key, _)| key).join(", ")
}
