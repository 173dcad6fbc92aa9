//! What the audit log holds.

use std::path::Path;
use std::time::Instant;

use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use kube::api::{Api, PostParams, WatchParams};
use serde_json::{Value, json};
use toolforge_apiserver::AuditLog;

use crate::access::{object, refused};
use crate::harness::{DEADLINE, Harness};
use crate::objects::config_map;

const POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, userGroups: ['system:masters'], verbs: [get]}
- {level: RequestResponse, omitManagedFields: true}
";

/// All events, as soon as there are as many as expected.
async fn events(path: &Path, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() >= count || begun.elapsed() > DEADLINE {
            return lines
                .iter()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_written_with_their_bodies_and_secrets_without() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let log = AuditLog::open(path.clone(), Some(POLICY)).unwrap();
    let api = Harness::start_with(folder, |server| server.with_audit_log(log)).await;
    let client = api.over_tls("ada", &["system:masters"]).await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let map = config_map("settings", &json!({"color": "blue"}));
    maps.create(&PostParams::default(), &map).await.unwrap();
    maps.get("settings").await.unwrap();
    assert_eq!(refused(maps.create(&PostParams::default(), &map).await).0, 409);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "default");
    let secret = object(json!({"metadata":{"name":"key"},"stringData":{"password":"hunter2"}}));
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(client, "default");
    let request = object(json!({"spec": {"audiences": []}}));
    let token = accounts
        .create_token_request("default", &PostParams::default(), &request)
        .await
        .unwrap();
    let stranger: Api<ConfigMap> = Api::namespaced(api.server.client("bob", &[]), "default");
    assert_eq!(refused(stranger.get("settings").await).0, 403);
    let watch = maps.watch(&WatchParams::default(), "0").await.unwrap();
    drop(watch);

    let found = events(&path, 7).await;
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(found.len(), 7, "{text}");
    let created = &found[0];
    assert_eq!(created["stage"], "ResponseComplete");
    assert_eq!(created["verb"], "create");
    assert_eq!(created["user"]["username"], "ada");
    assert_eq!(created["objectRef"]["resource"], "configmaps");
    assert_eq!(created["responseStatus"]["code"], 201);
    assert_eq!(created["requestObject"]["data"], json!({"color": "blue"}));
    assert_eq!(created["responseObject"]["metadata"]["name"], "settings");
    assert_eq!(created["responseObject"]["metadata"].get("managedFields"), None);
    assert_eq!(created["annotations"]["authorization.k8s.io/decision"], "allow");
    assert_eq!(found[1]["responseStatus"]["reason"], "AlreadyExists");
    assert_eq!(
        (&found[2]["level"], found[2].get("requestObject")),
        (&json!("Metadata"), None)
    );
    assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"));
    assert!(!text.contains(&token.status.unwrap().token.unwrap()));
    let issued = &found[3]["annotations"]["authentication.kubernetes.io/issued-credential-id"];
    assert!(issued.as_str().unwrap().starts_with("JTI="), "{issued}");
    assert_eq!(found[4]["annotations"]["authorization.k8s.io/decision"], "forbid");
    assert_eq!(found[4]["responseStatus"]["code"], 403);
    let stages: Vec<&Value> = found[5..].iter().map(|event| &event["stage"]).collect();
    assert_eq!(stages, ["ResponseStarted", "ResponseComplete"]);
    assert_eq!(found[5]["auditID"], found[6]["auditID"]);
    api.stop().await;
}
