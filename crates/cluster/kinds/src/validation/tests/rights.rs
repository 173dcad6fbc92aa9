//! Roles, webhooks and certificate requests.

use serde_json::json;

use super::{cases, changed, check, with};
use crate::{Subresource, by_kind, validate_update};

#[test]
fn roles_and_bindings() {
    let rbac = "rbac.authorization.k8s.io";
    let role = json!({"metadata": {"name": "a:b"}, "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]});
    check(
        rbac,
        "Role",
        &role,
        &cases! {
            "/metadata/name" => "a/b" => "metadata.name: Invalid value: \"a/b\": may not contain '/'";
            "/rules/0/verbs" => [] => "rules[0].verbs: Required value: verbs must contain at least one value";
            "/rules/0/apiGroups" => [] => "rules[0].apiGroups: Required value: resource rules must supply at least one api group";
            "/rules/0/resources" => [] => "rules[0].resources: Required value: resource rules must supply at least one resource";
            "/rules/0" => {"verbs": ["get"], "nonResourceURLs": ["/x"]} => "rules[0].nonResourceURLs: Invalid value: [\"/x\"]: namespaced rules cannot apply to non-resource URLs";
        },
    );
    let binding = json!({"metadata": {"name": "a"}, "roleRef": {"kind": "Role", "name": "a"}, "subjects": [{"kind": "User", "name": "u"}]});
    check(
        rbac,
        "RoleBinding",
        &binding,
        &cases! {
            "/roleRef/kind" => "X" => "roleRef.kind: Unsupported value: \"X\": supported values: \"ClusterRole\", \"Role\"";
            "/roleRef/name" => "" => "roleRef.name: Required value";
            "/subjects/0/kind" => "X" => "subjects[0].kind: Unsupported value: \"X\": supported values: \"ServiceAccount\", \"User\", \"Group\"";
            "/subjects/0" => {"kind": "ServiceAccount", "name": "s"} => "subjects[0].namespace: Required value";
        },
    );
    assert!(
        changed(rbac, "RoleBinding", &binding, "/roleRef/name", json!("b"))
            .ends_with(": cannot change roleRef")
    );
}

#[test]
fn webhooks() {
    let hook = json!({"name": "a.b.c", "sideEffects": "None", "admissionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:1/x"},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]});
    let good = json!({"metadata": {"name": "a"}, "webhooks": [hook]});
    check(
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        &good,
        &cases! {
            "/webhooks/0/name" => "a" => "webhooks[0].name: Invalid value: \"a\": should be a domain with at least three segments separated by dots";
            "/webhooks/0/sideEffects" => null => "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun";
            "/webhooks/0/admissionReviewVersions" => [] => "webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1";
            "/webhooks/0/clientConfig" => {} => "webhooks[0].clientConfig: Required value: exactly one of url or service is required";
            "/webhooks/0/clientConfig" => {"url": "http://a"} => "webhooks[0].clientConfig.url: Invalid value: \"http://a\": 'https' is the only allowed URL scheme";
            "/webhooks/0/timeoutSeconds" => 31 => "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds";
            "/webhooks/0/failurePolicy" => "X" => "webhooks[0].failurePolicy: Unsupported value: \"X\": supported values: \"Fail\", \"Ignore\"";
            "/webhooks/0/rules/0/operations" => ["MOVE"] => "webhooks[0].rules[0].operations[0]: Unsupported value: \"MOVE\"";
        },
    );
}

#[test]
fn api_services() {
    let good = json!({"metadata": {"name": "v1beta1.metrics.k8s.io"}, "spec": {"group": "metrics.k8s.io", "version": "v1beta1",
        "groupPriorityMinimum": 100, "versionPriority": 100, "service": {"namespace": "n", "name": "s", "port": 443}}});
    check(
        "apiregistration.k8s.io",
        "APIService",
        &good,
        &cases! {
            "/metadata/name" => "v1.metrics.k8s.io" => "metadata.name: Invalid value: \"v1.metrics.k8s.io\": must be `spec.version+\".\"+spec.group`: \"v1beta1.metrics.k8s.io\"";
            "/spec/versionPriority" => 0 => "spec.versionPriority: Invalid value: 0: must be positive and not greater than 1000";
            "/spec/groupPriorityMinimum" => 20001 => "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and not greater than 20000";
            "/spec/service/name" => null => "spec.service.name: Required value";
            "/spec/service/port" => 0 => "spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive";
            "/spec/insecureSkipTLSVerify" => true => "spec.insecureSkipTLSVerify: Forbidden: the API tells this server who its users are and does not do so without verification; put the authority of the server's certificate into caBundle";
        },
    );
}

#[test]
fn certificate_requests() {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let request = encode("-----BEGIN CERTIFICATE REQUEST-----\nMAAA\n-----END CERTIFICATE REQUEST-----\n");
    let good = json!({"metadata": {"name": "a"}, "spec": {"request": request, "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"]}});
    check(
        "certificates.k8s.io",
        "CertificateSigningRequest",
        &good,
        &cases! {
            "/spec/request" => null => "spec.request: Required value";
            "/spec/request" => (encode("x")) => "spec.request: Invalid value: \"eA==\": PEM block type must be CERTIFICATE REQUEST";
            "/spec/signerName" => "a" => "spec.signerName: Invalid value: \"a\": must be a fully qualified domain and path";
            "/spec/usages" => [] => "spec.usages: Required value";
            "/spec/usages" => ["x"] => "spec.usages[0]: Unsupported value: \"x\"";
            "/spec/expirationSeconds" => 5 => "spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 600 seconds";
        },
    );
    let kind = by_kind("certificates.k8s.io", "v1", "CertificateSigningRequest").unwrap();
    let condition = |kind: &str| json!({"type": kind, "status": "True"});
    let approved = with(&good, "/status", json!({"conditions": [condition("Approved")]}));
    assert!(validate_update(kind, &good, &approved, Some(Subresource::Approval)).is_empty());
    let both = with(
        &good,
        "/status",
        json!({"conditions": [condition("Approved"), condition("Denied")]}),
    );
    assert_eq!(
        validate_update(kind, &good, &both, Some(Subresource::Approval)).len(),
        1
    );
    assert_eq!(
        validate_update(kind, &approved, &good, Some(Subresource::Approval)).len(),
        1
    );
}
