//! What the chain does without webhooks: the life cycle of namespaces, limit ranges and quota.

#[path = "fixtures/world.rs"]
mod world;

use proptest::prelude::*;
use serde_json::{Value, json};
use toolforge_chain::{Attributes, Chain, Operation};
use toolforge_kinds::Status;
use world::{Stored, attributes};

fn create(kind: &str) -> Attributes {
    attributes("", kind, Operation::Create)
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "tool-x"}, "spec": spec,
    })
}

fn pod(name: &str, cpu: &str) -> Value {
    let resources = json!({"requests": {"cpu": cpu}, "limits": {"cpu": cpu}});
    object(
        "Pod",
        name,
        &json!({"containers": [{"name": "web", "resources": resources}]}),
    )
}

fn quota(hard: &Value) -> Value {
    object("ResourceQuota", "tool-x", &json!({ "hard": hard }))
}

fn check(
    objects: impl IntoIterator<Item = Value>,
    attributes: &Attributes,
    new: &Value,
) -> Result<(), Status> {
    Chain::new(Stored::with(objects)).check_quota(attributes, Some(new), None)
}

#[track_caller]
fn assert_forbidden(verdict: Result<(), Status>, message: &str) {
    let status = verdict.expect_err("it must be refused");
    assert_eq!(
        (status.code, status.reason, status.message.as_str()),
        (403, "Forbidden", message)
    );
}

#[test]
fn the_pod_beyond_the_quota_is_refused_with_all_numbers() {
    let mut objects: Vec<Value> = (0..10).map(|number| pod(&format!("p{number}"), "1")).collect();
    objects.push(quota(&json!({"pods": "10", "limits.cpu": "20"})));
    assert_forbidden(
        check(objects.clone(), &create("Pod"), &pod("new", "1")),
        "pods \"new\" is forbidden: exceeded quota: tool-x, requested: pods=1, used: pods=10, limited: pods=10",
    );
    assert_eq!(
        check(objects[1..].to_vec(), &create("Pod"), &pod("new", "1")),
        Ok(())
    );
}

#[test]
fn amounts_are_added_exactly_and_only_what_is_exceeded_is_shown() {
    let objects = [
        pod("a", "1"),
        pod("b", "300m"),
        quota(&json!({"pods": "10", "limits.cpu": "1500m", "cpu": "1500m"})),
    ];
    assert_eq!(check(objects.clone(), &create("Pod"), &pod("new", "0.2")), Ok(()));
    assert_forbidden(
        check(objects, &create("Pod"), &pod("new", "201m")),
        "pods \"new\" is forbidden: exceeded quota: tool-x, requested: cpu=201m,limits.cpu=201m, \
         used: cpu=1300m,limits.cpu=1300m, limited: cpu=1500m,limits.cpu=1500m",
    );
}

#[test]
fn pods_that_have_ended_cost_only_their_place_in_the_store() {
    let mut ended = pod("a", "4");
    ended["status"] = json!({"phase": "Succeeded"});
    let quota = quota(&json!({"pods": "1", "requests.cpu": "1", "count/pods": "1"}));
    assert_forbidden(
        check([ended, quota], &create("Pod"), &pod("new", "1")),
        "pods \"new\" is forbidden: exceeded quota: tool-x, requested: count/pods=1, used: count/pods=1, \
         limited: count/pods=1",
    );
}

#[test]
fn each_container_must_say_what_it_wants_of_what_is_counted() {
    let asked = json!({"requests": {"cpu": "1"}, "limits": {"cpu": "1"}});
    let spec = json!({"containers": [{"name": "b"}, {"name": "a"}, {"name": "c", "resources": asked}]});
    assert_forbidden(
        check(
            [quota(&json!({"limits.cpu": "4", "requests.cpu": "4"}))],
            &create("Pod"),
            &object("Pod", "new", &spec),
        ),
        "pods \"new\" is forbidden: failed quota: tool-x: must specify limits.cpu for: a,b; requests.cpu for: a,b",
    );
}

