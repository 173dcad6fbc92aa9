//! Somebody changes what the API knows of the guards.

use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use toolforge_admission::{CONFIGURATION_NAME, Reach, Registration, keep_configurations};
use toolforge_certificates::Authorities;
use toolforge_pki::Authority;
use toolforge_policy::PolicySettings;

use crate::scratch::{Cluster, DEADLINE, client, reach};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configurations_that_drift_are_put_right_with_rights_on_nothing_else() {
    let cluster = Cluster::start().await;
    let address = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let base = cluster.register(address).await;
    cluster
        .grant("ClusterRole", &toolforge_admission::service_rules())
        .await;
    let who = cluster
        .authority
        .issue_client("toolforge:admission", &[])
        .unwrap();
    let own = client(&cluster.url, &cluster.authority, &who).await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, cluster.authority.certificate_pem()).unwrap();
    let shutdown = CancellationToken::new();
    let registration = Registration {
        base,
        authorities: Authorities::file(&ca, shutdown.clone()).unwrap(),
        registered: watch::Sender::default(),
        retired_kept: Duration::from_secs(3),
        reach: reach(),
    };
    tokio::spawn(keep_configurations(own, registration, shutdown.clone()));

    let api: Api<ValidatingWebhookConfiguration> = Api::all(cluster.admin.clone());
    let trusted = Mutex::new(cluster.authority.certificate_pem().to_owned());
    let right = || async {
        let found = api.get(CONFIGURATION_NAME).await.unwrap();
        let webhooks = found.webhooks.unwrap_or_default();
        let pem = trusted.lock().unwrap().clone();
        webhooks.len() == 6
            && webhooks.iter().all(|webhook| {
                webhook.failure_policy.as_deref() == Some("Fail")
                    && webhook
                        .client_config
                        .ca_bundle
                        .as_ref()
                        .is_some_and(|bundle| bundle.0 == pem.as_bytes())
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
    // The one before stays for a while, and then goes by itself.
    let other = Authority::create("renewed").unwrap();
    std::fs::write(&ca, other.certificate_pem()).unwrap();
    *trusted.lock().unwrap() = cluster.authority.certificate_pem().to_owned() + other.certificate_pem();
    until_right().await;
    other.certificate_pem().clone_into(&mut trusted.lock().unwrap());
    until_right().await;
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_under_different_policies_do_not_write_against_each_other_as_fast_as_they_can() {
    const WRITES: i64 = 4;
    let cluster = Cluster::start().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = cluster.register(nobody.local_addr().unwrap()).await;
    let api: Api<ValidatingWebhookConfiguration> = Api::all(cluster.admin.clone());
    let generation = || async {
        let found = api.get(CONFIGURATION_NAME).await.unwrap();
        found.metadata.generation.unwrap()
    };
    let before = generation().await;
    let began = tokio::time::Instant::now();
    let shutdown = CancellationToken::new();
    let of_others = PolicySettings::with("toolforge.org", "r.example");
    for reach in [reach(), Reach::of(&of_others.resolve().unwrap())] {
        let registration = Registration {
            base: base.clone(),
            authorities: Authorities::of(cluster.authority.certificate_pem()),
            registered: watch::Sender::default(),
            retired_kept: Duration::ZERO,
            reach,
        };
        tokio::spawn(keep_configurations(
            cluster.admin.clone(),
            registration,
            shutdown.clone(),
        ));
    }
    while generation().await < before + WRITES {
        assert!(began.elapsed() < DEADLINE, "they have stopped");
    }
    // Each of them once a second, the first time at once.
    assert!(
        began.elapsed() > Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
    shutdown.cancel();
}
