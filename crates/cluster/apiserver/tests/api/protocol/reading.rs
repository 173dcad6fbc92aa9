//! Lists and watches: which options go together, pages, forms, and what is refused.

use http::Method;
use serde_json::{Value, json};

use super::{get, send};
use crate::harness::Harness;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn create(client: &kube::Client, name: &str) -> u64 {
    let body = json!({"metadata": {"name": name, "labels": {"set": "one"}}}).to_string();
    let created = send(client, Method::POST, MAPS, &[], body).await;
    assert_eq!(created.code, 201);
    revision(&created.json())
}

fn revision(value: &Value) -> u64 {
    value["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_read_as_of_the_revision_that_is_asked_for() {
    let api = Harness::start().await;
    let client = api.admin();
    let first = create(&client, "a").await;
    let second = create(&client, "b").await;
    create(&client, "c").await;
    for (query, expected) in [
        (String::new(), "a b c"),
        ("resourceVersion=0".to_owned(), "a b c"),
        (format!("resourceVersion={first}"), "a b c"),
        (
            format!("resourceVersion={first}&resourceVersionMatch=NotOlderThan"),
            "a b c",
        ),
        (format!("resourceVersion={first}&resourceVersionMatch=Exact"), "a"),
        (
            format!("resourceVersion={second}&resourceVersionMatch=Exact"),
            "a b",
        ),
        // In pages without a way to match: exactly that revision.
        (format!("resourceVersion={second}&limit=10"), "a b"),
        ("resourceVersion=0&limit=2".to_owned(), "a b"),
        ("labelSelector=set%3Done,set+in+(one,two)".to_owned(), "a b c"),
        ("labelSelector=!set".to_owned(), ""),
        ("fieldSelector=metadata.name!%3Db".to_owned(), "a c"),
    ] {
        let list = get(&client, &format!("{MAPS}?{query}"), &[]).await.json();
        assert_eq!(names(&list).join(" "), expected, "{query}");
    }
    for (query, code, words) in [
        (
            "resourceVersionMatch=Exact",
            422,
            "ListOptions.meta.k8s.io \"\" is invalid",
        ),
        (
            "sendInitialEvents=true",
            422,
            "sendInitialEvents is forbidden for list",
        ),
        ("resourceVersion=x", 400, "resourceVersion"),
        ("limit=x", 400, "limit"),
        ("continue=x", 400, "continue key is not valid"),
        (
            "continue=eyJ2IjoxfQ&resourceVersion=7",
            400,
            "not allowed when using continue",
        ),
        ("labelSelector=a%3D(", 400, "unable to parse requirement"),
        ("fieldSelector=data%3D1", 400, "field label not supported: data"),
        (
            "watch=true&resourceVersionMatch=Exact",
            422,
            "forbidden for watch unless",
        ),
    ] {
        let refused = get(&client, &format!("{MAPS}?{query}"), &[]).await;
        let message = refused.json()["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (refused.code, message.contains(words)),
            (code, true),
            "{query}: {message}"
        );
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_too_old_can_be_read_on_as_of_now() {
    let api = Harness::start().await;
    let client = api.admin();
    for name in ["a", "b", "c"] {
        create(&client, name).await;
    }
    let page = get(&client, &format!("{MAPS}?limit=1"), &[]).await.json();
    assert_eq!(page["metadata"]["remainingItemCount"], 2);
    // More than is remembered: 16 MiB of changes, in large steps.
    let large = "x".repeat(900 << 10);
    let mut too_old = Value::Null;
    for round in 0..40 {
        let body = json!({"metadata": {"name": "a"}, "data": {"n": round.to_string(), "x": large}});
        let path = "/api/v1/namespaces/default/configmaps/a";
        let written = send(&client, Method::PUT, path, &[], body.to_string()).await;
        assert_eq!(written.code, 200);
        let token = page["metadata"]["continue"].as_str().unwrap();
        let next = get(&client, &format!("{MAPS}?limit=1&continue={token}"), &[]).await;
        if next.code == 410 {
            too_old = next.json();
            break;
        }
        assert_eq!(names(&next.json()), ["b"]);
    }
    assert_eq!(too_old["reason"], "Expired");
    let token = too_old["metadata"]["continue"].as_str().unwrap();
    let next = get(&client, &format!("{MAPS}?continue={token}"), &[])
        .await
        .json();
    assert_eq!(names(&next), ["b", "c"]);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_in_the_form_that_is_asked_for() {
    let api = Harness::start().await;
    let client = api.admin();
    create(&client, "a").await;
    let object = format!("{MAPS}/a");
    let (table, metadata) = (
        "application/json;as=Table;v=v1;g=meta.k8s.io",
        "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    );
    let both = format!("application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,{table}");
    for (path, accept, code, kind) in [
        (object.as_str(), "application/json", 200, "ConfigMap"),
        (object.as_str(), "*/*", 200, "ConfigMap"),
        (object.as_str(), table, 200, "Table"),
        (object.as_str(), both.as_str(), 200, "Table"),
        (object.as_str(), metadata, 200, "PartialObjectMetadata"),
        (MAPS, metadata, 200, "PartialObjectMetadataList"),
        (
            MAPS,
            "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
            200,
            "PartialObjectMetadataList",
        ),
        (
            object.as_str(),
            "application/vnd.kubernetes.protobuf, application/json",
            200,
            "ConfigMap",
        ),
        (
            object.as_str(),
            "application/vnd.kubernetes.protobuf",
            406,
            "Status",
        ),
        (object.as_str(), "text/html", 406, "Status"),
    ] {
        let answer = get(&client, path, &[("accept", accept)]).await;
        assert_eq!(
            (answer.code, answer.json()["kind"].as_str().unwrap()),
            (code, kind),
            "{accept}"
        );
    }
    let shown = get(&client, &format!("{object}?pretty=true"), &[]).await;
    assert!(shown.bytes.starts_with(b"{\n  \"apiVersion\": \"v1\""));
    let scale = "/apis/apps/v1/namespaces/default/deployments/web/scale";
    let web = json!({"metadata": {"name": "web"}, "spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    send(
        &client,
        Method::POST,
        "/apis/apps/v1/namespaces/default/deployments",
        &[],
        web.to_string(),
    )
    .await;
    let shown = get(&client, scale, &[("accept", table)]).await.json();
    assert_eq!(shown["columnDefinitions"][1]["name"], "Desired");
    assert_eq!(shown["rows"][0]["cells"][1], 3);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_refused_plainly() {
    let api = Harness::start().await;
    let client = api.admin();
    create(&client, "a").await;
    let object = format!("{MAPS}/a");
    let ds = "/apis/apps/v1/namespaces/default/daemonsets";
    for (method, path, headers, code, words) in [
        (
            "GET",
            "/nothing",
            &[][..],
            404,
            "could not find the requested resource",
        ),
        (
            "GET",
            "/apis/nothing.org/v1",
            &[],
            404,
            "could not find the requested resource",
        ),
        (
            "GET",
            "/api/v1/namespaces/default/nothings",
            &[],
            404,
            "could not find the requested resource",
        ),
        (
            "GET",
            "/api/v1/namespaces/default/configmaps/a/nothing",
            &[],
            404,
            "could not find the requested resource",
        ),
        (
            "GET",
            "/api/v1/namespaces/default/configmaps/b",
            &[],
            404,
            "configmaps \"b\" not found",
        ),
        (
            "PATCH",
            "/api/v1/namespaces/default/configmaps/b",
            &[("content-type", "application/merge-patch+json")],
            404,
            "configmaps \"b\" not found",
        ),
        (
            "PUT",
            "/api/v1/namespaces/default/configmaps/b",
            &[],
            404,
            "configmaps \"b\" not found",
        ),
        (
            "DELETE",
            "/api/v1/namespaces/default/configmaps/b",
            &[],
            404,
            "configmaps \"b\" not found",
        ),
        ("POST", object.as_str(), &[], 405, "does not allow this method"),
        ("OPTIONS", object.as_str(), &[], 405, "not supported"),
        (
            "POST",
            MAPS,
            &[("content-type", "application/cbor")],
            415,
            "accepted media types include: application/json",
        ),
        (
            "PATCH",
            object.as_str(),
            &[("content-type", "application/json")],
            415,
            "application/merge-patch+json",
        ),
        (
            "POST",
            ds,
            &[],
            405,
            "create is not supported on resources of kind \"daemonsets.apps\"",
        ),
    ] {
        let answer = send(&client, method.parse().unwrap(), path, headers, "{}").await;
        let status = answer.json();
        let message = status["message"].as_str().unwrap_or_default();
        assert_eq!(
            (answer.code, message.contains(words)),
            (code, true),
            "{method} {path}: {message}"
        );
        assert_eq!(status["kind"], "Status");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_nothing_acts_upon_can_be_looked_for() {
    let api = Harness::start().await;
    let client = api.admin();
    for path in [
        "/apis/apps/v1/namespaces/default/daemonsets",
        "/api/v1/replicationcontrollers",
        "/api/v1/persistentvolumes",
    ] {
        assert_eq!(names(&get(&client, path, &[]).await.json()), [""; 0]);
    }
    let old = get(&client, "/api/v1/namespaces/default/endpoints", &[]).await;
    assert_eq!(
        old.header("warning"),
        "299 - \"v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\""
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_yaml_for_who_asks_for_it() {
    let api = Harness::start().await;
    let client = api.admin();
    let yaml = [
        ("accept", "application/yaml"),
        ("content-type", "application/yaml"),
        ("accept-encoding", "gzip"),
    ];
    let body =
        "metadata:\n  name: a\n  labels: {set: one}\ndata:\n  switch: 'on'\n  text: |\n    one\n    two\n";
    let made = send(&client, Method::POST, MAPS, &yaml, body).await;
    assert_eq!(
        (made.code, made.header("content-type")),
        (201, "application/yaml")
    );
    let read = |bytes: &[u8]| serde_saphyr::from_str::<Value>(std::str::from_utf8(bytes).unwrap()).unwrap();
    let object = read(&made.bytes);
    assert_eq!(object["data"], json!({"switch": "on", "text": "one\ntwo\n"}));
    let plain = get(&client, &format!("{MAPS}/a"), &[]).await;
    assert_eq!(plain.json(), object);
    let list = get(&client, MAPS, &yaml).await;
    assert_eq!(names(&read(&list.bytes)), ["a"]);
    let table = [("accept", "application/yaml;as=Table;v=v1;g=meta.k8s.io")];
    let table = read(&get(&client, MAPS, &table).await.bytes);
    assert_eq!(
        (&table["kind"], &table["rows"][0]["cells"][0]),
        (&json!("Table"), &json!("a"))
    );
    let missing = get(&client, &format!("{MAPS}/b"), &yaml).await;
    assert_eq!(
        (missing.code, &read(&missing.bytes)["reason"]),
        (404, &json!("NotFound"))
    );
    let groups = read(&get(&client, "/apis", &yaml).await.bytes);
    assert_eq!(groups["kind"], "APIGroupList");
    // A stream of events has no YAML, in Kubernetes neither.
    let watch = get(&client, &format!("{MAPS}?watch=true"), &yaml).await;
    assert_eq!(watch.code, 406);
    api.stop().await;
}