#[test]
fn objects_are_counted_by_kind() {
    for (group, kind, name, used) in [
        ("", "Secret", "secrets", true),
        ("", "ConfigMap", "configmaps", true),
        ("", "ReplicationController", "replicationcontrollers", true),
        ("", "PersistentVolumeClaim", "persistentvolumeclaims", true),
        ("apps", "Deployment", "count/deployments.apps", true),
        ("batch", "Job", "count/jobs.batch", true),
        (
            "networking.k8s.io",
            "Ingress",
            "count/ingresses.networking.k8s.io",
            true,
        ),
        ("", "Secret", "configmaps", false),
        ("apps", "Deployment", "pods", false),
    ] {
        if toolforge_kinds::by_kind(group, "v1", kind).is_none() {
            continue;
        }
        let api_version = if group.is_empty() {
            "v1".to_owned()
        } else {
            format!("{group}/v1")
        };
        let of = |name: &str| {
            let metadata = json!({"name": name, "namespace": "tool-x"});
            json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})
        };
        let mut hard = json!({});
        hard[name] = json!("1");
        let verdict = check(
            [of("old"), quota(&hard)],
            &attributes(group, kind, Operation::Create),
            &of("new"),
        );
        assert_eq!(verdict.is_err(), used, "{kind} {name}: {verdict:?}");
    }
}

#[test]
fn a_service_costs_its_node_ports_also_when_it_gets_them_later() {
    let quota = quota(&json!({"services": "1", "services.nodeports": "1"}));
    let service = |kind: &str| {
        object(
            "Service",
            "new",
            &json!({"type": kind, "ports": [{"port": 80}, {"port": 443}]}),
        )
    };
    assert_eq!(
        check([quota.clone()], &create("Service"), &service("ClusterIP")),
        Ok(())
    );
    let expected = "services \"new\" is forbidden: exceeded quota: tool-x, requested: services.nodeports=2, \
                    used: services.nodeports=0, limited: services.nodeports=1";
    assert_forbidden(
        check([quota.clone()], &create("Service"), &service("NodePort")),
        expected,
    );
    let old = service("ClusterIP");
    let chain = Chain::new(Stored::with([old.clone(), quota]));
    let update = attributes("", "Service", Operation::Update);
    assert_forbidden(
        chain.check_quota(&update, Some(&service("NodePort")), Some(&old)),
        expected,
    );
    assert_eq!(
        chain.check_quota(&update, Some(&old), Some(&old)),
        Ok(()),
        "what does not grow is not asked again"
    );
}

#[test]
fn scopes_choose_the_pods_that_count() {
    let mut scoped = quota(&json!({"pods": "0"}));
    scoped["spec"]["scopes"] = json!(["BestEffort"]);
    assert_eq!(check([scoped.clone()], &create("Pod"), &pod("new", "1")), Ok(()));
    let idle = object("Pod", "new", &json!({"containers": [{"name": "a"}]}));
    assert!(check([scoped], &create("Pod"), &idle).is_err());

    let mut scoped = quota(&json!({"pods": "0"}));
    let expression = json!({"scopeName": "PriorityClass", "operator": "In", "values": ["high"]});
    scoped["spec"]["scopeSelector"] = json!({"matchExpressions": [expression]});
    let mut important = pod("new", "1");
    assert_eq!(check([scoped.clone()], &create("Pod"), &important), Ok(()));
    important["spec"]["priorityClassName"] = json!("high");
    assert!(check([scoped], &create("Pod"), &important).is_err());
}

#[test]
fn other_namespaces_and_status_writes_do_not_count() {
    let mut elsewhere = pod("a", "1");
    elsewhere["metadata"]["namespace"] = json!("tool-y");
    let quota = quota(&json!({"pods": "1"}));
    assert_eq!(
        check([elsewhere, quota.clone()], &create("Pod"), &pod("new", "1")),
        Ok(())
    );
    let mut status = attributes("", "Pod", Operation::Update);
    status.subresource = Some("status".to_owned());
    assert_eq!(check([pod("a", "1"), quota], &status, &pod("a", "1")), Ok(()));
}

fn limits(item: &Value) -> Value {
    object("LimitRange", "tool-x", &json!({ "limits": [item] }))
}

#[tokio::test]
async fn a_pod_gets_the_defaults_of_the_limit_range_and_is_held_to_its_bounds() {
    let range = limits(&json!({
        "type": "Container", "default": {"memory": "512Mi"}, "defaultRequest": {"memory": "256Mi"}, "max": {"memory": "4Gi"},
    }));
    let chain = Chain::new(Stored::with([range]));
    let bare = object("Pod", "new", &json!({"containers": [{"name": "web"}]}));
    let (pod, warnings) = chain
        .mutate(&create("Pod"), Some(bare), None)
        .await
        .expect("a Pod may be created");
    let pod = pod.expect("the object comes back");
    assert!(warnings.is_empty());
    assert_eq!(
        pod["spec"]["containers"][0]["resources"],
        json!({"limits": {"memory": "512Mi"}, "requests": {"memory": "256Mi"}})
    );
    assert_eq!(
        chain.validate(&create("Pod"), Some(&pod), None).await,
        Ok(Vec::new())
    );

    let mut greedy = pod.clone();
    greedy["spec"]["containers"][0]["resources"]["limits"]["memory"] = json!("5Gi");
    assert_forbidden(
        chain
            .validate(&create("Pod"), Some(&greedy), None)
            .await
            .map(drop),
        "pods \"new\" is forbidden: maximum memory usage per Container is 4Gi, but limit is 5Gi",
    );
}

