//! Whoever signs is away, denies, or is not the one by whom the guards are known: they wait, say why, and do not hurry.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use kube::Api;
use kube::api::PostParams;
use kube::runtime::watcher::{Config, Event};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use toolforge_admission::{AUTHORITIES, DEFAULT_SIGNER};
use toolforge_certificates::{Authorities, IssueError, Serving, issue, present};
use toolforge_pki::Authority;

use crate::certificates::{Front, asked, cluster, presented, refusal, until_guarded};
use crate::scratch::{Cluster, DEADLINE};

/// A signer for which the client of these tests may not approve.
const NOT_OURS: &str = "example.org/webhooks";
/// The shortest pause after a first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// Answers every request that comes, as somebody else would; when each came.
fn answer_all(cluster: &Cluster, verdict: Option<&'static str>) -> Arc<Mutex<Vec<Instant>>> {
    let came = Arc::new(Mutex::new(Vec::new()));
    let api: Api<CertificateSigningRequest> = Api::all(cluster.admin.clone());
    let seen = Arc::clone(&came);
    tokio::spawn(async move {
        let mut events = std::pin::pin!(kube::runtime::watcher(api.clone(), Config::default()));
        while let Some(event) = events.next().await {
            let (Event::Apply(mut request) | Event::InitApply(mut request)) = event.unwrap() else {
                continue;
            };
            let status = request.status.get_or_insert_default();
            if status.conditions.is_some() || status.certificate.is_some() {
                continue;
            }
            seen.lock().unwrap().push(Instant::now());
            let Some(verdict) = verdict else { continue };
            let condition = json!([{
                "type": verdict, "status": "True", "reason": "Rule", "message": "not on this machine",
            }]);
            status.conditions = serde_json::from_value(condition).unwrap();
            let name = request.metadata.name.clone().unwrap();
            let parameters = PostParams::default();
            let answered = api.replace_subresource("approval", &name, &parameters, &request);
            answered.await.unwrap();
        }
    });
    came
}

/// Waits until so many requests have come.
async fn until_came(came: &Mutex<Vec<Instant>>, count: usize) -> Vec<Instant> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let seen = came.lock().unwrap().clone();
        if seen.len() >= count {
            return seen;
        }
        assert!(Instant::now() < deadline, "{} of {count} requests", seen.len());
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_denied_says_why_and_comes_again_without_hurry() {
    let front = Front::start().await;
    let (cluster, _) = cluster(&front).await;
    let client = cluster.guard(NOT_OURS).await;
    let came = answer_all(&cluster, Some("Denied"));
    let error = issue(&client, &asked("one").request).await.unwrap_err();
    assert!(
        matches!(&error, IssueError::Refused { verdict, reason, .. } if verdict == "Denied" && reason == "not on this machine"),
        "{error}"
    );
    let known = Authorities::of(cluster.authority.certificate_pem());
    let stop = CancellationToken::new();
    let guard = tokio::spawn(present(client, asked("two"), known, stop.clone()));
    let came = until_came(&came, 3).await;
    assert!(came[2] - came[1] >= FIRST_PAUSE, "{came:?}");
    assert!(!guard.is_finished());
    stop.cancel();
    assert!(guard.await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_may_approve_where_the_guards_may_not() {
    let front = Front::start().await;
    let (cluster, _) = cluster(&front).await;
    let _controllers = cluster.control(&cluster.authority);
    let client = cluster.guard(NOT_OURS).await;
    let mut request = asked("one").request;
    request.patience = Duration::from_millis(300);
    let error = issue(&client, &request).await.unwrap_err();
    assert!(
        matches!(error, IssueError::NotApproved { .. }),
        "nobody approves: {error}"
    );
    let _came = answer_all(&cluster, Some("Approved"));
    issue(&client, &asked("one").request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_presented_before_callers_can_trust_it() {
    let front = Front::start().await;
    let (cluster, _) = cluster(&front).await;
    let _controllers = cluster.control(&cluster.authority);
    let client = cluster.guard(DEFAULT_SIGNER).await;
    let came = answer_all(&cluster, None);
    let (told, known) = Authorities::told();
    let guard = tokio::spawn(present(client, asked("one"), known, CancellationToken::new()));
    // No authority is known: were it presented now, or asked for, both would have happened by the end of this.
    tokio::time::timeout(Duration::from_millis(500), until_came(&came, 1))
        .await
        .unwrap_err();
    assert!(!guard.is_finished());
    // One that is not the signer's.
    let other = Authority::create("other").unwrap();
    told.send(Some(other.certificate_pem().to_owned())).unwrap();
    // Only who found the first certificate of no use asks a second time. That the request is gone shows less: by
    // then it need not have been compared yet.
    until_came(&came, 2).await;
    assert!(!guard.is_finished());
    // And the signer's.
    told.send(Some(cluster.authority.certificate_pem().to_owned()))
        .unwrap();
    let presented = tokio::time::timeout(DEADLINE, guard).await.unwrap().unwrap();
    assert!(presented.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_signer_is_away_the_certificate_before_is_presented() {
    let front = Front::start().await;
    let (cluster, services) = cluster(&front).await;
    let controllers = cluster.control(&cluster.authority);
    let client = cluster.guard(DEFAULT_SIGNER).await;
    // Of 35 minutes five are over at birth: due after four seconds.
    let mut soon = Serving {
        renewed_after: 304.0 / 2100.0,
        ..asked("one")
    };
    soon.request.patience = Duration::from_millis(300);
    let address = front.guard(client, soon, AUTHORITIES).await;
    controllers.cancel();
    until_guarded(&services).await;
    let first = presented(address).await;
    let ends = metric(address).await;
    let came = answer_all(&cluster, None);
    let seen = until_came(&came, 2).await;
    assert!(seen[1] - seen[0] >= FIRST_PAUSE, "{seen:?}");
    // All the while it works, and whoever looks at the metric sees when that is over.
    assert_eq!(presented(address).await, first);
    assert_eq!(metric(address).await, ends);
    assert_eq!(refusal(&services, "meanwhile", "ClusterIP").await, None);

    let _controllers = cluster.control(&cluster.authority);
    let deadline = Instant::now() + DEADLINE;
    while presented(address).await == first {
        assert!(
            Instant::now() < deadline,
            "it is not renewed once the signer is back"
        );
        tokio::task::yield_now().await;
    }
    assert!(metric(address).await > ends);
}

/// When the certificate ends, in seconds since 1970, as the guard's metric has it.
async fn metric(address: std::net::SocketAddr) -> u64 {
    let client = reqwest::Client::builder()
        .use_preconfigured_tls(toolforge_pki::unverified_client_config())
        .build()
        .unwrap();
    let url = format!("https://localhost:{}/metrics", address.port());
    let text = client.get(url).send().await.unwrap().text().await.unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("toolforge_admission_certificate_expiry_timestamp_seconds "));
    line.unwrap().parse().unwrap()
}
