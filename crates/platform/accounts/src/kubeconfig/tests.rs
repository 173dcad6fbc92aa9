use proptest::prelude::*;

use super::*;

fn access() -> Access {
    Access {
        cluster: Cluster::new("https://127.0.0.1:6443", "CA").into(),
        user: "tf-alpha".to_owned(),
        namespace: "tool-alpha".to_owned(),
        certificate: "../.toolskube/client.crt".to_owned(),
        key: "../.toolskube/client.key".to_owned(),
    }
}

fn read(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

const FOREIGN: &str = "apiVersion: v1\nkind: Config\nclusters:\n- name: home\n  cluster:\n    server: https://example.org\n\
    contexts:\n- name: home\n  context: {cluster: home, user: me}\nusers:\n- name: me\n  user:\n    token: \"0123\"\n\
    current-context: home\npreferences: {}\n";

#[test]
fn a_new_file_names_our_context() {
    for existing in [None, Some(""), Some("\n \n")] {
        let text = merge(existing, &access()).unwrap().unwrap();
        let config = read(&text);
        assert_eq!(config["current-context"], "toolforge");
        assert_eq!(config["contexts"][0]["context"]["namespace"], "tool-alpha");
        assert_eq!(config["users"][0]["name"], "tf-alpha");
        let parsed = kube::config::Kubeconfig::from_yaml(&text).unwrap();
        assert_eq!(parsed.current_context.as_deref(), Some("toolforge"));
    }
}

#[test]
fn a_new_file_is_what_would_be_written_from_a_tree() {
    for word in ["alpha", "yes", "0123", "a: b", "\"", "a\nb", "\u{e9}"] {
        let access = Access {
            cluster: Cluster::new(word, "CA").into(),
            user: word.to_owned(),
            namespace: word.to_owned(),
            certificate: word.to_owned(),
            key: word.to_owned(),
        };
        let text = merge(None, &access).unwrap().unwrap();
        let tree = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": CLUSTER, "cluster": cluster(&access) }],
            "users": [{ "name": word, "user": user(&access) }],
            "contexts": [{ "name": CLUSTER, "context": context(&access) }],
            "current-context": CLUSTER,
        });
        assert_eq!(text, yaml::write(&tree));
    }
}

#[test]
fn foreign_entries_and_the_current_context_are_kept_to_the_letter() {
    let config = read(&merge(Some(FOREIGN), &access()).unwrap().unwrap());
    let before = read(FOREIGN);
    assert_eq!(config["current-context"], "home");
    for list in ["clusters", "contexts", "users"] {
        assert_eq!(config[list][0], before[list][0]);
        assert_eq!(config[list].as_array().unwrap().len(), 2);
    }
    assert_eq!(config["users"][0]["user"]["token"], "0123");
    assert_eq!(config["preferences"], json!({}));
}

#[test]
fn merging_again_changes_nothing_and_ours_is_replaced() {
    let once = merge(Some(FOREIGN), &access()).unwrap().unwrap();
    assert_eq!(merge(Some(&once), &access()).unwrap(), None);
    let moved = Access {
        cluster: Cluster::new("https://127.0.0.1:7443", "CA").into(),
        ..access()
    };
    let config = read(&merge(Some(&once), &moved).unwrap().unwrap());
    assert_eq!(
        config["clusters"][1]["cluster"]["server"],
        "https://127.0.0.1:7443"
    );
    assert_eq!(config["clusters"].as_array().unwrap().len(), 2);
}

#[test]
fn what_cannot_be_read_is_left() {
    for text in [
        "{",
        "- a",
        "clusters: {}",
        "users: [{}]",
        "contexts: text",
        "a: 1\na: 2",
        "\u{0}",
    ] {
        assert!(merge(Some(text), &access()).is_err(), "{text:?}");
    }
}

#[test]
fn a_config_without_lists_is_filled() {
    let config = read(
        &merge(Some("clusters: null\ncurrent-context: x"), &access())
            .unwrap()
            .unwrap(),
    );
    assert_eq!(
        (config["current-context"].as_str(), config["kind"].as_str()),
        (Some("x"), Some("Config"))
    );
}

proptest! {
    #[test]
    fn never_panics(text in "(\\PC|\n){0,80}") {
        let _ = merge(Some(&text), &access());
    }
}
