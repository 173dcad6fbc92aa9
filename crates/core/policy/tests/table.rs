//! The table of adversarial cases, asked of the functions themselves.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "cases/table.rs"]
mod cases;

use serde::de::DeserializeOwned;
use serde_json::Value;
use toolforge_policy::{
    EndpointsPolicy, IngressPolicy, RegistryPolicy, ServicePolicy, Verdict, VolumesPolicy, Workload, Writer,
    admit_endpoint_slice, admit_endpoints, admit_images, admit_ingress, admit_service, admit_volumes,
};

use cases::{Case, Outcome, Settings, tables};

const SAFE: [&str; 2] = ["kube-system", "tool-fourohfour"];

struct Policies {
    ingress: IngressPolicy,
    registry: RegistryPolicy,
    service: ServicePolicy,
    endpoints: EndpointsPolicy,
    volumes: VolumesPolicy,
}

fn all<T: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[String]) -> Vec<T> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

impl Policies {
    fn of(settings: &Settings) -> Self {
        let safe = SAFE.map(str::to_owned);
        let ingress = IngressPolicy::new(all(&settings.domains), "toolforge", safe.clone()).unwrap();
        let registry = RegistryPolicy::new(all(&settings.registries), safe.clone()).unwrap();
        let volumes = VolumesPolicy::new(settings.mounts.clone(), safe.clone()).unwrap();
        Self {
            ingress: ingress.with_legacy_hosts(all(&settings.legacy_hosts)),
            registry: registry.with_digests_required_in(all(&settings.digests_required_in)),
            service: ServicePolicy {
                safe_namespaces: safe.clone().into(),
                allowed_types: settings.service_types.iter().cloned().collect(),
                external_ips: settings.service_external_ips,
            },
            endpoints: EndpointsPolicy {
                networks: all(&settings.endpoint_networks),
                safe_namespaces: safe.into(),
                ..EndpointsPolicy::default()
            },
            volumes: volumes.with_node_selector(settings.mount_node_selector.clone()),
        }
    }

    /// The verdict, or why there is none: what cannot be read is refused.
    fn verdict(&self, case: &Case) -> Result<Verdict, String> {
        let object: Value = serde_json::from_str(&case.body).map_err(|error| error.to_string())?;
        let namespace = case.namespace.as_str();
        let groups = ["toolforge".to_owned(), "system:authenticated".to_owned()];
        let writer = Writer {
            user: &case.writer,
            groups: &groups,
        };
        match (case.guard.as_str(), case.kind.kind.as_str()) {
            ("ingress", _) => Ok(admit_ingress(&self.ingress, namespace, &typed(object)?)),
            ("service", _) => Ok(admit_service(&self.service, namespace, &typed(object)?)),
            ("endpoints", "EndpointSlice") => Ok(admit_endpoint_slice(
                &self.endpoints,
                namespace,
                writer,
                &typed(object)?,
            )),
            ("endpoints", _) => Ok(admit_endpoints(
                &self.endpoints,
                namespace,
                writer,
                &typed(object)?,
            )),
            (guard, kind) => {
                let workload = Workload::read(kind, namespace, &object).map_err(|error| error.to_string())?;
                match guard {
                    "images" => Ok(admit_images(&self.registry, &workload)),
                    "volumes" => Ok(admit_volumes(&self.volumes, &workload)),
                    other => Err(format!("there is no guard {other}")),
                }
            }
        }
    }
}

fn typed<T: DeserializeOwned>(object: Value) -> Result<T, String> {
    serde_json::from_value(object).map_err(|error| error.to_string())
}

fn outcome(verdict: Result<Verdict, String>) -> Outcome {
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(message) => {
            return Outcome {
                allowed: false,
                message,
                rules: Some(vec!["unreadable".to_owned()]),
                warnings: None,
            };
        }
    };
    Outcome {
        allowed: verdict.is_allowed(),
        message: verdict.message(),
        rules: Some(
            verdict
                .offences()
                .iter()
                .map(|offence| offence.rule.to_owned())
                .collect(),
        ),
        warnings: Some(
            verdict
                .warnings()
                .iter()
                .map(|warning| warning.rule.to_owned())
                .collect(),
        ),
    }
}

#[test]
fn every_case_has_the_verdict_that_is_written_beside_it() {
    let mut complaints = Vec::new();
    let mut count = 0;
    for table in tables() {
        let policies = Policies::of(&table.settings);
        for case in &table.cases {
            count += 1;
            complaints.extend(case.complaint(table.file, &outcome(policies.verdict(case))));
        }
    }
    assert!(
        complaints.is_empty(),
        "{} of {count}:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
    assert!(count >= 300, "only {count} cases");
}
