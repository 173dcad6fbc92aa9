//! What `/metrics` tells, and to whom.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams, WatchParams};
use serde_json::json;

use crate::access::get;
use crate::harness::Harness;
use crate::objects::config_map;

#[tokio::test(flavor = "multi_thread")]
async fn requests_streams_objects_and_the_process_are_counted() {
    let api = Harness::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), "default");
    for name in ["a", "b"] {
        let map = config_map(name, &json!({}));
        maps.create(&PostParams::default(), &map).await.unwrap();
    }
    let watch = maps.watch(&WatchParams::default(), "0").await.unwrap();
    assert_eq!(
        get(&api.admin(), "/api/v1/namespaces/default/nothing").await,
        Err(404)
    );
    let text = get(&api.admin(), "/metrics").await.unwrap();
    let about = r#"group="",version="v1",resource="configmaps",subresource="",scope="namespace",component="apiserver""#;
    for line in [
        format!(r#"apiserver_request_total{{verb="POST",{about},code="201"}} 2"#),
        format!(r#"apiserver_request_duration_seconds_count{{verb="POST",{about}}} 2"#),
        format!(r#"apiserver_longrunning_requests{{verb="WATCH",{about}}} 1"#),
        r#"apiserver_storage_objects{resource="clusterroles.rbac.authorization.k8s.io"}"#.to_owned(),
        "apiserver_storage_revision ".to_owned(),
        "apiserver_storage_size_bytes ".to_owned(),
        "toolforge_storage_replay_bytes ".to_owned(),
        "toolforge_storage_writing 1".to_owned(),
        // The one that asks.
        r#"apiserver_current_inflight_requests{request_kind="readOnly"} 1"#.to_owned(),
        r#"apiserver_current_inflight_requests{request_kind="mutating"} 0"#.to_owned(),
        "process_resident_memory_bytes ".to_owned(),
        "process_cpu_seconds_total ".to_owned(),
        "# EOF".to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is not in:\n{text}");
    }
    assert!(
        !text.contains("nothing"),
        "names that clients make up are no series"
    );
    let declared = [toolforge_apiserver::FAMILIES, toolforge_figures::PROCESS].concat();
    let undeclared = toolforge_exposition::undeclared(&text, &declared);
    assert!(undeclared.is_empty(), "{undeclared:?}");
    drop(watch);
    assert_eq!(get(&api.server.client("ada", &[]), "/metrics").await, Err(403));
    let monitor = api.server.client("prometheus", &["system:monitoring"]);
    assert!(get(&monitor, "/metrics").await.is_ok());
    assert_eq!(get(&api.anonymous().await, "/metrics").await, Err(401));
    api.stop().await;
}
