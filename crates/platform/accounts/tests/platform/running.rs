//! Health, readiness and metrics, as the kubelet and Prometheus see them.

use tokio::net::TcpListener;

use crate::scratch::Platform;

pub(crate) async fn fetch(address: std::net::SocketAddr, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tells_of_its_health_and_of_what_it_did() {
    let platform = Platform::start(&[("alpha", 50001), ("beta", 50002)]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_service, summary) = platform
        .serve_with(|config| config.listener = Some(listener))
        .await;
    assert_eq!(summary.failing, vec![]);
    assert_eq!(fetch(address, "/healthz").await, (200, "ok".to_owned()));
    assert_eq!(fetch(address, "/readyz").await, (200, "ok".to_owned()));
    let (_, text) = fetch(address, "/metrics").await;
    for line in [
        "maintain_kubeusers_accounts_created_total{account_type=\"tool\"} 2",
        "maintain_kubeusers_accounts_created_total{account_type=\"admin\"} 1",
        "maintain_kubeusers_run_seconds_count 1",
        "toolforge_accounts_accounts{account_type=\"tool\",state=\"active\"} 2",
        "toolforge_accounts_leading 1",
        "toolforge_accounts_directory_connected 1",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is not in\n{text}"
        );
    }
    let expiry = "toolforge_accounts_soonest_credential_expiry_timestamp_seconds ";
    let expiry = text.lines().find_map(|line| line.strip_prefix(expiry)).unwrap();
    assert!(expiry.parse::<i64>().unwrap() > 0, "{text}");
}
