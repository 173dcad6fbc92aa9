//! What an author should know of an object that is valid all the same: deprecated fields, and fields that will not do
//! what they seem to. The API server sends it as `Warning` headers, in the words of Kubernetes.

use serde_json::Value;

use crate::kind::Kind;
use crate::validation::names;
use crate::value::{Read as _, int_at, list_at, text_at};

/// Labels of nodes that have other names today: the old one, its last version, the new one.
const OLD_NODE_LABELS: &[(&str, &str, &str)] = &[
    ("beta.kubernetes.io/arch", "1.14", "kubernetes.io/arch"),
    ("beta.kubernetes.io/os", "1.14", "kubernetes.io/os"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "1.17",
        "topology.kubernetes.io/region",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "1.17",
        "topology.kubernetes.io/zone",
    ),
    (
        "beta.kubernetes.io/instance-type",
        "1.17",
        "node.kubernetes.io/instance-type",
    ),
];

/// The annotation that chose an Ingress's class before there was a field for it.
const OLD_CLASS: &str = "kubernetes.io/ingress.class";

/// Warnings about a new object, or about one whose content has changed.
pub fn warnings(kind: &Kind, object: &Value) -> Vec<String> {
    let mut told = Vec::new();
    match kind.key() {
        ("", "Pod") => {
            host_name(object, &mut told);
            pod(&object["spec"], "spec", &mut told);
        }
        ("", "Service") => service(&object["spec"], &mut told),
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet") | ("batch", "Job") => {
            template(object, &["spec", "template", "spec"], &mut told);
        }
        ("batch", "CronJob") => {
            let path = ["spec", "jobTemplate", "spec", "template", "spec"];
            template(object, &path, &mut told);
        }
        ("networking.k8s.io", "Ingress") if object.at(&["metadata", "annotations", OLD_CLASS]).is_some() => {
            told.push(format!(
                "annotation {OLD_CLASS:?} is deprecated, please use 'spec.ingressClassName' instead"
            ));
        }
        _ => {}
    }
    told
}

fn template(object: &Value, path: &[&str], told: &mut Vec<String>) {
    if let Some(spec) = object.at(path) {
        pod(spec, &path.join("."), told);
    }
}

/// A Pod's name is its host's name, which ought to be a single label.
fn host_name(object: &Value, told: &mut Vec<String>) {
    let problems = names::label(text_at(object, &["metadata", "name"]));
    if !problems.is_empty() && text_at(object, &["spec", "hostname"]).is_empty() {
        told.push(format!(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is \
             recommended: [{}]",
            problems.join(" ")
        ));
    }
}

fn pod(spec: &Value, path: &str, told: &mut Vec<String>) {
    for (old, until, new) in OLD_NODE_LABELS {
        if spec.at(&["nodeSelector", old]).is_some() {
            told.push(format!(
                "{path}.nodeSelector[{old}]: deprecated since v{until}; use \"{new}\" instead"
            ));
        }
    }
    for list in ["initContainers", "containers"] {
        for (index, container) in spec.list(list).iter().enumerate() {
            let path = format!("{path}.{list}[{index}]");
            double_variables(container, &path, told);
            double_ports(container, &path, told);
        }
    }
    for (index, secret) in spec.list("imagePullSecrets").iter().enumerate() {
        if secret.text("name").is_empty() {
            told.push(format!(
                "{path}.imagePullSecrets[{index}]: invalid empty name \"\""
            ));
        }
    }
    if int_at(spec, &["terminationGracePeriodSeconds"]).is_some_and(|seconds| seconds < 0) {
        told.push(format!(
            "{path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
        ));
    }
}

fn double_variables(container: &Value, path: &str, told: &mut Vec<String>) {
    let variables = list_at(container, &["env"]);
    for (index, variable) in variables.iter().enumerate() {
        let name = variable.text("name");
        if variables[..index]
            .iter()
            .any(|before| before.text("name") == name)
        {
            told.push(format!(
                "{path}.env[{index}]: hides previous definition of {name:?}, which may be dropped when using apply"
            ));
        }
    }
}

fn double_ports(container: &Value, path: &str, told: &mut Vec<String>) {
    let ports = list_at(container, &["ports"]);
    let what = |port: &Value| {
        let numbers = ["containerPort", "hostPort"].map(|key| port.int(key).unwrap_or(0));
        let words = ["protocol", "hostIP"].map(|key| port.text(key).to_owned());
        (numbers, words)
    };
    for (index, port) in ports.iter().enumerate() {
        let first = ports[..index]
            .iter()
            .position(|before| what(before) == what(port));
        if let Some(first) = first {
            told.push(format!(
                "{path}.ports[{index}]: duplicate port definition with {path}.ports[{first}]"
            ));
        }
    }
}

/// A headless Service hands its Pods' addresses out; there is nothing that could act on what is said of one address.
fn service(spec: &Value, told: &mut Vec<String>) {
    if spec.text("clusterIP") != "None" {
        return;
    }
    if !spec.text("loadBalancerIP").is_empty() {
        told.push("spec.loadBalancerIP is ignored for headless services".to_owned());
    }
    if !spec.list("externalIPs").is_empty() {
        told.push("spec.externalIPs is ignored for headless services".to_owned());
    }
    if !matches!(spec.text("sessionAffinity"), "" | "None") {
        told.push("spec.SessionAffinity is ignored for headless services".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::by_kind;

    #[test]
    fn warns_in_the_words_of_kubernetes() {
        let container = json!({"name": "c",
            "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
            "ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "TCP"}]});
        let cases = [
            (
                ("", "Pod"),
                json!({"metadata": {"name": "a.b"}, "spec": {"nodeSelector": {"beta.kubernetes.io/os": "linux"}}}),
                "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [",
            ),
            (
                ("", "Pod"),
                json!({"metadata": {"name": "a"}, "spec": {"nodeSelector": {"beta.kubernetes.io/os": "linux"}}}),
                "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead",
            ),
            (
                ("apps", "Deployment"),
                json!({"spec": {"template": {"spec": {"containers": [container]}}}}),
                "spec.template.spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using apply",
            ),
            (
                ("batch", "CronJob"),
                json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": -1}}}}}}),
                "spec.jobTemplate.spec.template.spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1",
            ),
            (
                ("", "Service"),
                json!({"spec": {"clusterIP": "None", "sessionAffinity": "ClientIP"}}),
                "spec.SessionAffinity is ignored for headless services",
            ),
            (
                ("networking.k8s.io", "Ingress"),
                json!({"metadata": {"annotations": {"kubernetes.io/ingress.class": "x"}}}),
                "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead",
            ),
        ];
        for ((group, kind), object, expected) in cases {
            let told = warnings(by_kind(group, "v1", kind).unwrap(), &object);
            assert!(told.iter().any(|told| told.starts_with(expected)), "{told:?}");
        }
        let pod = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c"}]}});
        assert!(warnings(by_kind("", "v1", "Pod").unwrap(), &pod).is_empty());
    }
}
