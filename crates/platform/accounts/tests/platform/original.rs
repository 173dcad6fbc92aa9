//! What the original got wrong with hostile homes, names and directories, against both directories.

use std::{os::unix::fs::symlink, path::Path, time::Duration};

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{Api, api::ListParams};
use tokio::net::TcpListener;
use toolforge_accounts::{MARKER, pending};

use crate::{
    running::fetch,
    scratch::{Platform, within},
    servers::Which,
};

on_both!(
    names_that_no_namespace_can_have_are_left_aside,
    what_a_tool_links_to_elsewhere_is_not_written,
    a_directory_that_does_not_answer_removes_nothing,
);

pub(crate) async fn names_that_no_namespace_can_have_are_left_aside(which: Which) {
    let long = "a".repeat(54);
    let longest = "b".repeat(53);
    let names = ["a_b", "A", "a.b", &long, &longest, "alpha"];
    let tools: Vec<(&str, u32)> = names.into_iter().zip(50001..).collect();
    let platform = Platform::start_on(which, &tools).await;
    let (_service, summary) = platform.serve().await;
    assert_eq!((summary.tools, summary.failing), (2, vec![]));
    let namespaces: Api<Namespace> = Api::all(platform.admin.clone());
    let found = namespaces
        .list(&ListParams::default().labels("tenancy=tool"))
        .await
        .unwrap();
    let found: Vec<String> = found
        .into_iter()
        .filter_map(|found| found.metadata.name)
        .collect();
    assert_eq!(found, ["tool-alpha".to_owned(), format!("tool-{longest}")]);
}

fn own(path: &Path, uid: u32) {
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::lchown(path, Some(uid), Some(uid)).unwrap();
    }
}

pub(crate) async fn what_a_tool_links_to_elsewhere_is_not_written(which: Which) {
    let platform = Platform::start_on(which, &[("alpha", 50001), ("beta", 50002)]).await;
    let target = platform.folder.path().join("target");
    std::fs::write(&target, "as it was").unwrap();
    for (file, tool, uid) in [
        (".kube/config", "alpha", 50001),
        (".toolskube/client.key", "beta", 50002),
    ] {
        let path = platform.home(tool).join(file);
        let folder = path.parent().unwrap();
        std::fs::create_dir_all(folder).unwrap();
        symlink(&target, &path).unwrap();
        for path in [&platform.home(tool), folder, &path] {
            own(path, uid);
        }
    }
    let (_service, summary) = platform.serve().await;
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "as it was");
    assert_eq!(summary.failing, vec![]);
    // The kubeconfig is its owner's to mend; key and certificate are ours, and put right.
    assert!(platform.home("alpha").join(".kube/config").is_symlink());
    let tool = platform.client_of(&platform.home("beta")).await;
    let pods: Api<Pod> = Api::namespaced(tool, "tool-beta");
    pods.list(&ListParams::default()).await.unwrap();
    let key = std::fs::read_to_string(platform.home("beta").join(".toolskube/client.key")).unwrap();
    assert!(key.contains("PRIVATE KEY"));
}

pub(crate) async fn a_directory_that_does_not_answer_removes_nothing(which: Which) {
    let mut platform = Platform::start_on(which, &[("alpha", 50001), ("beta", 50002)]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_service, _) = platform
        .serve_with(|config| {
            config.listener = Some(listener);
            config.lifecycle.removed_grace = Duration::from_millis(1);
        })
        .await;
    platform.server.stop().await;
    let gone = "toolforge_accounts_directory_connected 0";
    within(async {
        while !fetch(address, "/metrics")
            .await
            .1
            .lines()
            .any(|line| line == gone)
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(pending(&platform.admin).await.unwrap(), None);
    for tool in ["alpha", "beta"] {
        platform.markers(tool).get(MARKER).await.unwrap();
    }
}
