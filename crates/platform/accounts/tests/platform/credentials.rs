//! Credentials that live for minutes, with another kind of key: they work, last, and are replaced as one.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;
use toolforge_accounts::MARKER;
use toolforge_pki::{Identity, KeyKind};

use crate::{accounts::drift_and_wait, scratch::Platform};

const LIFETIME: Duration = Duration::from_mins(10);

async fn works(platform: &Platform) {
    let client = platform.client_of(&platform.home("alpha")).await;
    let pods: Api<Pod> = Api::namespaced(client, "tool-alpha");
    pods.list(&ListParams::default()).await.unwrap();
}

/// Reads the pair again and again, as clients do; how often it was whole.
fn read_on(folder: &Path, authority_pem: &str, stop: &AtomicBool) -> usize {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let mut whole = 0;
    while !stop.load(Ordering::SeqCst) {
        let (certificate_pem, key_pem) = (read("client.crt"), read("client.key"));
        // One that is replaced between two reads is another reading.
        if certificate_pem == read("client.crt") {
            let identity = Identity {
                certificate_pem,
                key_pem,
            };
            toolforge_pki::client_config(authority_pem, Some(&identity)).unwrap();
            whole += 1;
        }
    }
    whole
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_of_minutes_last_until_a_third_is_left_and_are_replaced_as_one() {
    let platform = Platform::start(&[("alpha", 50001)]).await;
    let (_service, summary) = platform
        .serve_with(|config| {
            config.key = KeyKind::Rsa2048;
            config.certificate_lifetime = Some(LIFETIME);
        })
        .await;
    assert_eq!(summary.failing, vec![]);
    works(&platform).await;
    let before = platform.certificate("alpha");
    let certified = toolforge_pki::read_certificate_pem(&before).unwrap();
    let left = certified.not_after.duration_since(SystemTime::now()).unwrap();
    assert!(left <= LIFETIME && left > LIFETIME / 2, "{left:?}");
    // A turn that finds them new leaves them.
    drift_and_wait(&platform).await;
    assert_eq!(platform.certificate("alpha"), before);

    let stop = Arc::new(AtomicBool::new(false));
    let (folder, seen) = (platform.home("alpha").join(".toolskube"), stop.clone());
    let authority_pem = platform.authority.certificate_pem().to_owned();
    let reader = std::thread::spawn(move || read_on(&folder, &authority_pem, &seen));
    for _ in 0..3 {
        let end = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(3);
        let end = end.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let patch = Patch::Merge(json!({ "data": { "expires": end } }));
        let markers = platform.markers("alpha");
        markers
            .patch(MARKER, &PatchParams::default(), &patch)
            .await
            .unwrap();
        platform
            .marker("alpha", move |marker| {
                marker.data.as_ref().unwrap()["expires"] > end
            })
            .await;
        works(&platform).await;
    }
    assert_ne!(platform.certificate("alpha"), before);
    stop.store(true, Ordering::SeqCst);
    assert!(reader.join().unwrap() > 0);
}
