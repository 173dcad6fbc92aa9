//! Tokens of service accounts in tools' Pods: there for Pods that ask for one.
//!
//! A tool has its own certificate in its home; the token would be a second identity that most programs have no use for.
//! Kubernetes adds its volume before any webhook is asked, so it is taken out again here.

use k8s_openapi::api::core::v1::{Container, PodSpec, Volume, VolumeMount};

use crate::Workload;
use crate::changes::Changes;

const AUTOMOUNT: &str = "automountServiceAccountToken";
/// How the names of volumes begin that Kubernetes adds.
const ADDED: &str = "kube-api-access-";
/// Where Kubernetes mounts them.
const PLACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Lets a Pod that says nothing about its token do without: the Pod is changed, and so may its object be by what comes
/// back. Doing it twice changes nothing.
pub fn forgo_token(pod: &mut Workload) -> Changes {
    let mut changes = Changes::default();
    if pod.is_pod() {
        forgo(pod.spec_mut(), &mut changes);
    }
    changes
}

fn forgo(spec: &mut PodSpec, changes: &mut Changes) {
    if spec.automount_service_account_token.is_some() {
        return;
    }
    spec.automount_service_account_token = Some(false);
    changes.add(&["spec", AUTOMOUNT], false);
    let init = spec.init_containers.as_deref_mut().unwrap_or_default();
    for (list, containers) in [("initContainers", init), ("containers", &mut spec.containers)] {
        for (i, container) in containers.iter_mut().enumerate() {
            let place = ["spec", list, &i.to_string(), "volumeMounts"];
            let goes = |mount: &VolumeMount| is_added(&mount.name) && mount.mount_path == PLACE;
            take_out(&mut container.volume_mounts, &place, goes, changes);
        }
    }
    if !is_mounted(spec) {
        let goes = |volume: &Volume| is_added(&volume.name) && volume.projected.is_some();
        take_out(&mut spec.volumes, &["spec", "volumes"], goes, changes);
    }
}

fn is_added(name: &str) -> bool {
    name.starts_with(ADDED)
}

/// Whether the Pod uses such a volume in another way, which then is its own.
fn is_mounted(spec: &PodSpec) -> bool {
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let mut mounts = containers.flat_map(|container: &Container| container.volume_mounts.iter().flatten());
    mounts.any(|mount| is_added(&mount.name))
}

/// Removes items of a list, and the list when nothing is left of it.
fn take_out<T>(list: &mut Option<Vec<T>>, place: &[&str], goes: impl Fn(&T) -> bool, changes: &mut Changes) {
    let Some(items) = list else {
        return;
    };
    let before = items.len();
    // From the end, so that those before stay where they are.
    let going: Vec<usize> = (0..before).rev().filter(|&i| goes(&items[i])).collect();
    items.retain(|item| !goes(item));
    if items.is_empty() && before > 0 {
        changes.remove(place);
        *list = None;
        return;
    }
    for i in going {
        let i = i.to_string();
        let place: Vec<&str> = place.iter().copied().chain([i.as_str()]).collect();
        changes.remove(&place);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(automount: &Value) -> Value {
        let mount = json!({"name": "kube-api-access-x", "readOnly": true, "mountPath": PLACE});
        let mounts = json!([{"name": "own", "mountPath": "/own"}, mount]);
        json!({
            AUTOMOUNT: automount,
            "initContainers": [{"name": "i", "volumeMounts": mounts}],
            "containers": [{"name": "c", "volumeMounts": [mount]}],
            "volumes": [{"name": "own", "emptyDir": {}}, {"name": "kube-api-access-x", "projected": {}}],
        })
    }

    fn forgone(spec: &Value) -> Value {
        let mut pod = json!({"spec": spec});
        let mut workload = Workload::read("Pod", "tool-alpha", &pod).unwrap();
        assert!(forgo_token(&mut workload).make_in(&mut pod));
        let changed = Workload::read("Pod", "tool-alpha", &pod).unwrap();
        assert_eq!(workload.spec(), changed.spec());
        assert!(forgo_token(&mut workload).is_empty());
        pod["spec"].take()
    }

    #[test]
    fn the_volume_that_was_added_goes() {
        assert_eq!(
            forgone(&pod(&Value::Null)),
            json!({
                AUTOMOUNT: false,
                "initContainers": [{"name": "i", "volumeMounts": [{"name": "own", "mountPath": "/own"}]}],
                "containers": [{"name": "c"}],
                "volumes": [{"name": "own", "emptyDir": {}}],
            })
        );
    }

    #[test]
    fn it_stays_where_the_pod_says_so_itself() {
        for said in [json!(true), json!(false)] {
            assert_eq!(forgone(&pod(&said)), pod(&said));
        }
    }

    #[test]
    fn a_pods_own_volume_stays() {
        let own = json!({
            "containers": [{"name": "c", "volumeMounts": [{"name": "kube-api-access-x", "mountPath": "/own"}]}],
            "volumes": [{"name": "kube-api-access-x", "projected": {}}],
        });
        let found = forgone(&own);
        assert_eq!(
            (&found["containers"], &found["volumes"]),
            (&own["containers"], &own["volumes"])
        );
    }
}
