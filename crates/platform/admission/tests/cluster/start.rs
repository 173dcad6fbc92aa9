//! No guard is running.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::scratch::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_whose_guards_are_down_can_start_them_and_nothing_else() {
    let cluster = Cluster::start().await;
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    cluster.register(nobody).await;
    cluster.tool("hello").await;

    let of = |version: &str, kind: &str, spec: &Value| {
        json!({
            "apiVersion": version, "kind": kind, "spec": spec,
            "metadata": {"name": "admission", "namespace": "toolforge-system"},
        })
    };
    let pod = json!({
        "automountServiceAccountToken": false, "serviceAccountName": "admission",
        "containers": [{"name": "admission", "image": "anywhere.example/toolforge:1"}],
    });
    let template = json!({"metadata": {"labels": {"name": "admission"}}, "spec": pod});
    let csr = toolforge_pki::new_request("admission.toolforge-system.svc", &[])
        .unwrap()
        .1;
    let request = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, csr);
    for object in [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "toolforge-system"}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "admission", "namespace": "toolforge-system"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "admission", "namespace": "toolforge-system"}}),
        of(
            "apps/v1",
            "Deployment",
            &json!({"selector": {"matchLabels": {"name": "admission"}}, "template": template}),
        ),
        of("v1", "Pod", &pod),
        of(
            "v1",
            "Service",
            &json!({"selector": {"name": "admission"}, "ports": [{"port": 443}]}),
        ),
        of("coordination.k8s.io/v1", "Lease", &json!({"holderIdentity": "a"})),
        json!({
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "admission"},
            "spec": {"request": request, "signerName": "example.org/webhooks", "usages": ["server auth"]},
        }),
    ] {
        cluster.create(&object).await.unwrap();
    }

    // What the operator calls safe is no business of the guards: the cluster's network and storage have to start before them.
    let mut driver = of(
        "v1",
        "Pod",
        &json!({"containers": [{"name": "driver", "image": "anywhere.example/driver:1"}]}),
    );
    driver["metadata"]["namespace"] = json!("storage-system");
    for (namespace, starts) in [("storage-system", true), ("storage", false)] {
        driver["metadata"]["namespace"] = json!(namespace);
        let metadata = json!({"name": "default", "namespace": namespace});
        for object in [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        ] {
            cluster.create(&object).await.unwrap();
        }
        match cluster.create(&driver).await {
            Ok(_) => assert!(starts, "{namespace}"),
            Err(error) => assert!(
                !starts && error.to_string().contains("failed calling webhook"),
                "{error}"
            ),
        }
    }

    let mut of_tool = of("v1", "Pod", &pod);
    of_tool["metadata"]["namespace"] = json!("tool-hello");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "admission", "namespace": "tool-hello"}});
    cluster.create(&account).await.unwrap();
    let refused = cluster.create(&of_tool).await.unwrap_err().to_string();
    assert!(refused.contains("failed calling webhook"), "{refused}");
    // Out of reach would be who takes the label off; but the name is no label of anybody's choice.
    let namespaces: Api<Namespace> = Api::all(cluster.admin.clone());
    let renamed =
        json!({"metadata": {"labels": {"tenancy": null, "kubernetes.io/metadata.name": "toolforge-system"}}});
    let parameters = PatchParams::default();
    let _ = namespaces
        .patch("tool-hello", &parameters, &Patch::Merge(&renamed))
        .await;
    let refused = cluster.create(&of_tool).await.unwrap_err().to_string();
    assert!(refused.contains("failed calling webhook"), "{refused}");
}
