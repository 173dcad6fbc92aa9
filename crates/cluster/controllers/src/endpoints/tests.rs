use std::sync::Arc;

use k8s_openapi::api::core::v1::{
    self, Container, ContainerPort, PodCondition, PodSpec, PodStatus, Service, ServicePort, ServiceSpec,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;

use super::legacy::desired_endpoints;
use super::ports::{backends, is_ours};
use super::slices::{Difference, desired_slices, plan};
use crate::pod::Pod;

fn service(target: IntOrString) -> Service {
    Service {
        metadata: ObjectMeta {
            name: Some("web".into()),
            namespace: Some("ns".into()),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            selector: Some([("app".to_owned(), "web".to_owned())].into()),
            ports: Some(vec![ServicePort {
                name: Some("http".into()),
                port: 8000,
                target_port: Some(target),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

fn pod(name: &str, port: i32, ready: bool) -> v1::Pod {
    v1::Pod {
        metadata: ObjectMeta {
            name: Some(name.into()),
            namespace: Some("ns".into()),
            labels: Some([("app".to_owned(), "web".to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(PodSpec {
            containers: vec![Container {
                ports: Some(vec![ContainerPort {
                    name: Some("main".into()),
                    container_port: port,
                    ..ContainerPort::default()
                }]),
                ..Container::default()
            }],
            ..PodSpec::default()
        }),
        status: Some(PodStatus {
            phase: Some("Running".into()),
            pod_ip: Some(format!("127.64.0.{}", name.len())),
            conditions: Some(vec![PodCondition {
                type_: "Ready".into(),
                status: if ready { "True" } else { "False" }.into(),
                ..PodCondition::default()
            }]),
            ..PodStatus::default()
        }),
    }
}

fn dying(mut pod: v1::Pod) -> v1::Pod {
    pod.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
    pod
}

fn all(pods: &[v1::Pod]) -> Vec<Arc<Pod>> {
    pods.iter().map(|pod| Arc::new(pod.into())).collect()
}

fn flags(slice: &EndpointSlice) -> Vec<(bool, bool, bool)> {
    let flag = |flag: Option<bool>| flag.expect("always set");
    let conditions = slice
        .endpoints
        .iter()
        .flatten()
        .map(|endpoint| endpoint.conditions.clone().expect("always set"));
    conditions
        .map(|one| (flag(one.ready), flag(one.serving), flag(one.terminating)))
        .collect()
}

#[test]
fn a_slice_tells_ready_serving_and_terminating_apart() {
    let service = service(IntOrString::Int(8000));
    let pods = all(&[
        pod("a", 8000, true),
        pod("bb", 8000, false),
        dying(pod("ccc", 8000, true)),
    ]);
    let slices = desired_slices(&service, &backends(&service, &pods));
    assert_eq!(slices.len(), 1);
    assert_eq!(
        flags(&slices[0]),
        [(true, true, false), (false, false, false), (false, true, true)]
    );
}

#[test]
fn publish_not_ready_addresses_lists_everybody_as_ready() {
    let mut service = service(IntOrString::Int(8000));
    service.spec.get_or_insert_default().publish_not_ready_addresses = Some(true);
    let pods = all(&[pod("a", 8000, false)]);
    let found = backends(&service, &pods);
    assert_eq!(
        flags(&desired_slices(&service, &found)[0]),
        [(true, false, false)]
    );
    let endpoints = desired_endpoints(&service, &found, None).expect("new");
    assert_eq!(
        endpoints
            .subsets
            .iter()
            .flatten()
            .flat_map(|one| one.addresses.iter().flatten())
            .count(),
        1
    );
}

#[test]
fn named_target_ports_are_looked_up_in_each_pod() {
    let service = service(IntOrString::String("main".into()));
    let pods = all(&[
        pod("a", 1000, true),
        pod("bb", 2000, true),
        pod("ccc", 1000, true),
    ]);
    let slices = desired_slices(&service, &backends(&service, &pods));
    let shape: Vec<(Option<i32>, usize)> = slices
        .iter()
        .map(|slice| {
            let ports = slice.ports.as_deref().unwrap_or_default();
            (
                ports[0].port,
                slice.endpoints.as_deref().unwrap_or_default().len(),
            )
        })
        .collect();
    assert_eq!(shape, [(Some(1000), 2), (Some(2000), 1)]);
}

#[test]
fn ended_pods_and_pods_without_address_are_not_behind_a_service() {
    let service = service(IntOrString::Int(8000));
    let mut ended = pod("a", 8000, false);
    ended.status.get_or_insert_default().phase = Some("Failed".into());
    let mut starting = pod("bb", 8000, false);
    starting.status.get_or_insert_default().pod_ip = None;
    let pods = all(&[ended, starting]);
    assert!(backends(&service, &pods).is_empty());
}

#[test]
fn endpoints_keep_ready_and_waiting_apart_and_leave_out_the_dying() {
    let service = service(IntOrString::Int(8000));
    let pods = all(&[
        pod("a", 8000, true),
        pod("bb", 8000, false),
        dying(pod("ccc", 8000, true)),
    ]);
    let found = backends(&service, &pods);
    let endpoints = desired_endpoints(&service, &found, None).expect("new");
    let subset = endpoints.subsets.clone().expect("one")[0].clone();
    let ips = |list: Option<Vec<v1::EndpointAddress>>| -> Vec<String> {
        list.unwrap_or_default().into_iter().map(|one| one.ip).collect()
    };
    assert_eq!(ips(subset.addresses), ["127.64.0.1"]);
    assert_eq!(ips(subset.not_ready_addresses), ["127.64.0.2"]);
    assert_eq!(
        desired_endpoints(&service, &found, Some(&Arc::new(endpoints))),
        None
    );
}

#[test]
fn slices_that_are_right_are_left_alone_and_others_are_reused() {
    let service = service(IntOrString::Int(8000));
    let first = all(&[pod("a", 8000, true)]);
    let made = desired_slices(&service, &backends(&service, &first));
    let present: Vec<Arc<EndpointSlice>> = made.into_iter().map(Arc::new).collect();
    let same = plan(desired_slices(&service, &backends(&service, &first)), &present);
    assert!(same.create.is_empty() && same.replace.is_empty() && same.delete.is_empty());

    let second = all(&[pod("a", 8000, true), pod("bb", 8000, true)]);
    let Difference {
        create,
        replace,
        delete,
    } = plan(desired_slices(&service, &backends(&service, &second)), &present);
    assert_eq!((create.len(), replace.len(), delete.len()), (0, 1, 0));

    let nobody = plan(desired_slices(&service, &backends(&service, &[])), &present);
    assert_eq!((nobody.create.len(), nobody.replace.len()), (0, 1));
}

#[test]
fn more_than_a_hundred_pods_get_several_slices() {
    let service = service(IntOrString::Int(8000));
    let pods = all(&vec![pod("a", 8000, true); 250]);
    let slices = desired_slices(&service, &backends(&service, &pods));
    let sizes: Vec<usize> = slices
        .iter()
        .map(|slice| slice.endpoints.as_deref().unwrap_or_default().len())
        .collect();
    assert_eq!(sizes, [100, 100, 50]);
}

#[test]
fn services_without_selector_are_somebody_elses() {
    let mut service = service(IntOrString::Int(8000));
    assert!(is_ours(&service));
    service.spec.get_or_insert_default().selector = None;
    assert!(!is_ours(&service));
}
