//! The door for the fuzz target to merging kubeconfigs. Built with `--cfg fuzzing` only.

use crate::kubeconfig::{self, Access, CLUSTER, Cluster};

/// Merges our entries into the text of a kubeconfig; whether it could be read.
///
/// # Panics
/// When what comes out is not what was promised: ours in it, everything else as it was, and nothing to do again.
pub fn kubeconfig(text: &str) -> bool {
    let access = Access {
        cluster: Cluster::new("https://127.0.0.1:6443", "CA").into(),
        user: "tf-alpha".to_owned(),
        namespace: "tool-alpha".to_owned(),
        certificate: "../.toolskube/client.crt".to_owned(),
        key: "../.toolskube/client.key".to_owned(),
    };
    let Ok(merged) = kubeconfig::merge(Some(text), &access) else {
        return false;
    };
    let Some(merged) = merged else { return true };
    let again = kubeconfig::merge(Some(&merged), &access);
    assert_eq!(again, Ok(None), "merging again changes {merged}");
    let read = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).unwrap_or_default();
    let (before, after) = (read(text), read(&merged));
    for (list, ours) in [
        ("clusters", CLUSTER),
        ("users", "tf-alpha"),
        ("contexts", CLUSTER),
    ] {
        let foreign = |config: &serde_json::Value| -> Vec<serde_json::Value> {
            let entries = config[list].as_array().cloned().unwrap_or_default();
            entries
                .into_iter()
                .filter(|entry| entry["name"] != ours)
                .collect()
        };
        assert_eq!(foreign(&before), foreign(&after), "{list} of {merged}");
    }
    true
}
