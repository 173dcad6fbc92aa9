//! Certificates by request, as the account service gets them for tools.

use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use kube::api::{Api, PostParams};
use serde_json::json;
use toolforge_pki::{new_request, new_server_request, read_certificate_pem};

use crate::cluster::{Cluster, object, until_one};

const API_CLIENT: &str = "kubernetes.io/kube-apiserver-client";

fn request(name: &str, signer: &str, usages: &[&str], pem: String) -> CertificateSigningRequest {
    let mut request: CertificateSigningRequest = object(json!({
        "metadata": {"name": name},
        "spec": {"request": "", "signerName": signer, "usages": usages, "expirationSeconds": 86400},
    }));
    request.spec.request = ByteString(pem.into_bytes());
    request
}

async fn approved(cluster: &Cluster, request: &CertificateSigningRequest) {
    let api: Api<CertificateSigningRequest> = Api::all(cluster.admin.clone());
    let mut made = api.create(&PostParams::default(), request).await.unwrap();
    made.status = Some(object(
        json!({"conditions": [{"type": "Approved", "status": "True", "reason": "Test"}]}),
    ));
    let name = made.metadata.name.clone().unwrap();
    api.replace_subresource("approval", &name, &PostParams::default(), &made)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_approved_request_becomes_a_certificate() {
    let cluster = Cluster::start().await;
    let usages = ["client auth", "digital signature", "key encipherment"];
    let (_, pem) = new_request("wm-lol", &["toolforge", "extra"]).unwrap();
    approved(&cluster, &request("tool", API_CLIENT, &usages, pem)).await;
    let api: Api<CertificateSigningRequest> = Api::all(cluster.admin.clone());
    let signed = |request: &CertificateSigningRequest| request.status.as_ref()?.certificate.clone();
    let certificate = until_one(&api, "tool", "it is signed", signed).await;
    let read = read_certificate_pem(std::str::from_utf8(&certificate.0).unwrap()).unwrap();
    assert_eq!(read.common_name, "wm-lol");
    assert_eq!(read.organizations, ["toolforge", "extra"]);
    let life = read
        .not_after
        .duration_since(std::time::SystemTime::now())
        .unwrap()
        .as_secs();
    assert!((86_000..=86_400).contains(&life), "{life}");
}

#[tokio::test]
async fn nobody_becomes_a_master_by_request() {
    let cluster = Cluster::start().await;
    let api: Api<CertificateSigningRequest> = Api::all(cluster.admin.clone());
    let (_, pem) = new_request("mallory", &["system:masters"]).unwrap();
    let request = request("master", API_CLIENT, &["client auth"], pem);
    let refused = api.create(&PostParams::default(), &request).await.unwrap_err();
    let why = "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed";
    assert!(refused.to_string().contains(why), "{refused}");
}

#[tokio::test]
async fn a_server_is_not_called_what_nobody_dials() {
    let cluster = Cluster::start().await;
    let usages = ["digital signature", "server auth"];
    let serving = "kubernetes.io/kubelet-serving";
    let (_, pem) = new_server_request("system:node:a", &["system:nodes"], &["a.b.svc"]).unwrap();
    approved(&cluster, &request("good", serving, &usages, pem)).await;
    let api: Api<CertificateSigningRequest> = Api::all(cluster.admin.clone());
    let signed = |request: &CertificateSigningRequest| request.status.as_ref()?.certificate.clone();
    until_one(&api, "good", "it is signed", signed).await;

    let (_, pem) = new_request("system:node:a", &["system:nodes"]).unwrap();
    approved(&cluster, &request("nameless", serving, &usages, pem)).await;
    let failed = |request: &CertificateSigningRequest| {
        let status = request.status.as_ref()?;
        let conditions = status.conditions.iter().flatten();
        let failed = conditions
            .into_iter()
            .find(|condition| condition.type_ == "Failed")?;
        Some((failed.message.clone(), status.certificate.is_none()))
    };
    let (message, unsigned) = until_one(&api, "nameless", "it is refused", failed).await;
    assert!(unsigned);
    assert_eq!(message.as_deref(), Some("DNS or IP subjectAltName is required"));
}
