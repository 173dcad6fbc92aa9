//! What happens when an answer of the API is late: events overtake it.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use kube::{Client, ResourceExt as _, api::DeleteParams, client::Body};
use tokio::sync::Notify;
use toolforge_accounts::MARKER;

use crate::scratch::{Platform, within};

/// Holds the answer to the first write of alpha's marker until it is let go.
#[derive(Default)]
struct Hold {
    reached_once: AtomicBool,
    reached: Notify,
    released: Notify,
}

fn held(client: Client, hold: Arc<Hold>) -> Client {
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let (client, hold) = (client.clone(), hold.clone());
        async move {
            let marker = format!("/namespaces/tool-alpha/configmaps/{MARKER}");
            let ours = request.method() == http::Method::PATCH && request.uri().path().ends_with(&marker);
            let answer = client.send(request).await.unwrap();
            if ours && !hold.reached_once.swap(true, Ordering::SeqCst) {
                hold.reached.notify_one();
                hold.released.notified().await;
            }
            Ok::<_, Infallible>(answer)
        }
    });
    Client::new(service, "default")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marker_deleted_before_its_own_write_is_answered_brings_new_credentials() {
    let platform = Platform::start(&[("alpha", 50001), ("beta", 50002)]).await;
    let hold = Arc::new(Hold::default());
    let (_service, first_pass) = platform.begin(held(platform.service_client(), hold.clone()));
    within(hold.reached.notified()).await;
    let (alpha, beta) = (
        platform.marker("alpha", |_| true).await,
        platform.marker("beta", |_| true).await,
    );
    let before = platform.certificate("alpha");
    for tool in ["alpha", "beta"] {
        platform
            .markers(tool)
            .delete(MARKER, &DeleteParams::default())
            .await
            .unwrap();
    }
    // Beta's new marker shows that the service has seen beta's deletion, and so alpha's, which came before it.
    platform
        .marker("beta", move |marker| marker.uid() != beta.uid())
        .await;
    hold.released.notify_one();
    platform
        .marker("alpha", move |marker| marker.uid() != alpha.uid())
        .await;
    assert_ne!(platform.certificate("alpha"), before);
    assert_eq!(within(first_pass).await.unwrap().failing, vec![]);
}
