//! Objects of custom kinds under all verbs.

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};

use super::{GROUP, crates, define, of, one, refusal};
use crate::harness::{DEADLINE, Harness};

async fn raw(client: &kube::Client, path: &str, accept: &str) -> Value {
    let request = http::Request::get(path)
        .header("accept", accept)
        .body(Vec::new())
        .unwrap();
    client.request(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_pruned_defaulted_and_validated() {
    let api = Harness::start().await;
    define(&api, crates()).await;
    let all = of(api.admin(), "v1");
    let mut given = one(
        "a",
        &json!({"unknown": 1, "items": [{"name": "x"}], "template": {"any": {"thing": 1}}}),
    );
    given.data["status"] = json!({"phase": "Early"});
    let made = all.create(&PostParams::default(), &given).await.unwrap();
    let expected = json!({"color": "red", "replicas": 1, "most": 10, "items": [{"name": "x", "size": 1}], "template": {"any": {"thing": 1}}});
    assert_eq!(made.data["spec"], expected);
    assert!(made.data.get("status").is_none());
    assert_eq!(made.metadata.generation, Some(1));

    let invalid = all
        .create(
            &PostParams::default(),
            &one("b", &json!({"color": "green", "replicas": "3"})),
        )
        .await
        .unwrap_err();
    let (code, message) = refusal(invalid);
    assert_eq!(code, 422);
    assert_eq!(
        message,
        format!(
            "Crate.{GROUP} \"b\" is invalid: [spec.color: Unsupported value: \"green\": supported values: \"red\", \"blue\", spec.replicas: Invalid value: \"string\": spec.replicas in body must be of type integer: \"string\"]"
        )
    );
    let invalid = all
        .create(&PostParams::default(), &one("b", &json!({"replicas": 11})))
        .await
        .unwrap_err();
    assert!(
        refusal(invalid)
            .1
            .ends_with("spec: Invalid value: \"object\": more replicas than the most")
    );

    let path = format!("/apis/{GROUP}/v1/namespaces/default/crates?fieldValidation=Strict");
    let body = serde_json::to_vec(&one("b", &json!({"unknown": 1}))).unwrap();
    let strict = http::Request::post(path)
        .header("content-type", "application/json")
        .body(body);
    let unknown = api.admin().request::<Value>(strict.unwrap()).await.unwrap_err();
    let (code, message) = refusal(unknown);
    assert_eq!(
        (
            code,
            message.ends_with("strict decoding error: unknown field \"spec.unknown\"")
        ),
        (400, true),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_changed_through_all_doors() {
    let api = Harness::start().await;
    define(&api, crates()).await;
    let all = of(api.admin(), "v1");
    let plain = PatchParams::default();
    all.create(&PostParams::default(), &one("a", &json!({})))
        .await
        .unwrap();

    let changed = all
        .patch(
            "a",
            &plain,
            &Patch::Merge(json!({"spec": {"replicas": 2}, "status": {"phase": "X"}})),
        )
        .await
        .unwrap();
    assert_eq!(
        (changed.metadata.generation, changed.data.get("status")),
        (Some(2), None)
    );
    let changed = all
        .patch(
            "a",
            &plain,
            &Patch::Merge(json!({"metadata": {"labels": {"l": "1"}}})),
        )
        .await
        .unwrap();
    assert_eq!(changed.metadata.generation, Some(2));
    let strategic = all
        .patch("a", &plain, &Patch::Strategic(json!({"spec": {"replicas": 3}})))
        .await
        .unwrap_err();
    assert_eq!(refusal(strategic).0, 415);
    let rule = all
        .patch("a", &plain, &Patch::Merge(json!({"spec": {"color": "blue"}})))
        .await
        .unwrap_err();
    assert!(
        refusal(rule)
            .1
            .ends_with("spec.color: Invalid value: \"object\": the color stays")
    );

    let status = json!({"spec": {"replicas": 9}, "metadata": {"labels": {"l": "2"}}, "status": {"phase": "Ready", "replicas": 2, "selector": "a=b"}});
    let changed = all
        .patch_status("a", &plain, &Patch::Merge(status))
        .await
        .unwrap();
    assert_eq!(
        (
            &changed.data["spec"]["replicas"],
            &changed.data["status"]["phase"]
        ),
        (&json!(2), &json!("Ready"))
    );
    assert_eq!(
        (
            changed.metadata.generation,
            &changed.metadata.labels.unwrap()["l"]
        ),
        (Some(2), &"1".to_owned())
    );

    let scale = all.get_scale("a").await.unwrap();
    assert_eq!(
        (scale.spec.unwrap().replicas, scale.status.unwrap().selector),
        (Some(2), Some("a=b".to_owned()))
    );
    all.patch_scale("a", &plain, &Patch::Merge(json!({"spec": {"replicas": 5}})))
        .await
        .unwrap();
    let found = all.get("a").await.unwrap();
    assert_eq!(
        (&found.data["spec"]["replicas"], found.metadata.generation),
        (&json!(5), Some(3))
    );
    let too_many = all
        .patch_scale("a", &plain, &Patch::Merge(json!({"spec": {"replicas": 50}})))
        .await
        .unwrap_err();
    assert_eq!(refusal(too_many).0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn appliers_share_lists_as_the_schema_says() {
    let api = Harness::start().await;
    define(&api, crates()).await;
    let all = of(api.admin(), "v1");
    let apply = |manager: &'static str, items: Value| {
        let all = all.clone();
        async move {
            all.patch(
                "a",
                &PatchParams::apply(manager),
                &Patch::Apply(one("a", &json!({"items": items}))),
            )
            .await
        }
    };
    apply("one", json!([{"name": "x", "size": 1}])).await.unwrap();
    let both = apply("two", json!([{"name": "y", "size": 2}])).await.unwrap();
    assert_eq!(both.data["spec"]["items"].as_array().unwrap().len(), 2);
    let conflict = apply("two", json!([{"name": "x", "size": 7}])).await.unwrap_err();
    let (code, message) = refusal(conflict);
    assert_eq!(
        (code, message.contains(r#".spec.items[name="x"].size"#)),
        (409, true),
        "{message}"
    );
    let rest = apply("one", json!([])).await.unwrap();
    assert_eq!(rest.data["spec"]["items"], json!([{"name": "y", "size": 2}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_listed_watched_selected_and_shown_in_tables() {
    let api = Harness::start().await;
    define(&api, crates()).await;
    let client = api.admin();
    let all = of(client.clone(), "v1");
    let mut watch = all
        .watch(&WatchParams::default().fields("spec.color=blue"), "0")
        .await
        .unwrap()
        .boxed();
    for (name, color) in [("a", "red"), ("b", "blue"), ("c", "blue")] {
        all.create(&PostParams::default(), &one(name, &json!({"color": color})))
            .await
            .unwrap();
    }
    for expected in ["b", "c"] {
        let event = tokio::time::timeout(DEADLINE, watch.try_next())
            .await
            .unwrap()
            .unwrap();
        assert!(
            matches!(event, Some(WatchEvent::Added(found)) if found.metadata.name.as_deref() == Some(expected))
        );
    }
    let blue = all
        .list(&ListParams::default().fields("spec.color=blue"))
        .await
        .unwrap();
    assert_eq!(blue.items.len(), 2);
    let unknown = all
        .list(&ListParams::default().fields("spec.replicas=1"))
        .await
        .unwrap_err();
    assert_eq!(
        refusal(unknown),
        (400, "field label not supported: spec.replicas".to_owned())
    );

    let path = format!("/apis/{GROUP}/v1/namespaces/default/crates");
    let table = raw(&client, &path, "application/json;as=Table;v=v1;g=meta.k8s.io").await;
    let names: Vec<&Value> = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| &column["name"])
        .collect();
    assert_eq!(names, ["Name", "Color", "Replicas", "Phase", "Age"]);
    assert_eq!(
        table["rows"][1]["cells"].as_array().unwrap()[..4],
        [json!("b"), json!("blue"), json!(1), json!(null)]
    );
    let list = raw(&client, &path, "application/json").await;
    assert_eq!(
        (&list["kind"], &list["apiVersion"]),
        (&json!("CrateList"), &json!(format!("{GROUP}/v1")))
    );

    let other = of(client.clone(), "v1beta1");
    let found = other.get("a").await.unwrap();
    assert_eq!(found.types.unwrap().api_version, format!("{GROUP}/v1beta1"));
    let mut beta = one("d", &json!({}));
    beta.types.as_mut().unwrap().api_version = format!("{GROUP}/v1beta1");
    other.create(&PostParams::default(), &beta).await.unwrap();
    assert_eq!(
        all.get("d").await.unwrap().types.unwrap().api_version,
        format!("{GROUP}/v1")
    );
    let gone = all
        .delete_collection(&DeleteParams::default(), &ListParams::default())
        .await
        .unwrap();
    assert_eq!(gone.left().unwrap().items.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn quota_counts_custom_objects() {
    let api = Harness::start().await;
    define(&api, crates()).await;
    let quotas: Api<ResourceQuota> = Api::namespaced(api.admin(), "default");
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": {format!("count/crates.{GROUP}"): "1"}}});
    quotas
        .create(&PostParams::default(), &serde_json::from_value(quota).unwrap())
        .await
        .unwrap();
    let all = of(api.admin(), "v1");
    all.create(&PostParams::default(), &one("a", &json!({})))
        .await
        .unwrap();
    let (code, message) = refusal(
        all.create(&PostParams::default(), &one("b", &json!({})))
            .await
            .unwrap_err(),
    );
    assert_eq!(
        (code, message.contains("exceeded quota: q")),
        (403, true),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_those_of_the_group_and_the_plural() {
    let api = Harness::start().await;
    define(&api, crates()).await;
    let user = api.over_tls("reader", &[]).await;
    assert_eq!(
        refusal(
            of(user.clone(), "v1")
                .list(&ListParams::default())
                .await
                .unwrap_err()
        )
        .0,
        403
    );
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "crates"},
        "rules": [{"apiGroups": [GROUP], "resources": ["crates"], "verbs": ["get", "list"]}]});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "crates"},
        "subjects": [{"kind": "User", "name": "reader"}], "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "crates"}});
    let roles: Api<k8s_openapi::api::rbac::v1::ClusterRole> = Api::all(api.admin());
    roles
        .create(&PostParams::default(), &serde_json::from_value(role).unwrap())
        .await
        .unwrap();
    let bindings: Api<k8s_openapi::api::rbac::v1::ClusterRoleBinding> = Api::all(api.admin());
    bindings
        .create(&PostParams::default(), &serde_json::from_value(binding).unwrap())
        .await
        .unwrap();
    of(user.clone(), "v1").list(&ListParams::default()).await.unwrap();
    let refused = of(user, "v1")
        .create(&PostParams::default(), &one("a", &json!({})))
        .await
        .unwrap_err();
    assert_eq!(refusal(refused).0, 403);
}
