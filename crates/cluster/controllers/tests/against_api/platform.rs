//! Certificates by request, as the account service gets them for tools.

use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use kube::api::{Api, PostParams};
use serde_json::json;
use toolforge_pki::{new_request, read_certificate_pem};

use crate::cluster::{Cluster, object, until_one};

async fn ask(cluster: &Cluster, name: &str, user: &str, groups: &[&str]) -> CertificateSigningRequest {
    let api: Api<CertificateSigningRequest> = Api::all(cluster.admin.clone());
    let (_, pem) = new_request(user, groups).unwrap();
    let mut request: CertificateSigningRequest = object(json!({
        "metadata": {"name": name},
        "spec": {
            "request": "",
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth", "digital signature", "key encipherment"],
            "expirationSeconds": 86400,
        },
    }));
    request.spec.request = ByteString(pem.into_bytes());
    let mut made = api.create(&PostParams::default(), &request).await.unwrap();
    made.status = Some(object(
        json!({"conditions": [{"type": "Approved", "status": "True", "reason": "Test"}]}),
    ));
    let body = serde_json::to_vec(&made).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    api.replace_subresource("approval", name, &PostParams::default(), &body)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_approved_request_becomes_a_certificate() {
    let cluster = Cluster::start().await;
    ask(&cluster, "tool", "wm-lol", &["toolforge", "extra"]).await;
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
    ask(&cluster, "master", "mallory", &["system:masters"]).await;
    let api: Api<CertificateSigningRequest> = Api::all(cluster.admin.clone());
    let failed = |request: &CertificateSigningRequest| {
        let status = request.status.as_ref()?;
        let failed = status
            .conditions
            .as_ref()?
            .iter()
            .find(|condition| condition.type_ == "Failed")?;
        Some((failed.message.clone(), status.certificate.is_none()))
    };
    let (message, unsigned) = until_one(&api, "master", "it is refused", failed).await;
    assert!(unsigned);
    assert!(message.unwrap().contains("system:masters"));
}
