//! The verbs on objects.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Service};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::core::params::Preconditions;
use serde_json::{Value, json};

use crate::harness::Harness;

pub(crate) fn config_map(name: &str, data: &Value) -> ConfigMap {
    serde_json::from_value(json!({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":name},"data":data}))
        .unwrap()
}

pub(crate) fn deployment(name: &str, replicas: i32) -> Deployment {
    serde_json::from_value(json!({
        "apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":name},
        "spec":{"replicas":replicas,"selector":{"matchLabels":{"app":name}},
            "template":{"metadata":{"labels":{"app":name}},
                "spec":{"containers":[{"name":"main","image":"docker-registry.tools.wmflabs.org/x:latest"}]}}}
    }))
    .unwrap()
}

pub(crate) fn pod(name: &str) -> Pod {
    serde_json::from_value(json!({
        "apiVersion":"v1","kind":"Pod","metadata":{"name":name,"labels":{"app":name}},
        "spec":{"containers":[{"name":"main","image":"x"}]}
    }))
    .unwrap()
}

fn code(error: &kube::Error) -> (u16, String) {
    match error {
        kube::Error::Api(status) => (status.code, status.message.clone()),
        other => panic!("no answer of the API: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_created_read_changed_and_deleted() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    let created = maps
        .create(&PostParams::default(), &config_map("a", &json!({"k":"1"})))
        .await
        .unwrap();
    assert!(created.metadata.uid.is_some());
    assert!(created.metadata.creation_timestamp.is_some());
    assert_eq!(created.metadata.namespace.as_deref(), Some("default"));

    let error = maps
        .create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap_err();
    assert_eq!(code(&error), (409, "configmaps \"a\" already exists".to_owned()));

    let mut read = maps.get("a").await.unwrap();
    assert_eq!(read.metadata.resource_version, created.metadata.resource_version);
    let stale = read.clone();
    read.data.as_mut().unwrap().insert("k".to_owned(), "2".to_owned());
    let replaced = maps.replace("a", &PostParams::default(), &read).await.unwrap();
    assert_ne!(
        replaced.metadata.resource_version,
        created.metadata.resource_version
    );
    let error = maps
        .replace("a", &PostParams::default(), &stale)
        .await
        .unwrap_err();
    assert_eq!(
        code(&error),
        (409, "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again".to_owned())
    );

    let unchanged = maps
        .replace("a", &PostParams::default(), &replaced)
        .await
        .unwrap();
    assert_eq!(
        unchanged.metadata.resource_version, replaced.metadata.resource_version,
        "no change, no revision"
    );

    let deleted = maps.delete("a", &DeleteParams::default()).await.unwrap();
    assert!(deleted.right().is_some_and(|status| status.is_success()));
    let error = maps.get("a").await.unwrap_err();
    assert_eq!(code(&error), (404, "configmaps \"a\" not found".to_owned()));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_a_restart() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    let created = maps
        .create(&PostParams::default(), &config_map("a", &json!({"k":"1"})))
        .await
        .unwrap();
    drop(maps);
    let folder = api.stop().await;
    let api = Harness::start_in(folder).await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    assert_eq!(maps.get("a").await.unwrap(), created);
    let next = maps
        .create(&PostParams::default(), &config_map("b", &json!({})))
        .await
        .unwrap();
    let number = |map: &ConfigMap| {
        map.metadata
            .resource_version
            .clone()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    assert!(number(&next) > number(&created));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_must_be_there_and_goes_in_two_steps() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "tool-a");
    let error = maps
        .create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap_err();
    assert_eq!(code(&error), (404, "namespaces \"tool-a\" not found".to_owned()));

    let namespaces: Api<Namespace> = Api::all(api.admin());
    let namespace = serde_json::from_value(json!({"metadata":{"name":"tool-a"}})).unwrap();
    let created = namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .unwrap();
    assert_eq!(created.spec.unwrap().finalizers.unwrap(), ["kubernetes"]);
    maps.create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap();

    let deleting = namespaces
        .delete("tool-a", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert_eq!(deleting.status.unwrap().phase.as_deref(), Some("Terminating"));
    let error = maps
        .create(&PostParams::default(), &config_map("b", &json!({})))
        .await
        .unwrap_err();
    let (code, message) = code(&error);
    assert_eq!(code, 403);
    assert!(message.contains("because it is being terminated"), "{message}");

    maps.delete("a", &DeleteParams::default()).await.unwrap();
    let mut last = namespaces.get("tool-a").await.unwrap();
    last.spec.as_mut().unwrap().finalizers = None;
    let bytes = serde_json::to_vec(&last).unwrap();
    namespaces
        .replace_subresource("finalize", "tool-a", &PostParams::default(), &last)
        .await
        .unwrap();
    assert!(!bytes.is_empty());
    assert!(namespaces.get_opt("tool-a").await.unwrap().is_none());
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finalizers_hold_an_object() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    let mut map = config_map("held", &json!({}));
    map.metadata.finalizers = Some(vec!["example.org/hold".to_owned()]);
    maps.create(&PostParams::default(), &map).await.unwrap();
    maps.delete("held", &DeleteParams::default()).await.unwrap();
    let held = maps.get("held").await.unwrap();
    assert!(held.metadata.deletion_timestamp.is_some());
    let patch = Patch::Merge(json!({"metadata":{"finalizers":null}}));
    maps.patch("held", &PatchParams::default(), &patch).await.unwrap();
    assert!(maps.get_opt("held").await.unwrap().is_none());

    let deployments: Api<Deployment> = Api::namespaced(api.admin(), "default");
    deployments
        .create(&PostParams::default(), &deployment("web", 1))
        .await
        .unwrap();
    let foreground = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Foreground),
        ..DeleteParams::default()
    };
    deployments.delete("web", &foreground).await.unwrap();
    let waiting = deployments.get("web").await.unwrap();
    assert_eq!(waiting.metadata.finalizers.unwrap(), ["foregroundDeletion"]);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn preconditions_protect_a_deletion() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    maps.create(&PostParams::default(), &config_map("a", &json!({})))
        .await
        .unwrap();
    let wrong = Preconditions {
        uid: Some("wrong".to_owned()),
        resource_version: None,
    };
    let params = DeleteParams {
        preconditions: Some(wrong),
        ..DeleteParams::default()
    };
    let error = maps.delete("a", &params).await.unwrap_err();
    assert_eq!(code(&error).0, 409);
    maps.get("a").await.unwrap();
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_leaves_nothing_behind() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let created = maps.create(&dry, &config_map("a", &json!({}))).await.unwrap();
    assert!(created.metadata.uid.is_some());
    assert!(maps.get_opt("a").await.unwrap().is_none());
    maps.create(&PostParams::default(), &config_map("a", &json!({"k":"1"})))
        .await
        .unwrap();
    let params = DeleteParams {
        dry_run: true,
        ..DeleteParams::default()
    };
    maps.delete("a", &params).await.unwrap();
    maps.get("a").await.unwrap();
    let patch = Patch::Merge(json!({"data":{"k":"2"}}));
    let params = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let patched = maps.patch("a", &params, &patch).await.unwrap();
    assert_eq!(patched.data.unwrap()["k"], "2");
    assert_eq!(maps.get("a").await.unwrap().data.unwrap()["k"], "1");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_of_all_kinds_change_an_object() {
    let api = Harness::start().await;
    let deployments: Api<Deployment> = Api::namespaced(api.admin(), "default");
    deployments
        .create(&PostParams::default(), &deployment("web", 1))
        .await
        .unwrap();
    let params = PatchParams::default();
    let strategic = json!({"spec":{"template":{"spec":{"containers":[{"name":"main","image":"y"}]}}}});
    let patched = deployments
        .patch("web", &params, &Patch::Strategic(strategic))
        .await
        .unwrap();
    let container = patched.spec.template.spec.unwrap().containers.remove(0);
    assert_eq!(
        (container.name.as_str(), container.image.as_deref()),
        ("main", Some("y"))
    );

    let json_patch: json_patch::Patch =
        serde_json::from_value(json!([{"op":"replace","path":"/spec/replicas","value":3}])).unwrap();
    let patched = deployments
        .patch("web", &params, &Patch::Json::<()>(json_patch))
        .await
        .unwrap();
    assert_eq!(patched.spec.replicas, Some(3));
    assert_eq!(patched.metadata.generation, Some(3));

    let mut applied = config_map("applied", &json!({"a":"1"}));
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    let first = maps
        .patch("applied", &PatchParams::apply("one"), &Patch::Apply(&applied))
        .await
        .unwrap();
    assert_eq!(
        first.metadata.managed_fields.unwrap()[0].manager.as_deref(),
        Some("one")
    );
    applied
        .data
        .as_mut()
        .unwrap()
        .insert("a".to_owned(), "2".to_owned());
    let error = maps
        .patch("applied", &PatchParams::apply("two"), &Patch::Apply(&applied))
        .await
        .unwrap_err();
    let (code, message) = code(&error);
    assert_eq!(code, 409);
    assert!(message.starts_with("Apply failed with 1 conflict"), "{message}");
    maps.patch(
        "applied",
        &PatchParams::apply("two").force(),
        &Patch::Apply(&applied),
    )
    .await
    .unwrap();
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_scale_are_doors_of_their_own() {
    let api = Harness::start().await;
    let deployments: Api<Deployment> = Api::namespaced(api.admin(), "default");
    deployments
        .create(&PostParams::default(), &deployment("web", 1))
        .await
        .unwrap();
    let status = Patch::Merge(json!({"status":{"replicas":1,"readyReplicas":1},"spec":{"replicas":9}}));
    let patched = deployments
        .patch_status("web", &PatchParams::default(), &status)
        .await
        .unwrap();
    assert_eq!(patched.status.unwrap().ready_replicas, Some(1));
    assert_eq!(
        patched.spec.replicas,
        Some(1),
        "the spec does not change through the status"
    );

    let scale = deployments.get_scale("web").await.unwrap();
    assert_eq!(scale.status.unwrap().selector.as_deref(), Some("app=web"));
    let scale = Patch::Merge(json!({"spec":{"replicas":4}}));
    deployments
        .patch_scale("web", &PatchParams::default(), &scale)
        .await
        .unwrap();
    assert_eq!(deployments.get("web").await.unwrap().spec.replicas, Some(4));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_is_bound_once_and_ends_with_grace() {
    let api = Harness::start().await;
    let pods: Api<Pod> = Api::namespaced(api.admin(), "default");
    let created = pods.create(&PostParams::default(), &pod("a")).await.unwrap();
    assert_eq!(
        created.spec.unwrap().service_account_name.as_deref(),
        Some("default")
    );
    let bind = || {
        let binding = json!({"apiVersion":"v1","kind":"Binding","metadata":{"name":"a"},"target":{"kind":"Node","name":"one"}});
        let request = http::Request::post("/api/v1/namespaces/default/pods/a/binding")
            .header("content-type", "application/json")
            .body(binding.to_string().into_bytes())
            .unwrap();
        let client = api.admin();
        async move { client.request::<Value>(request).await }
    };
    bind().await.unwrap();
    let error = bind().await.unwrap_err();
    assert_eq!(code(&error).0, 409);
    let bound = pods.get("a").await.unwrap();
    assert_eq!(bound.spec.unwrap().node_name.as_deref(), Some("one"));
    assert_eq!(bound.status.unwrap().conditions.unwrap()[0].type_, "PodScheduled");

    pods.patch_status(
        "a",
        &PatchParams::default(),
        &Patch::Merge(json!({"status":{"phase":"Running"}})),
    )
    .await
    .unwrap();
    let ending = pods
        .delete("a", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert_eq!(ending.metadata.deletion_grace_period_seconds, Some(30));
    pods.delete("a", &DeleteParams::default().grace_period(0))
        .await
        .unwrap();
    assert!(pods.get_opt("a").await.unwrap().is_none());
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_get_addresses_and_give_them_back() {
    let api = Harness::start().await;
    let services: Api<Service> = Api::namespaced(api.admin(), "default");
    assert_eq!(
        services
            .get("kubernetes")
            .await
            .unwrap()
            .spec
            .unwrap()
            .cluster_ip
            .as_deref(),
        Some("127.96.0.1")
    );
    let service = |name: &str| -> Service {
        serde_json::from_value(json!({"metadata":{"name":name},"spec":{"ports":[{"port":80}]}})).unwrap()
    };
    let ip = |service: Service| service.spec.unwrap().cluster_ip.unwrap();
    let first = ip(services
        .create(&PostParams::default(), &service("a"))
        .await
        .unwrap());
    assert!(first.starts_with("127.96."), "{first}");
    services.delete("a", &DeleteParams::default()).await.unwrap();
    let second = ip(services
        .create(&PostParams::default(), &service("b"))
        .await
        .unwrap());
    assert_eq!(first, second);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_of_one_moment() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    for name in ["a", "b", "c", "d", "e"] {
        maps.create(&PostParams::default(), &config_map(name, &json!({})))
            .await
            .unwrap();
    }
    let first = maps.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(3));
    maps.delete("d", &DeleteParams::default()).await.unwrap();
    maps.create(&PostParams::default(), &config_map("bb", &json!({})))
        .await
        .unwrap();
    let token = first.metadata.continue_.clone().unwrap();
    let rest = maps
        .list(&ListParams::default().continue_token(&token))
        .await
        .unwrap();
    let names: Vec<_> = rest
        .items
        .iter()
        .map(|map| map.metadata.name.clone().unwrap())
        .collect();
    assert_eq!(names, ["c", "d", "e"], "as it was when the first page was read");
    assert_eq!(rest.metadata.resource_version, first.metadata.resource_version);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_generated_and_collections_deleted_by_selector() {
    let api = Harness::start().await;
    let pods: Api<Pod> = Api::namespaced(api.admin(), "default");
    let mut generated = pod("x");
    generated.metadata.name = None;
    generated.metadata.generate_name = Some("web-".to_owned());
    let created = pods.create(&PostParams::default(), &generated).await.unwrap();
    assert!(created.metadata.name.unwrap().starts_with("web-"));
    pods.create(&PostParams::default(), &pod("other")).await.unwrap();
    pods.delete_collection(&DeleteParams::default(), &ListParams::default().labels("app=x"))
        .await
        .unwrap();
    let left = pods.list(&ListParams::default()).await.unwrap();
    assert_eq!(left.items.len(), 1);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_writers_lose_nothing() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    maps.create(&PostParams::default(), &config_map("shared", &json!({})))
        .await
        .unwrap();
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let maps = maps.clone();
            tokio::spawn(async move {
                for step in 0..8 {
                    let patch = Patch::Merge(json!({"data":{format!("{writer}-{step}"):"x"}}));
                    maps.patch("shared", &PatchParams::default(), &patch)
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(maps.get("shared").await.unwrap().data.unwrap().len(), 128);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_object_can_be_deleted() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    maps.create(&PostParams::default(), &config_map("shared", &json!({})))
        .await
        .unwrap();
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let maps = maps.clone();
            tokio::spawn(async move {
                for step in 0_u64.. {
                    let patch = Patch::Merge(json!({"data":{format!("{writer}"):format!("{step}")}}));
                    if let Err(error) = maps.patch("shared", &PatchParams::default(), &patch).await {
                        return code(&error).0;
                    }
                }
                0
            })
        })
        .collect();
    maps.delete("shared", &DeleteParams::default()).await.unwrap();
    for writer in writers {
        assert_eq!(writer.await.unwrap(), 404);
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_applies_an_object_does_not_come_to_own_its_status() {
    let api = Harness::start().await;
    let deployments: Api<Deployment> = Api::namespaced(api.admin(), "default");
    let mut applied = serde_json::to_value(deployment("web", 1)).unwrap();
    applied["status"] = json!({"replicas": 7});
    let parameters = PatchParams::apply("me");
    let created = deployments
        .patch("web", &parameters, &Patch::Apply(&applied))
        .await
        .unwrap();
    assert_eq!(created.status.unwrap_or_default().replicas, None);
    let fields = created.metadata.managed_fields.unwrap()[0]
        .fields_v1
        .clone()
        .unwrap();
    assert!(fields.0.get("f:spec").is_some() && fields.0.get("f:status").is_none());
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_s_own_service_comes_back_with_its_address() {
    let api = Harness::start().await;
    let services: Api<Service> = Api::namespaced(api.admin(), "default");
    let before = services.get("kubernetes").await.unwrap();
    services
        .delete("kubernetes", &DeleteParams::default())
        .await
        .unwrap();
    let back = async {
        loop {
            if let Some(found) = services.get_opt("kubernetes").await.unwrap() {
                return found;
            }
        }
    };
    let back = tokio::time::timeout(crate::harness::DEADLINE, back)
        .await
        .expect("the Service comes back");
    assert_ne!(back.metadata.uid, before.metadata.uid);
    assert_eq!(back.spec.unwrap().cluster_ip, before.spec.unwrap().cluster_ip);
    let folder = api.stop().await;

    // The next run listens on another port.
    let api = Harness::start_in(folder).await;
    let endpoints: Api<k8s_openapi::api::core::v1::Endpoints> = Api::namespaced(api.admin(), "default");
    let subsets = endpoints.get("kubernetes").await.unwrap().subsets.unwrap();
    let port = subsets[0].ports.as_ref().unwrap()[0].port;
    assert_eq!(port, i32::from(api.address.port()));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_store_gets_the_labels_of_the_api_s_own_endpoints() {
    let api = Harness::start().await;
    let endpoints: Api<k8s_openapi::api::core::v1::Endpoints> = Api::namespaced(api.admin(), "default");
    let label = "endpointslice.kubernetes.io/skip-mirror";
    let without = json!({"metadata": {"labels": {label: null, "mine": "kept"}}});
    endpoints
        .patch("kubernetes", &PatchParams::default(), &Patch::Merge(without))
        .await
        .unwrap();
    let api = Harness::start_in(api.stop().await).await;
    let endpoints: Api<k8s_openapi::api::core::v1::Endpoints> = Api::namespaced(api.admin(), "default");
    let found = endpoints.get("kubernetes").await.unwrap();
    let labels = found.metadata.labels.unwrap();
    assert_eq!(
        (labels[label].as_str(), labels["mine"].as_str()),
        ("true", "kept")
    );
    api.stop().await;
}
