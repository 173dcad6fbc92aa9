//! Quotas: how much of what a namespace has used.

use k8s_openapi::api::core::v1::ResourceQuota;
use serde::Serialize;
use toolforge_model::Quantity;

/// One quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuotaSeen {
    #[serde(skip)]
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) lines: Vec<QuotaLine>,
}

/// One resource of a quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuotaLine {
    pub(crate) resource: String,
    pub(crate) used: String,
    pub(crate) hard: String,
    /// 0 to 100; more where a quota was lowered below what is used.
    pub(crate) percent: u32,
}

impl From<ResourceQuota> for QuotaSeen {
    fn from(quota: ResourceQuota) -> Self {
        let status = quota.status.unwrap_or_default();
        let used = status.used.unwrap_or_default();
        let lines = status
            .hard
            .unwrap_or_default()
            .into_iter()
            .map(|(resource, hard)| {
                let used = used.get(&resource).map_or("0", |quantity| quantity.0.as_str());
                QuotaLine {
                    percent: percent(used, &hard.0),
                    used: used.to_owned(),
                    hard: hard.0,
                    resource,
                }
            });
        Self {
            lines: lines.collect(),
            namespace: quota.metadata.namespace.unwrap_or_default(),
            name: quota.metadata.name.unwrap_or_default(),
        }
    }
}

/// Of a quota of nothing, nothing is used, or more than all.
fn percent(used: &str, hard: &str) -> u32 {
    let nanos = |text: &str| text.parse::<Quantity>().map_or(0, Quantity::nanos);
    match (nanos(used), nanos(hard)) {
        (0, _) => 0,
        (_, hard) if hard <= 0 => 101,
        (used, hard) => u32::try_from(used * 100 / hard).unwrap_or(u32::MAX),
    }
}
