//! Writes: options, checks of fields, preconditions, and who owns what.

use http::Method;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::{get, send};
use crate::custom::{crates, define, of, one, refusal};
use crate::harness::Harness;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_double_fields_are_told_or_refused() {
    let api = Harness::start().await;
    let client = api.admin();
    let body = r#"{"metadata":{"name":"NAME"},"spec":{"replicas":2,"replicas":3,"colour":1,"selector":{"matchLabels":{"a":"b"}},
        "template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i","shape":2}]}}}}"#;
    let told = [
        "duplicate field \"spec.replicas\"",
        "unknown field \"spec.colour\"",
        "unknown field \"spec.template.spec.containers[0].shape\"",
    ];
    for (validation, code, warns) in [
        ("", 201, true),
        ("Warn", 201, true),
        ("Ignore", 201, false),
        ("Strict", 400, false),
    ] {
        let target = format!("{DEPLOYMENTS}?fieldValidation={validation}");
        let text = body.replace("NAME", &format!("web{}", validation.to_lowercase()));
        let answer = send(&client, Method::POST, &target, &[], text).await;
        assert_eq!(answer.code, code, "{validation}");
        let warnings: Vec<&str> = answer
            .headers
            .get_all("warning")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        assert_eq!(warnings.len(), if warns { 3 } else { 0 }, "{warnings:?}");
        if code == 400 {
            let expected = format!(
                "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: {}",
                told.join(", ")
            );
            assert_eq!(answer.json()["message"], expected);
        } else {
            assert_eq!(answer.json()["spec"]["replicas"], 3);
        }
    }
    let target = format!("{DEPLOYMENTS}/web?fieldValidation=Strict&fieldManager=me");
    for (media_type, patch, code, words) in [
        (
            "application/strategic-merge-patch+json",
            r#"{"spec":{"colour":"red"}}"#,
            422,
            r#"patch: Invalid value: "map[spec:map[colour:red]]": strict decoding error: unknown field "spec.colour""#,
        ),
        (
            "application/merge-patch+json",
            r#"{"spec":{"replicas":4,"replicas":5}}"#,
            422,
            r#"strict decoding error: duplicate field "spec.replicas""#,
        ),
        (
            "application/json-patch+json",
            r#"[{"op":"add","path":"/spec/colour","value":1,"value":2}]"#,
            422,
            r#"json patch duplicate field "[0].value", unknown field "spec.colour""#,
        ),
        (
            "application/json-patch+json",
            r#"[{"op":"replace","path":"/spec/replicas","value":"many"}]"#,
            422,
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "application/merge-patch+json",
            r#"{"metadata":{"labels":{"a":1}}}"#,
            422,
            r#" "" is invalid: patch: Invalid value: "{"#,
        ),
        (
            "application/strategic-merge-patch+json",
            r#"{"spec":{"replicas":"many"}}"#,
            422,
            r#"patch: Invalid value: "map[spec:map[replicas:many]]": json: cannot unmarshal"#,
        ),
        (
            "application/apply-patch+yaml",
            "apiVersion: apps/v1\nkind: Deployment\nspec: {colour: red}\n",
            500,
            "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): .spec.colour: field not declared in schema",
        ),
        (
            "application/apply-patch+yaml",
            "apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: [{name: c}, {name: c}]}}}\n",
            500,
            "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): .spec.template.spec.containers: duplicate entries for key [name=\"c\"]",
        ),
    ] {
        let answer = send(
            &client,
            Method::PATCH,
            &target,
            &[("content-type", media_type)],
            patch,
        )
        .await;
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!((answer.code, message.contains(words)), (code, true), "{message}");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authors_own_what_they_wrote_and_nothing_that_others_added() {
    let api = Harness::start().await;
    let client = api.admin();
    let made = send(
        &client,
        Method::POST,
        &format!("{DEPLOYMENTS}?fieldManager=me"),
        &[],
        deployment().to_string(),
    )
    .await;
    let managed = made.json()["metadata"]["managedFields"].clone();
    assert_eq!(managed.as_array().unwrap().len(), 1);
    let fields = &managed[0]["fieldsV1"];
    assert!(fields.get("f:status").is_none());
    assert_eq!(
        fields["f:spec"]["f:strategy"],
        json!({"f:rollingUpdate": {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}, "f:type": {}})
    );

    let service =
        json!({"metadata": {"name": "web"}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}});
    let services = "/api/v1/namespaces/default/services?fieldManager=me";
    let made = send(&client, Method::POST, services, &[], service.to_string())
        .await
        .json();
    assert_eq!(
        made["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:spec": {
            "f:internalTrafficPolicy": {}, "f:selector": {}, "f:sessionAffinity": {}, "f:type": {},
            "f:ports": {".": {}, "k:{\"port\":80,\"protocol\":\"TCP\"}": {
                ".": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {},
            }},
        }})
    );
    let pod = json!({"metadata": {"name": "one"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let made = send(
        &client,
        Method::POST,
        "/api/v1/namespaces/default/pods",
        &[],
        pod.to_string(),
    )
    .await
    .json();
    let spec = &made["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"];
    assert!(made["spec"]["tolerations"].is_array());
    assert!(
        spec.get("f:tolerations").is_none() && spec.get("f:serviceAccountName").is_none(),
        "{spec}"
    );

    // One empty entry forgets all managers.
    let reset = r#"[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]"#;
    let headers = [("content-type", "application/json-patch+json")];
    let after = send(
        &client,
        Method::PATCH,
        &format!("{DEPLOYMENTS}/web"),
        &headers,
        reset,
    )
    .await
    .json();
    assert!(
        after["metadata"].get("managedFields").is_none(),
        "{}",
        after["metadata"]
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authors_are_warned_of_what_will_not_do_what_it_seems_to() {
    let api = Harness::start().await;
    let client = api.admin();
    let body = |env: &[&str]| {
        let mut web = deployment();
        let variables: Vec<Value> = env
            .iter()
            .map(|name| json!({"name": name, "value": "x"}))
            .collect();
        web["spec"]["template"]["spec"]["containers"][0]["env"] = json!(variables);
        web.to_string()
    };
    let object = format!("{DEPLOYMENTS}/web");
    let warning = "299 - \"spec.template.spec.containers[0].env[1]: hides previous definition of \\\"A\\\", which may be dropped when using apply\"";
    for (method, target, env, expected) in [
        (Method::POST, DEPLOYMENTS, &["A", "A"][..], warning),
        // Nothing has changed: nothing is to be said.
        (Method::PUT, &object, &["A", "A"], ""),
        (Method::PUT, &object, &["A", "B"], ""),
        (Method::PUT, &object, &["A", "A", "B"], warning),
    ] {
        let answer = send(&client, method, target, &[], body(env)).await;
        assert_eq!(answer.header("warning"), expected, "{env:?}");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_of_writes_hold() {
    let api = Harness::start().await;
    let client = api.admin();
    let body = |data: &str, version: Option<&str>| {
        json!({"metadata": {"name": "a", "resourceVersion": version}, "data": {"k": data}}).to_string()
    };
    let first = send(&client, Method::POST, MAPS, &[], body("1", None))
        .await
        .json();
    let (object, uid) = (format!("{MAPS}/a"), first["metadata"]["uid"].as_str().unwrap());
    let version = first["metadata"]["resourceVersion"].as_str();
    // Without a revision an update is unconditional.
    assert_eq!(
        send(&client, Method::PUT, &object, &[], body("2", None))
            .await
            .code,
        200
    );
    let late = send(&client, Method::PUT, &object, &[], body("3", version)).await;
    assert_eq!(
        (late.code, late.json()["reason"].clone()),
        (409, json!("Conflict"))
    );
    let dry = send(
        &client,
        Method::PUT,
        &format!("{object}?dryRun=All"),
        &[],
        body("4", None),
    )
    .await;
    assert_eq!(dry.json()["data"]["k"], "4");
    assert_eq!(get(&client, &object, &[]).await.json()["data"]["k"], "2");
    for (options, code, words) in [
        (
            json!({"preconditions": {"uid": "other"}}),
            409,
            format!(
                "fulfilled on ConfigMap \"a\": the UID in the precondition (other) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
            ),
        ),
        (
            json!({"preconditions": {"resourceVersion": "1"}}),
            409,
            "the ResourceVersion in the precondition (1) does not match the ResourceVersion in record ("
                .to_owned(),
        ),
        (
            json!({"propagationPolicy": "Sometimes"}),
            422,
            "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Sometimes\""
                .to_owned(),
        ),
        (
            json!({"propagationPolicy": "Orphan", "orphanDependents": true}),
            422,
            "orphanDependents and deletionPropagation cannot be both set".to_owned(),
        ),
        (
            json!({"dryRun": ["Some"]}),
            422,
            "dryRun: Unsupported value".to_owned(),
        ),
        (
            json!({"dryRun": ["All"], "preconditions": {"uid": uid}}),
            200,
            String::new(),
        ),
        (
            json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}}),
            200,
            String::new(),
        ),
    ] {
        let answer = send(&client, Method::DELETE, &object, &[], options.to_string()).await;
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (answer.code, message.contains(&words)),
            (code, true),
            "{options}: {message}"
        );
    }
    assert_eq!(get(&client, &object, &[]).await.code, 404);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn some_updates_create_and_some_need_a_revision() {
    let api = Harness::start().await;
    let client = api.admin();
    let put =
        async |target: &str, body: &Value| send(&client, Method::PUT, target, &[], body.to_string()).await;
    let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    let target = format!("{leases}/mine");
    let mut lease = json!({"metadata": {"name": "mine"}, "spec": {"leaseDurationSeconds": 1}});
    let made = put(&target, &lease).await;
    assert_eq!(
        (made.code, made.json()["spec"].clone()),
        (201, lease["spec"].clone())
    );
    let blind = put(&target, &lease).await;
    assert_eq!(blind.code, 422);
    assert_eq!(
        blind.json()["message"],
        "leases.coordination.k8s.io \"mine\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    );
    lease["metadata"]["resourceVersion"] = made.json()["metadata"]["resourceVersion"].clone();
    lease["spec"]["leaseDurationSeconds"] = json!(2);
    assert_eq!(put(&target, &lease).await.code, 200);
    // What had another life is not begun anew by who remembers that.
    lease["metadata"] = json!({"name": "gone", "uid": made.json()["metadata"]["uid"]});
    assert_eq!(put(&format!("{leases}/gone"), &lease).await.code, 409);
    let map = json!({"metadata": {"name": "a"}});
    assert_eq!(put(&format!("{MAPS}/a"), &map).await.code, 404);

    define(&api, crates()).await;
    let crates = of(api.admin(), "v1");
    crates
        .create(&PostParams::default(), &one("box", &json!({})))
        .await
        .unwrap();
    let blind = crates
        .replace("box", &PostParams::default(), &one("box", &json!({})))
        .await;
    let (code, message) = refusal(blind.unwrap_err());
    assert_eq!(code, 422);
    assert!(message.ends_with("must be specified for an update"), "{message}");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_is_not_understood_is_not_done() {
    let api = Harness::start().await;
    let client = api.admin();
    let body = json!({"metadata": {"name": "a"}}).to_string();
    send(&client, Method::POST, MAPS, &[], body).await;
    for target in [format!("{MAPS}/a?dryRun=Some"), format!("{MAPS}?dryRun=Some")] {
        let refused = send(&client, Method::DELETE, &target, &[], "").await;
        let message = refused.json()["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(refused.code, 422, "{target}: {message}");
        assert!(message.contains("dryRun: Unsupported value"), "{message}");
    }
    let dry = format!("{MAPS}?dryRun=All");
    assert_eq!(send(&client, Method::DELETE, &dry, &[], "").await.code, 200);
    assert_eq!(get(&client, &format!("{MAPS}/a"), &[]).await.code, 200);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_with_gates_gets_no_node_until_they_are_gone() {
    const PODS: &str = "/api/v1/namespaces/default/pods";
    let api = Harness::start().await;
    let client = api.admin();
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}],
        "schedulingGates": [{"name": "example.org/wait"}]}});
    send(&client, Method::POST, PODS, &[], pod.to_string()).await;
    let binding = json!({"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}).to_string();
    let bind = || {
        send(
            &client,
            Method::POST,
            "/api/v1/namespaces/default/pods/p/binding",
            &[],
            binding.clone(),
        )
    };
    let refused = bind().await;
    assert_eq!(refused.code, 409);
    let message = refused.json()["message"].as_str().unwrap_or_default().to_owned();
    assert!(
        message.ends_with("pod p has non-empty .spec.schedulingGates"),
        "{message}"
    );
    let merge = [("content-type", "application/merge-patch+json")];
    let patch = json!({"spec": {"schedulingGates": null, "nodeSelector": {"disk": "ssd"}}}).to_string();
    let freed = send(&client, Method::PATCH, &format!("{PODS}/p"), &merge, patch).await;
    assert_eq!(freed.code, 200, "{}", freed.json());
    assert_eq!(bind().await.code, 201);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_is_deleted_as_far_as_the_limit_says() {
    let api = Harness::start().await;
    let client = api.admin();
    for name in ["a", "b", "c", "d"] {
        let body = json!({"metadata": {"name": name, "labels": {"set": "x"}}}).to_string();
        assert_eq!(send(&client, Method::POST, MAPS, &[], body).await.code, 201);
    }
    let delete = async |more: &str| {
        let target = format!("{MAPS}?labelSelector=set%3Dx&limit=1{more}");
        let list = send(&client, Method::DELETE, &target, &[], "").await.json();
        let names: Vec<String> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect();
        let token = list["metadata"]["continue"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        (names, token)
    };
    let (dry, token) = delete("&dryRun=All").await;
    assert_eq!(dry, ["a"]);
    let (dry, _) = delete(&format!("&dryRun=All&continue={token}")).await;
    assert_eq!(dry, ["b"], "a dry run reads on like any other");
    let (gone, token) = delete("").await;
    assert_eq!(gone, ["a"]);
    assert_eq!(delete(&format!("&continue={token}")).await.0, ["b"]);
    let left = get(&client, &format!("{MAPS}?labelSelector=set%3Dx"), &[])
        .await
        .json();
    assert_eq!(left["items"].as_array().map(Vec::len), Some(2));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yaml_that_says_a_field_twice_is_told_of_it_like_json() {
    let api = Harness::start().await;
    let client = api.admin();
    let yaml = [("content-type", "application/yaml")];
    let apply = [("content-type", "application/apply-patch+yaml")];
    let body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: one}\ndata: {k: two}\n";
    let target = |path: &str, validation: &str| format!("{path}?fieldManager=m&fieldValidation={validation}");
    let object = format!("{MAPS}/a");
    for (method, path, headers, refused) in [
        (
            Method::POST,
            MAPS,
            &yaml,
            "strict decoding error: duplicate field \"data\"",
        ),
        (
            Method::PATCH,
            &object,
            &apply,
            "error strict decoding YAML: duplicate field \"data\"",
        ),
    ] {
        let strict = send(&client, method.clone(), &target(path, "Strict"), headers, body).await;
        let message = strict.json()["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(strict.code, 400, "{message}");
        assert!(message.contains(refused), "{message}");
        let told = send(&client, method.clone(), &target(path, "Warn"), headers, body).await;
        assert_eq!(told.code, 201, "{}", told.json());
        assert!(told.header("warning").contains("duplicate field \\\"data\\\""));
        assert_eq!(told.json()["data"]["k"], "two");
        send(&client, Method::DELETE, &object, &[], "").await;
        let ignored = send(&client, method, &target(path, "Ignore"), headers, body).await;
        assert_eq!((ignored.code, ignored.header("warning")), (201, ""));
        send(&client, Method::DELETE, &object, &[], "").await;
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_about_to_be_free_is_told_from_one_that_is_taken() {
    let api = Harness::start().await;
    let client = api.admin();
    let body = json!({"metadata": {"name": "a", "finalizers": ["example.org/wait"]}}).to_string();
    let create = async || {
        let answer = send(&client, Method::POST, MAPS, &[], body.clone()).await;
        (
            answer.code,
            answer.json()["message"].as_str().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(create().await.0, 201);
    let taken = "configmaps \"a\" already exists";
    assert_eq!(create().await, (409, taken.to_owned()));
    send(&client, Method::DELETE, &format!("{MAPS}/a"), &[], "").await;
    assert_eq!(create().await, (409, format!("object is being deleted: {taken}")));
    api.stop().await;
}
