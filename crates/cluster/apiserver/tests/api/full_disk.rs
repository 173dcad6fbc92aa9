//! A disk without space: writes are refused, everything else goes on, and nothing has to be started again.

use std::path::Path;
use std::process::Command;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;

use crate::access::get;
use crate::harness::{DEADLINE, Harness};
use crate::objects::config_map;

/// A small file system of its own, gone with the value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where it cannot be mounted.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(folder.path())
            .status();
        made.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.path()).status().ok();
    }
}

/// The value of a series without labels.
fn figure(figures: &str, name: &str) -> f64 {
    let mut lines = figures.lines().filter_map(|line| line.strip_prefix(name));
    lines.find_map(|rest| rest.trim().parse().ok()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_and_nothing_else() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: a tmpfs cannot be mounted here; run as root");
        return;
    };
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![0; 1 << 20]).unwrap();
    let api = Harness::start_in(tempfile::tempdir_in(disk.path()).unwrap()).await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    let data = json!({ "k": "x".repeat(100_000) });
    let mut made = 0;
    let refusal = loop {
        match maps
            .create(&PostParams::default(), &config_map(&format!("m{made}"), &data))
            .await
        {
            Ok(_) => made += 1,
            Err(kube::Error::Api(status)) => break status,
            Err(problem) => panic!("{problem}"),
        }
        assert!(made < 100, "the disk never gets full");
    };
    assert_eq!((refusal.code, refusal.reason.as_str()), (500, "InternalError"));
    assert!(
        refusal.message.contains("no space is left"),
        "{}",
        refusal.message
    );
    let figures = get(&api.admin(), "/metrics").await.unwrap();
    assert!(figures.contains("toolforge_storage_writing 0\n"), "{figures}");
    assert!(figure(&figures, "toolforge_storage_free_bytes") < 200_000.0);
    let list = maps.list(&ListParams::default()).await.unwrap();
    assert_eq!(list.items.len(), made);
    let from = list.metadata.resource_version.unwrap();
    let watch = maps.watch(&WatchParams::default(), &from).await.unwrap();

    std::fs::remove_file(&filler).unwrap();
    maps.create(&PostParams::default(), &config_map("again", &json!({})))
        .await
        .unwrap();
    let figures = get(&api.admin(), "/metrics").await.unwrap();
    assert!(figures.contains("toolforge_storage_writing 1\n"), "{figures}");
    assert!(figure(&figures, "toolforge_storage_free_bytes") > 500_000.0);
    assert!(figure(&figures, "apiserver_storage_size_bytes") > 1_000_000.0);
    let event = tokio::time::timeout(DEADLINE, watch.boxed().next())
        .await
        .unwrap();
    assert!(
        matches!(event, Some(Ok(WatchEvent::Added(map))) if map.metadata.name.as_deref() == Some("again"))
    );

    let folder = api.stop().await;
    let api = Harness::start_in(folder).await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    assert_eq!(
        maps.list(&ListParams::default()).await.unwrap().items.len(),
        made + 1
    );
    drop(api.stop().await);
}
