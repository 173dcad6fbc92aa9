//! The guards and an API of the built-in cluster: what happens when some or all of the guards are down, and when
//! somebody changes what the API knows of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use toolforge_admission::{
    AuthoritySource, CONFIGURATION_NAME, ClientConfigBase, Registration, keep_configurations,
    webhook_configurations,
};
use toolforge_apiserver::ApiServer;
use toolforge_pki::{Authority, Identity};

const DEADLINE: Duration = Duration::from_mins(1);

struct Cluster {
    url: String,
    authority: Authority,
    admin: Client,
    _folder: tempfile::TempDir,
    _running: DropGuard,
}

impl Cluster {
    async fn start() -> Self {
        let authority = Authority::create("cluster").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let config = toolforge_apiserver::Config {
            store_dir: folder.path().join("store"),
            keys_dir: folder.path().join("keys"),
            advertise: url.clone(),
            server: authority.issue_server(&["127.0.0.1"]).unwrap(),
            client_ca_pem: authority.certificate_pem().to_owned(),
            node_client: authority.issue_client("kubelet-client", &[]).unwrap(),
            service_network: u32::from(Ipv4Addr::new(127, 97, 0, 0)),
        };
        let api = ApiServer::open(config).await.unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        tokio::spawn(async move { api.run(listener, stop).await });
        let admin = authority.issue_client("admin", &["system:masters"]).unwrap();
        let admin = client(&url, &authority, &admin).await;
        Self {
            url,
            authority,
            admin,
            _folder: folder,
            _running: shutdown.drop_guard(),
        }
    }

    /// The configurations of webhooks that are at this address.
    async fn register(&self, address: SocketAddr) -> ClientConfigBase {
        let base = ClientConfigBase::Url(format!("https://{address}"));
        for configuration in webhook_configurations(&base, self.authority.certificate_pem(), false) {
            self.create(&configuration).await.unwrap();
        }
        base
    }

    async fn create(&self, object: &Value) -> kube::Result<DynamicObject> {
        let text = |field: &str| object[field].as_str().unwrap();
        let (group, version) = text("apiVersion")
            .split_once('/')
            .unwrap_or(("", text("apiVersion")));
        let kind = GroupVersionKind::gvk(group, version, text("kind"));
        let resource = ApiResource::from_gvk(&kind);
        let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(self.admin.clone(), namespace, &resource),
            None => Api::all_with(self.admin.clone(), &resource),
        };
        let object = serde_json::from_value(object.clone()).unwrap();
        api.create(&PostParams::default(), &object).await
    }

    async fn tool(&self, name: &str) {
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": format!("tool-{name}"), "labels": {"tenancy": "tool", "name": format!("tool-{name}")}},
        });
        self.create(&namespace).await.unwrap();
    }
}

async fn client(url: &str, authority: &Authority, identity: &Identity) -> Client {
    let text = toolforge_serve::kubeconfig(url, authority.certificate_pem(), identity, "test", "default");
    let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
    Client::try_from(config.unwrap()).unwrap()
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configurations_that_drift_are_put_right_with_rights_on_nothing_else() {
    let cluster = Cluster::start().await;
    let address = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let base = cluster.register(address).await;
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "toolforge-admission"},
        "rules": toolforge_admission::service_rules(),
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "toolforge-admission"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "toolforge-admission"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "toolforge:admission"}],
    });
    cluster.create(&role).await.unwrap();
    cluster.create(&binding).await.unwrap();
    let who = cluster
        .authority
        .issue_client("toolforge:admission", &[])
        .unwrap();
    let own = client(&cluster.url, &cluster.authority, &who).await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, cluster.authority.certificate_pem()).unwrap();
    let (renew, renewed) = tokio::sync::watch::channel(());
    let registration = Registration {
        base,
        authority: AuthoritySource::File(ca.clone()),
        pods_everywhere: false,
    };
    let shutdown = CancellationToken::new();
    tokio::spawn(keep_configurations(own, registration, renewed, shutdown.clone()));

    let api: Api<ValidatingWebhookConfiguration> = Api::all(cluster.admin.clone());
    let right = || async {
        let found = api.get(CONFIGURATION_NAME).await.unwrap();
        let webhooks = found.webhooks.unwrap_or_default();
        let pem = std::fs::read(&ca).unwrap();
        webhooks.len() == 6
            && webhooks.iter().all(|webhook| {
                webhook.failure_policy.as_deref() == Some("Fail")
                    && webhook
                        .client_config
                        .ca_bundle
                        .as_ref()
                        .is_some_and(|bundle| bundle.0 == pem)
                    && webhook
                        .match_conditions
                        .iter()
                        .flatten()
                        .all(|condition| condition.expression != "false")
                    && webhook
                        .object_selector
                        .as_ref()
                        .is_none_or(|selector| selector.match_labels.is_none())
            })
    };
    let until_right = || async {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while !right().await {
            assert!(tokio::time::Instant::now() < deadline, "it stays wrong");
        }
    };
    until_right().await;
    let wrong = |field: &str, value: Value| {
        let mut webhook = json!({"name": "ingress-admission.toolforge.org"});
        webhook[field] = value;
        json!({"webhooks": [webhook]})
    };
    for drift in [
        wrong("failurePolicy", json!("Ignore")),
        wrong(
            "matchConditions",
            json!([{"name": "never", "expression": "false"}]),
        ),
        wrong("objectSelector", json!({"matchLabels": {"no": "one"}})),
        json!({"webhooks": [{"$patch": "delete", "name": "service-admission.toolforge.org"}]}),
    ] {
        api.patch(
            CONFIGURATION_NAME,
            &PatchParams::default(),
            &Patch::Strategic(drift),
        )
        .await
        .unwrap();
        until_right().await;
    }
    let other = Authority::create("renewed").unwrap();
    std::fs::write(&ca, other.certificate_pem()).unwrap();
    renew.send(()).unwrap();
    until_right().await;
    shutdown.cancel();
}
