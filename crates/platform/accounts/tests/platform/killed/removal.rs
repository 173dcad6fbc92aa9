//! The removal of a tool from the directory, until nothing is left of it.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api,
    api::DynamicObject,
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use toolforge_accounts::ADMIN_NAMESPACE;
use toolforge_policy::psp;

use super::{MOST_WRITES, Stage, files};
use crate::{scratch::wait, servers::account};

impl Stage {
    /// Waits until nothing of a tool is left, nor of the decision about it.
    async fn is_removed(&self, tool: &str) {
        let client = &self.platform.admin;
        let namespaces: Api<Namespace> = Api::all(client.clone());
        wait(
            namespaces,
            &format!("tool-{tool}"),
            |found: Option<&Namespace>| found.is_none(),
        )
        .await;
        let kind = GroupVersionKind::gvk(psp::GROUP, psp::VERSION, psp::KIND);
        let kind = ApiResource::from_gvk_with_plural(&kind, psp::PLURAL);
        let policies: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
        assert!(
            policies
                .get_opt(&format!("tool-{tool}-psp"))
                .await
                .unwrap()
                .is_none()
        );
        let ledgers: Api<ConfigMap> = Api::namespaced(client.clone(), ADMIN_NAMESPACE);
        let account = json!(format!("tool {tool}"));
        let forgotten = |found: Option<&ConfigMap>| {
            let text = found.and_then(|found| found.data.as_ref()?.get("ledger"));
            let ledger: Value = text.map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
            ledger["going"]
                .as_array()
                .is_none_or(|going| !going.contains(&account))
        };
        wait(ledgers, "toolforge-removals", forgotten).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_is_killed_at_any_write_ends_like_any_other() {
    let stage = Stage::new().await;
    assert!(stage.run(None).await.is_done);
    for write in 1..MOST_WRITES {
        let name = format!("removed-{write}");
        let uid = 51000 + u32::try_from(write).unwrap();
        stage.add(&name, uid).await;
        assert!(stage.run(None).await.is_done);
        let before = files(&stage.platform.home(&name), &name, uid);
        let mut directory = stage.platform.directory().await;
        directory
            .delete(&account(&name))
            .await
            .unwrap()
            .success()
            .unwrap();
        let running = stage.run(Some(write)).await;
        // All accounts have had their turn before the removal begins.
        let was_killed = tokio::select! {
            biased;
            () = stage.fuse.burnt.notified() => true,
            () = stage.is_removed(&name) => false,
        };
        drop(running);
        let again = stage.run(None).await;
        assert!(
            again.is_done,
            "write {write}: the next service ends before it is done"
        );
        stage.is_removed(&name).await;
        assert_eq!(files(&stage.platform.home(&name), &name, uid), before);
        let archives = std::fs::read_dir(stage.platform.archive()).unwrap();
        let of_it = |name: &str, file: std::ffi::OsString| {
            let rest = file
                .to_string_lossy()
                .split_once(name)
                .map(|(_, rest)| rest.to_owned());
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let archives = archives.filter(|file| of_it(&name, file.as_ref().unwrap().file_name()));
        assert!(archives.count() >= 1, "{name} has no archive");
        if !was_killed {
            println!("killed at each of {} writes", write - 1);
            assert!(write > 5, "{write}");
            return;
        }
    }
    panic!("the service is never done");
}
