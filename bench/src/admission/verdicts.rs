//! What a verdict costs by itself: from the object as JSON to the verdict, in this process.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use k8s_openapi::api::{core::v1::Service, networking::v1::Ingress};
use serde::Deserialize as _;
use serde_json::Value;
use toolforge_model::ToolAccount;
use toolforge_policy::{
    Policies, PolicySettings, Workload, admit_images, admit_ingress, admit_service, admit_volumes,
    psp::{Phase, Who, judge_pod, tool_policy},
};

use super::reviews::{self, NAMESPACE};
use crate::figures::shown;

/// How long each guard is measured.
const MEASURED: Duration = Duration::from_secs(1);

/// Measures and prints the time of each guard.
pub(crate) fn measure(account: &ToolAccount) -> anyhow::Result<()> {
    let policies = PolicySettings::with("toolforge.org", "registry.example").resolve()?;
    let (ingress, service, pod) = (reviews::ingress(), reviews::service(), reviews::pod(account));
    println!("one verdict, from the parsed review on:");
    time("ingress", || {
        Ok(admit_ingress(&policies.ingress, NAMESPACE, &Ingress::deserialize(&ingress)?).is_allowed())
    })?;
    time("images", || {
        Ok(admit_images(&policies.registry, &workload(&pod)?).is_allowed())
    })?;
    time("volumes", || {
        Ok(admit_volumes(&policies.volumes, &workload(&pod)?).is_allowed())
    })?;
    time("service", || {
        Ok(admit_service(&policies.service, NAMESPACE, &Service::deserialize(&service)?).is_allowed())
    })?;
    time("pod", || of_pod(&policies, account, &pod))
}

fn of_pod(policies: &Policies, account: &ToolAccount, pod: &Value) -> anyhow::Result<bool> {
    let policy = tool_policy(&"hello".parse()?, account, &policies.pod);
    let who = Who { user: "", tool: true };
    let workload = workload(pod)?;
    Ok(judge_pod(vec![&policy], who, &workload, Phase::Final)
        .verdict()
        .is_allowed())
}

fn workload(object: &Value) -> anyhow::Result<Workload> {
    Ok(Workload::read("Pod", NAMESPACE, object)?)
}

fn time(name: &str, verdict: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    anyhow::ensure!(verdict()?, "the {name} guard refuses what it is measured with");
    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < MEASURED {
        for _ in 0..100 {
            black_box(verdict()?);
        }
        count += 100;
    }
    let each = began.elapsed().as_secs_f64() * 1e6 / f64::from(count);
    println!("  {name:<10} {} µs", shown(each));
    Ok(())
}
