//! What maintainers see of their Ingresses: the status, and why one is not served.

use k8s_openapi::api::{core::v1::Event, networking::v1::Ingress};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{Gateway, until_published};
use crate::{
    cluster::Cluster,
    scene::{DEADLINE, DOMAIN, LOOK_AGAIN},
    tools::Tool,
};

const NAMESPACE: &str = "tool-alpha";

#[tokio::test]
async fn ingress_that_is_not_served_any_more_loses_its_status_and_says_why_once() {
    let (cluster, tool) = (Cluster::new().await, Tool::named("alpha").await);
    let folder = tempfile::tempdir().unwrap();
    let last_table = folder.path().join("table.json");
    let gateway = Gateway::new(cluster.client.clone(), last_table.clone()).await;
    let (ingresses, host) = (cluster.ingresses(NAMESPACE), format!("alpha.{DOMAIN}"));
    cluster.create_namespace(NAMESPACE).await;
    cluster.create_backend(NAMESPACE, &tool).await;
    cluster.create_ingress(NAMESPACE, "web", &host).await;
    until_published(&ingresses, "web").await;

    // An annotation that nobody does, behind the back of the guard.
    annotate(&cluster, json!("return 418;")).await;
    until_withdrawn(&ingresses, "web").await;
    gateway.until_status("alpha", 404).await;
    let said = until_said(&cluster, "web", "NotServed").await;
    assert!(said.contains("server-snippet"), "{said}");
    annotate(&cluster, Value::Null).await;
    until_published(&ingresses, "web").await;

    // Two with the same path: of the same second, so that the name decides.
    cluster.create_ingress(NAMESPACE, "younger", &host).await;
    let said = until_said(&cluster, "younger", "NotServed").await;
    assert!(
        said.contains(&format!("{host}/ is that of web in {NAMESPACE}")),
        "{said}"
    );
    assert_eq!(address(&ingresses, "younger").await, None);
    ingresses.delete("web", &DeleteParams::default()).await.unwrap();
    until_published(&ingresses, "younger").await;
    gateway.stop().await;

    // Under another policy nobody has the host.
    for _ in 0..2 {
        let client = cluster.client.clone();
        let gateway = Gateway::under("elsewhere.test", client, last_table.clone()).await;
        until_withdrawn(&ingresses, "younger").await;
        let name = format!("new-{}", gateway.port);
        cluster.create_ingress(NAMESPACE, &name, &host).await;
        // Whoever has heard of this one has heard of the others before.
        until_said(&cluster, &name, "NotServed").await;
        gateway.stop().await;
    }
    let events = events(&cluster, "younger").await;
    assert_eq!(events.len(), 2, "once for each reason: {events:#?}");
    assert!(events.iter().all(|event| event.count == Some(1)), "{events:#?}");

    // What stands for long is said again, by whoever says it first.
    let api = Api::<Event>::namespaced(cluster.client.clone(), NAMESPACE);
    let aged = json!({ "lastTimestamp": "2026-01-01T00:00:00Z" });
    for event in &events {
        let name = event.metadata.name.as_deref().unwrap();
        let patch = Patch::Merge(&aged);
        api.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }
    let client = cluster.client.clone();
    let gateway = Gateway::under("elsewhere.test", client, last_table).await;
    let looking = async {
        while !self::events(&cluster, "younger")
            .await
            .iter()
            .any(|event| event.count == Some(2))
        {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(DEADLINE, looking)
        .await
        .expect("the Event counts once more");
    let counts: Vec<_> = self::events(&cluster, "younger").await;
    let counts: i32 = counts.iter().filter_map(|event| event.count).sum();
    assert_eq!(counts, 3, "only the reason that stands");
    gateway.stop().await;
    cluster.stop().await;
}

async fn annotate(cluster: &Cluster, value: Value) {
    let annotations = json!({ "nginx.ingress.kubernetes.io/server-snippet": value });
    let patch = json!({ "metadata": { "annotations": annotations } });
    cluster.patch_ingress(NAMESPACE, "web", patch).await;
}

/// Where the status says that an Ingress is served.
async fn address(ingresses: &Api<Ingress>, name: &str) -> Option<String> {
    let status = ingresses.get(name).await.unwrap().status?;
    status.load_balancer?.ingress?.first()?.ip.clone()
}

async fn until_withdrawn(ingresses: &Api<Ingress>, name: &str) {
    let looking = async {
        while address(ingresses, name).await.is_some() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(DEADLINE, looking)
        .await
        .expect("the status was not withdrawn in time");
}

async fn events(cluster: &Cluster, ingress: &str) -> Vec<Event> {
    // As `kubectl describe` asks for them.
    let uid = cluster
        .ingresses(NAMESPACE)
        .get(ingress)
        .await
        .unwrap()
        .metadata
        .uid;
    let fields = format!(
        "involvedObject.kind=Ingress,involvedObject.name={ingress},involvedObject.uid={}",
        uid.unwrap()
    );
    let events = Api::<Event>::namespaced(cluster.client.clone(), NAMESPACE);
    events
        .list(&ListParams::default().fields(&fields))
        .await
        .unwrap()
        .items
}

async fn until_said(cluster: &Cluster, ingress: &str, reason: &str) -> String {
    let looking = async {
        loop {
            let said = events(cluster, ingress).await;
            let said = said
                .into_iter()
                .find(|event| event.reason.as_deref() == Some(reason));
            if let Some(said) = said {
                return said.message.unwrap();
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(DEADLINE, looking)
        .await
        .expect("no Event came in time")
}