#[tokio::test]
async fn a_pod_has_the_priority_of_its_class_and_no_number_of_its_own() {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tool-x"}});
    let account = object("ServiceAccount", "default", &Value::Null);
    let chain = Chain::new(Stored::with([namespace, account]));
    for (class, number, right) in [
        (None, 0, true),
        (None, 1, false),
        (Some("low"), 1_000_000_000, false),
        (Some("system-node-critical"), 2_000_001_000, true),
        (Some("system-cluster-critical"), 2_000_001_000, false),
    ] {
        let mut pod = pod("new", "1");
        pod["spec"]["serviceAccountName"] = json!("default");
        pod["spec"]["priorityClassName"] = json!(class);
        pod["spec"]["priority"] = json!(number);
        let verdict = chain.validate(&create("Pod"), Some(&pod), None).await;
        assert_eq!(verdict.is_ok(), right, "{class:?} {number}: {verdict:?}");
        let words = format!("the integer value of priority ({number}) must not be provided in pod spec");
        assert!(
            verdict.err().is_none_or(|status| status.message.contains(&words)),
            "{class:?}"
        );
    }
}

#[tokio::test]
async fn nothing_comes_into_a_namespace_that_is_missing_or_going() {
    let chain = Chain::new(Stored::with([json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tool-old"}, "status": {"phase": "Terminating"},
    })]));
    let secret = json!({"metadata": {"name": "new"}});
    let mut request = create("Secret");
    assert!(chain.validate(&request, Some(&secret), None).await.is_ok());

    request.namespace = Some("tool-none".to_owned());
    let missing = chain
        .mutate(&request, Some(secret.clone()), None)
        .await
        .expect_err("it must be refused");
    assert_eq!(
        (missing.code, missing.message.as_str()),
        (404, "namespaces \"tool-none\" not found")
    );

    request.namespace = Some("tool-old".to_owned());
    let going = chain
        .validate(&request, Some(&secret), None)
        .await
        .expect_err("it must be refused");
    assert_eq!(
        going.message,
        "secrets \"new\" is forbidden: unable to create new content in namespace tool-old because it is being terminated"
    );
    assert_eq!(
        going.to_value()["details"]["causes"][0]["reason"],
        "NamespaceTerminating"
    );
    request.operation = Operation::Update;
    assert!(
        chain.validate(&request, Some(&secret), None).await.is_ok(),
        "what is there may still change"
    );
    request.operation = Operation::Delete;
    assert!(
        chain.validate(&request, None, Some(&secret)).await.is_ok(),
        "and go"
    );
}

#[tokio::test]
async fn the_namespaces_of_the_platform_stay() {
    let chain = Chain::new(Stored::with([]));
    let mut request = attributes("", "Namespace", Operation::Delete);
    for (name, expected) in [
        ("default", 403),
        ("kube-system", 403),
        ("kube-public", 403),
        ("tool-x", 200),
    ] {
        request.name = name.to_owned();
        let code = chain
            .validate(&request, None, Some(&json!({})))
            .await
            .map_or_else(|status| status.code, |_| 200);
        assert_eq!(code, expected, "{name}");
    }
}

proptest! {
    #[test]
    fn a_namespace_never_holds_more_than_its_quota_and_nothing_that_fits_is_refused(
        allowed in 0_u32..3000,
        asked in prop::collection::vec(0_u32..1000, 0..12),
    ) {
        let world = Stored::with([quota(&json!({"requests.cpu": format!("{allowed}m")}))]);
        let chain = Chain::new(world.clone());
        let mut held = 0;
        for (number, millis) in asked.into_iter().enumerate() {
            let pod = pod(&format!("p{number}"), &format!("{millis}m"));
            let fits = held + millis <= allowed;
            prop_assert_eq!(chain.check_quota(&create("Pod"), Some(&pod), None).is_ok(), fits || millis == 0);
            if fits {
                held += millis;
                world.add(pod);
            }
        }
    }
}
