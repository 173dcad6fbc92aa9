//! What a verdict, and what is given to a Pod, costs by itself: from the object as JSON on, in this process.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use k8s_openapi::api::{core::v1::Service, networking::v1::Ingress};
use serde::Deserialize as _;
use serde_json::Value;
use toolforge_model::ToolAccount;
use toolforge_policy::{
    PolicySettings, Workload, admit_images, admit_ingress, admit_service, admit_volumes, forgo_token,
    mutate_volumes,
    psp::{Phase, PodSecurityPolicy, Who, judge_pod, tool_policy},
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
    // The webhook has its policies read before it is asked.
    let policy = tool_policy(&"hello".parse()?, account, &policies.pod);
    time("pod", || of_pod(&policy, &pod))?;
    let bare = reviews::bare_pod(account);
    println!("what one Pod gets, from the parsed review on to the changes:");
    time("volumes", || {
        Ok(!mutate_volumes(&policies.volumes, account, &workload(&bare)?, None).is_empty())
    })?;
    time("pod", || gives_pod(&policy, &bare))
}

fn of_pod(policy: &PodSecurityPolicy, pod: &Value) -> anyhow::Result<bool> {
    let who = Who { user: "", tool: true };
    let workload = workload(pod)?;
    Ok(judge_pod(vec![policy], who, &workload, Phase::Final)
        .verdict()
        .is_allowed())
}

/// Whether the mutating guard of Pods lets it in and gives it something.
fn gives_pod(policy: &PodSecurityPolicy, pod: &Value) -> anyhow::Result<bool> {
    let who = Who { user: "", tool: true };
    let mut workload = workload(pod)?;
    let forgone = forgo_token(&mut workload);
    let completion = judge_pod(vec![policy], who, &workload, Phase::Create).completion();
    Ok(!forgone.and_then(completion).is_empty())
}

fn workload(object: &Value) -> anyhow::Result<Workload> {
    Ok(Workload::read("Pod", NAMESPACE, object)?)
}

fn time(name: &str, verdict: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    anyhow::ensure!(
        verdict()?,
        "the {name} guard refuses what it is measured with, or changes nothing of it"
    );
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
