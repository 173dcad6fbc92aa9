//! What becomes of an account whose certificate request is refused, and of overrides of a tool that there is not.

use std::{convert::Infallible, sync::Arc};

use k8s_openapi::api::{
    certificates::v1::{CertificateSigningRequest, CertificateSigningRequestCondition},
    core::v1::Event,
};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
    client::Body,
    runtime::wait::await_condition,
};
use tokio::{net::TcpListener, sync::watch};
use toolforge_accounts::{Line, Overrides, State};

use crate::scratch::{Platform, within};

const REASON: &str = "alpha is under review";

/// The client of a service that is always a little late: alpha's request is denied before it is approved.
fn denied_first(client: Client, admin: Client) -> Client {
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let (client, admin) = (client.clone(), admin.clone());
        async move {
            let path = request.uri().path();
            if request.method() == http::Method::PUT
                && path.ends_with("/certificatesigningrequests/tool-alpha/approval")
            {
                deny(admin).await;
            }
            Ok::<_, Infallible>(client.send(request).await.unwrap())
        }
    });
    Client::new(service, "default")
}

async fn deny(admin: Client) {
    let api: Api<CertificateSigningRequest> = Api::all(admin);
    let mut request = api.get("tool-alpha").await.unwrap();
    request.status.get_or_insert_default().conditions = Some(vec![CertificateSigningRequestCondition {
        type_: "Denied".to_owned(),
        status: "True".to_owned(),
        message: Some(REASON.to_owned()),
        ..CertificateSigningRequestCondition::default()
    }]);
    // The service may have replaced it in the meantime; then the next attempt is denied.
    let _ = api
        .replace_subresource("approval", "tool-alpha", &PostParams::default(), &request)
        .await;
}

/// Waits until the list has this account with a reason.
async fn listed(platform: &Platform, account: &str) -> Line {
    let maps: Api<k8s_openapi::api::core::v1::ConfigMap> =
        Api::namespaced(platform.admin.clone(), "maintain-kubeusers");
    let named = account.to_owned();
    let is_told = move |map: Option<&k8s_openapi::api::core::v1::ConfigMap>| {
        let troubles = map.and_then(|map| map.data.as_ref()?.get("troubles").cloned());
        troubles.is_some_and(|troubles| troubles.contains(&named))
    };
    within(await_condition(maps, "toolforge-accounts", is_told))
        .await
        .unwrap();
    let lines = toolforge_accounts::list(&platform.admin).await.unwrap();
    lines.into_iter().find(|line| line.account == account).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_request_is_listed_told_as_an_event_and_counted_and_holds_up_nobody() {
    let platform = Platform::start(&[("alpha", 50001), ("beta", 50002)]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = denied_first(platform.service_client(), platform.admin.clone());
    let (_service, first_pass) = platform.begin_with(client, |config| config.listener = Some(listener));
    let summary = within(first_pass).await.unwrap();
    assert_eq!((summary.tools, summary.failing.len()), (1, 1), "{summary:?}");
    platform.marker("beta", |_| true).await;

    let line = listed(&platform, "tool alpha").await;
    let reason = line.reason.unwrap();
    assert_eq!(line.state, State::Failing);
    assert!(
        reason.contains("refused (Denied)") && reason.contains(REASON),
        "{reason}"
    );
    let events: Api<Event> = Api::namespaced(platform.admin.clone(), "tool-alpha");
    within(async {
        loop {
            let told = events.list(&ListParams::default()).await.unwrap().items;
            let is_this = |event: &Event| {
                event.reason.as_deref() == Some("AccountFailing")
                    && event.message.as_ref().is_some_and(|note| note.contains(REASON))
            };
            if told.iter().any(is_this) {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let text = reqwest::get(format!("http://{address}/metrics")).await.unwrap();
    let text = text.text().await.unwrap();
    let count = text.lines().find_map(|line| {
        line.strip_prefix("toolforge_accounts_turn_failures_total{cause=\"certificate_refused\"} ")
    });
    assert!(
        count.is_some_and(|count| count.parse::<u32>().unwrap() > 0),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overrides_of_a_tool_that_there_is_not_are_listed_until_they_are_corrected() {
    let platform = Platform::start(&[("alpha", 50001)]).await;
    let overrides = |text: &str| Arc::new(Overrides::read(text).unwrap());
    let (sender, receiver) = watch::channel(overrides("tools: { alhpa: { quota: { pods: 20 } } }"));
    let (_service, summary) = platform.serve_with(|config| config.overrides = receiver).await;
    assert_eq!(summary.failing, []);
    let line = listed(&platform, "override alhpa").await;
    assert_eq!(line.state, State::Unknown);
    assert!(line.reason.unwrap().contains("did you mean alpha?"));
    sender.send_replace(overrides("tools: { alpha: { quota: { pods: 20 } } }"));
    within(async {
        while toolforge_accounts::list(&platform.admin)
            .await
            .unwrap()
            .iter()
            .any(|line| line.account == "override alhpa")
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
