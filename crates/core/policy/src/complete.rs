//! What the platform makes of a Pod, and of the Pods of a workload, before the guards judge them: the mutating guards in
//! their order, as a value.

use std::sync::Arc;

use serde_json::Value;
use toolforge_model::ToolAccount;

use crate::psp::{Phase, PodSecurityPolicy, Who, judge_pod};
use crate::workload::template_of;
use crate::{Policies, Workload, admit_volumes, forgo_token, mutate_volumes};

/// Who makes a Pod, and by which policies.
#[derive(Clone, Copy, Debug)]
pub struct Making<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// The account of the tool whose namespace that is; none when it is no tool's.
    pub account: Option<&'a ToolAccount>,
    /// The Pod security policies that its maker or its service account may use.
    pub pod_policies: &'a [Arc<PodSecurityPolicy>],
}

/// A Pod as it will run: with everything that it gets from the platform.
///
/// What is no Pod by its shape, or is refused, comes back as far as it was completed; the guards say what is wrong with it.
pub fn completed_pod(policies: &Policies, making: Making<'_>, pod: &Value) -> Value {
    let namespace = making.namespace;
    let mut pod = pod.clone();
    if let Some(account) = making.account {
        give_volumes(policies, namespace, account, &mut pod);
    }
    if !policies.pod_safe_namespaces.contains(namespace)
        && let Ok(mut workload) = Workload::read("Pod", namespace, &pod)
    {
        if making.account.is_some() {
            forgo_token(&mut workload).make_in(&mut pod);
        }
        let usable = making.pod_policies.iter().map(Arc::as_ref).collect();
        let who = Who {
            user: "",
            tool: making.account.is_some(),
        };
        let judgement = judge_pod(usable, who, &workload, Phase::Create);
        judgement.completion().make_in(&mut pod);
    }
    pod
}

fn give_volumes(policies: &Policies, namespace: &str, account: &ToolAccount, pod: &mut Value) {
    let Ok(workload) = Workload::read("Pod", namespace, &*pod) else {
        return;
    };
    let volumes = &policies.volumes;
    if volumes.gives_to(&workload) && admit_volumes(volumes, &workload).is_allowed() {
        mutate_volumes(volumes, account, &workload, None).make_in(pod);
    }
}

/// The Pod that a controller makes from the template of a workload; none when the kind has no template.
pub fn pod_of_template(kind: &str, namespace: &str, object: &Value) -> Option<Value> {
    let place = template_of(kind)?;
    let template = object.pointer(place.template).filter(|_| kind != "Pod")?;
    let mut pod = template.clone();
    let fields = pod.as_object_mut()?;
    fields.insert("apiVersion".to_owned(), "v1".into());
    fields.insert("kind".to_owned(), "Pod".into());
    let metadata = fields
        .entry("metadata")
        .or_insert_with(|| Value::Object(serde_json::Map::new()));
    if metadata.is_null() {
        *metadata = Value::Object(serde_json::Map::new());
    }
    let metadata = metadata.as_object_mut()?;
    metadata.insert("namespace".to_owned(), namespace.into());
    if let Some(name) = object.pointer("/metadata/name").and_then(Value::as_str) {
        metadata.insert("generateName".to_owned(), format!("{name}-").into());
    }
    Some(pod)
}

/// The workload with the specification that its Pods will have.
pub fn with_completed_template(kind: &str, object: &Value, pod: &Value) -> Value {
    let mut completed = object.clone();
    if let (Some(place), Some(spec)) = (template_of(kind), pod.get("spec"))
        && let Some(found) = completed.pointer_mut(place.spec)
    {
        *found = spec.clone();
    }
    completed
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use toolforge_model::ToolAccount;

    use super::{Making, completed_pod, pod_of_template, with_completed_template};
    use crate::PolicySettings;
    use crate::psp::tool_policy;

    #[test]
    fn the_pods_of_a_workload_get_what_pods_get() {
        let policies = PolicySettings::with("toolforge.org", "r.example")
            .resolve()
            .unwrap();
        let tool = "alpha".parse().unwrap();
        let account = ToolAccount {
            uid: 52_001,
            home: "/data/project/alpha".to_owned(),
        };
        let usable = [Arc::new(tool_policy(&tool, &account, &policies.pod))];
        let making = Making {
            namespace: "tool-alpha",
            account: Some(&account),
            pod_policies: &usable,
        };
        let template = json!({"metadata": {"labels": {"a": "b", "toolforge": "tool"}}, "spec": {"containers": [{"name": "c"}]}});
        for (kind, object, pointer) in [
            (
                "Deployment",
                json!({"metadata": {"name": "web"}, "spec": {"template": template}}),
                "/spec/template/spec",
            ),
            (
                "PodTemplate",
                json!({"metadata": {"name": "web"}, "template": template}),
                "/template/spec",
            ),
            (
                "CronJob",
                json!({"metadata": {"name": "web"}, "spec": {"jobTemplate": {"spec": {"template": template}}}}),
                "/spec/jobTemplate/spec/template/spec",
            ),
        ] {
            let pod = pod_of_template(kind, "tool-alpha", &object).unwrap();
            assert_eq!(pod["metadata"]["generateName"], "web-");
            assert_eq!(pod["metadata"]["labels"]["a"], "b");
            let pod = completed_pod(&policies, making, &pod);
            let context = &pod["spec"]["containers"][0]["securityContext"];
            assert_eq!(context["runAsUser"], 52_001);
            assert_eq!(pod["spec"]["containers"][0]["env"][0]["name"], "HOME");
            assert_eq!(completed_pod(&policies, making, &pod), pod);
            let shown = with_completed_template(kind, &object, &pod);
            assert_eq!(shown.pointer(pointer), Some(&pod["spec"]));
            assert_eq!(shown["metadata"], object["metadata"]);
        }
    }

    #[test]
    fn what_has_no_template_has_no_pods() {
        for (kind, object) in [
            ("Pod", json!({"spec": {}})),
            ("Service", json!({"spec": {}})),
            ("Deployment", json!({"spec": {}})),
            ("Deployment", json!({"spec": {"template": "none"}})),
            ("Deployment", json!({"spec": {"template": {"metadata": 1}}})),
        ] {
            assert_eq!(
                pod_of_template(kind, "tool-alpha", &object),
                None,
                "{kind} {object}"
            );
        }
    }
}
