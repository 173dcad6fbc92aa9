use k8s_openapi::api::core::v1::{
    self, Container, ContainerPort, NodeCondition, NodeSpec, NodeStatus, PodSpec, ResourceRequirements,
    Taint, Toleration,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use kube::api::ObjectMeta;

use super::*;
use crate::scheduler::resources::{Side, of_pod};

fn amounts(pairs: &[(&str, &str)]) -> BTreeMap<String, Written> {
    pairs
        .iter()
        .map(|(name, text)| ((*name).to_owned(), Written((*text).to_owned())))
        .collect()
}

fn node(name: &str) -> Node {
    Node {
        metadata: ObjectMeta {
            name: Some(name.into()),
            labels: Some([("disk".to_owned(), "ssd".to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec::default()),
        status: Some(NodeStatus {
            allocatable: Some(amounts(&[("cpu", "2"), ("memory", "1Gi"), ("pods", "3")])),
            conditions: Some(vec![NodeCondition {
                type_: "Ready".into(),
                status: "True".into(),
                ..NodeCondition::default()
            }]),
            ..NodeStatus::default()
        }),
    }
}

fn pod(requests: &[(&str, &str)]) -> v1::Pod {
    v1::Pod {
        spec: Some(PodSpec {
            containers: vec![Container {
                resources: Some(ResourceRequirements {
                    requests: Some(amounts(requests)),
                    ..ResourceRequirements::default()
                }),
                ..Container::default()
            }],
            ..PodSpec::default()
        }),
        ..v1::Pod::default()
    }
}

fn place(node: Node, pods: &[v1::Pod]) -> Place {
    let mut used = Usage::default();
    for pod in pods {
        used.add(&Need::of(&pod.into()));
    }
    Place {
        node: Arc::new(node),
        used,
    }
}

fn refusal(pod: &v1::Pod, places: &[Place]) -> String {
    choose(&pod.into(), places).expect_err("it should not fit")
}

#[test]
fn a_pod_goes_to_the_emptiest_node_that_has_room() {
    let places = [
        place(node("full"), &[pod(&[("memory", "900Mi")])]),
        place(
            node("busy"),
            &[pod(&[("memory", "100Mi")]), pod(&[("memory", "100Mi")])],
        ),
    ];
    let chosen = choose(&(&pod(&[("memory", "500Mi"), ("cpu", "500m")])).into(), &places).expect("room");
    assert_eq!(chosen.metadata.name.as_deref(), Some("busy"));
}

#[test]
fn what_is_missing_is_named_as_kubernetes_names_it() {
    let one = |pods: &[v1::Pod]| [place(node("n"), pods)];
    assert_eq!(
        refusal(&pod(&[("memory", "2Gi")]), &one(&[])),
        "0/1 nodes are available: 1 Insufficient memory."
    );
    assert_eq!(
        refusal(&pod(&[("memory", "2Gi"), ("cpu", "3")]), &one(&[])),
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory."
    );
    let crowd = [pod(&[]), pod(&[]), pod(&[])];
    assert_eq!(
        refusal(&pod(&[]), &one(&crowd)),
        "0/1 nodes are available: 1 Too many pods."
    );
    assert_eq!(refusal(&pod(&[]), &[]), "no nodes available to schedule pods");
}

#[test]
fn nodes_that_want_no_pods_get_none() {
    let mut cordoned = node("cordoned");
    cordoned.spec.get_or_insert_default().unschedulable = Some(true);
    let mut down = node("down");
    down.status.get_or_insert_default().conditions = None;
    let mut tainted = node("tainted");
    tainted.spec.get_or_insert_default().taints = Some(vec![Taint {
        effect: "NoSchedule".into(),
        key: "only".into(),
        value: Some("gpu".into()),
        time_added: None,
    }]);
    let places = [place(cordoned, &[]), place(down, &[]), place(tainted, &[])];
    assert_eq!(
        refusal(&pod(&[]), &places),
        "0/3 nodes are available: 1 node(s) had untolerated taint {only: gpu}, 1 node(s) were not ready, 1 node(s) were unschedulable."
    );
    let mut tolerant = pod(&[]);
    tolerant.spec.get_or_insert_default().tolerations = Some(vec![Toleration {
        key: Some("only".into()),
        operator: Some("Exists".into()),
        ..Toleration::default()
    }]);
    let chosen = choose(&(&tolerant).into(), &places).expect("it tolerates the taint");
    assert_eq!(chosen.metadata.name.as_deref(), Some("tainted"));
}

#[test]
fn a_node_selector_chooses_by_label() {
    let mut picky = pod(&[]);
    let selector = &mut picky.spec.get_or_insert_default().node_selector;
    *selector = Some([("disk".to_owned(), "tape".to_owned())].into());
    assert_eq!(
        refusal(&picky, &[place(node("n"), &[])]),
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    );
    picky.spec.get_or_insert_default().node_selector = Some([("disk".to_owned(), "ssd".to_owned())].into());
    assert!(choose(&(&picky).into(), &[place(node("n"), &[])]).is_ok());
}

#[test]
fn two_pods_do_not_get_the_same_host_port() {
    let mut web = pod(&[]);
    web.spec.get_or_insert_default().containers[0].ports = Some(vec![ContainerPort {
        container_port: 80,
        host_port: Some(80),
        ..ContainerPort::default()
    }]);
    assert!(choose(&(&web).into(), &[place(node("n"), &[])]).is_ok());
    assert_eq!(
        refusal(&web, &[place(node("n"), std::slice::from_ref(&web))]),
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
    );
}

#[test]
fn init_containers_count_by_the_largest_and_sidecars_beside_the_rest() {
    let container = |memory: &str, sidecar: bool| Container {
        restart_policy: sidecar.then(|| "Always".to_owned()),
        resources: Some(ResourceRequirements {
            requests: Some(amounts(&[("memory", memory)])),
            ..ResourceRequirements::default()
        }),
        ..Container::default()
    };
    let memory = |pod: &v1::Pod| {
        let pod = Pod::from(pod);
        let mut asked = of_pod(&pod, Side::Requests).iter();
        asked.find_map(|(name, amount)| (*name == "memory").then(|| amount.to_string()))
    };
    let mut pod = pod(&[("memory", "100Mi")]);
    let spec = pod.spec.get_or_insert_default();
    spec.init_containers = Some(vec![container("50Mi", true), container("300Mi", false)]);
    assert_eq!(memory(&pod).as_deref(), Some("350Mi"));
    pod.spec.get_or_insert_default().init_containers = Some(vec![container("50Mi", true)]);
    assert_eq!(memory(&pod).as_deref(), Some("150Mi"));
}
