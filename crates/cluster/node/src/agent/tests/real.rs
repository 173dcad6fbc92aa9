//! The agent with real processes.

use k8s_openapi::api::core::v1::Event as Told;
use kube::api::LogParams;

use super::*;

/// Reads a Pod's log from its start, until it ends with these words.
async fn log_until(cluster: &Cluster, wanted: &str) {
    let has_address = |node: Option<&Node>| {
        let status = node.and_then(|node| node.status.as_ref());
        status.is_some_and(|status| status.addresses.is_some() && status.daemon_endpoints.is_some())
    };
    // The API finds the log by the Node's address, which may come after the Pod has started.
    until(
        Api::all(cluster.admin()),
        NODE,
        "a Node with an address",
        has_address,
    )
    .await;
    let params = LogParams {
        follow: true,
        ..LogParams::default()
    };
    let mut log = cluster.pods().log_stream("p", &params).await.expect("log");
    let mut text = String::new();
    let read = async {
        let mut chunk = [0; 1024];
        while !text.ends_with(wanted) {
            let count = futures::AsyncReadExt::read(&mut log, &mut chunk)
                .await
                .expect("read");
            text.push_str(&String::from_utf8_lossy(&chunk[..count]));
            assert!(count > 0, "the log ended: {text}");
        }
    };
    let came = timeout(DEADLINE, read).await;
    assert!(came.is_ok(), "{wanted:?} did not come, but {text:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_are_filled_follow_their_objects_and_go_with_their_pod() {
    if !detect_protection().own_uid {
        println!("skipped: mounting needs root");
        return;
    }
    let cluster = Cluster::start(7).await;
    let node = cluster.real().await;
    let maps: Api<ConfigMap> = Api::namespaced(cluster.admin(), "default");
    let map = |value: &str| json!({"metadata": {"name": "m"}, "data": {"key": value}});
    let create = serde_json::from_value(map("one")).expect("map");
    maps.create(&PostParams::default(), &create)
        .await
        .expect("created");
    let script = "cat /no-such/conf/key /no-such/sec/word; id -u > /no-such/scratch/user; stat -c ' %a %u' -L /no-such/sec/word;
        while [ $(cat /no-such/conf/key) = one ]; do sleep 0.02; done; cat /no-such/conf/key; echo; exec sleep 1000";
    let mount = |name: &str| json!({"name": name, "mountPath": format!("/no-such/{name}")});
    cluster
        .create(
            json!({"terminationGracePeriodSeconds": 5, "automountServiceAccountToken": false,
            "containers": [{"name": "c", "image": "i", "command": ["sh", "-c", script],
                "volumeMounts": [mount("conf"), mount("sec"), mount("scratch")]}],
            "volumes": [{"name": "conf", "configMap": {"name": "m"}},
                {"name": "sec", "secret": {"secretName": "s", "defaultMode": 0o444}},
                {"name": "scratch", "emptyDir": {}}]}),
        )
        .await;
    let events: Api<Told> = Api::namespaced(cluster.admin(), "default");
    let mut told = toolforge_watch::watch(events, watcher::Config::default().fields("reason=FailedMount"));
    let told = async {
        while let Some(event) = told.next().await {
            if let Ok(Event::Apply(event) | Event::InitApply(event)) = event {
                return event.message.unwrap_or_default();
            }
        }
        String::new()
    };
    let told = timeout(DEADLINE, told).await.expect("an event");
    assert_eq!(
        told,
        "MountVolume.SetUp failed for volume \"sec\" : secret \"s\" not found"
    );
    // The Pod does not wait for a next try, but for the Secret.
    let secrets: Api<Secret> = Api::namespaced(cluster.admin(), "default");
    let secret = serde_json::from_value(json!({"metadata": {"name": "s"}, "data": {"word": "d29yZA=="}}));
    secrets
        .create(&PostParams::default(), &secret.expect("secret"))
        .await
        .expect("created");
    log_until(&cluster, "oneword 444 0\n").await;
    let replaced = serde_json::from_value(map("two")).expect("map");
    maps.replace("m", &PostParams::default(), &replaced)
        .await
        .expect("replaced");
    log_until(&cluster, "two\n").await;
    let disk = cluster.folder.path().join("node/volumes/disk");
    assert_eq!(std::fs::read_dir(&disk).expect("volumes").count(), 1);
    cluster
        .pods()
        .delete("p", &DeleteParams::default())
        .await
        .expect("deleted");
    cluster.until("no Pod", |pod| pod.is_none()).await;
    assert_eq!(
        std::fs::read_dir(&disk).expect("volumes").count(),
        0,
        "nothing is left"
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_fails_leaves_the_end_of_its_log() {
    let cluster = Cluster::start(8).await;
    let node = cluster.real().await;
    let command = json!(["sh", "-c", "echo the reason; exit 3"]);
    cluster
        .create(
            json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i", "command": command,
            "terminationMessagePolicy": "FallbackToLogsOnError"}]}),
        )
        .await;
    let end = |pod: Option<&Pod>| pod.and_then(first).and_then(|one| one.state.clone()?.terminated);
    let pod = cluster.until("an end", |pod| end(pod).is_some()).await;
    let end = end(pod.as_ref()).expect("an end");
    assert_eq!((end.exit_code, end.message.as_deref()), (3, Some("the reason\n")));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_leave_their_last_words_in_files_of_their_own() {
    if !detect_protection().own_uid {
        println!("skipped: mounting needs root");
        return;
    }
    let cluster = Cluster::start(10).await;
    let node = cluster.real().await;
    // What one writes no other sees; a link in its place cannot be made, and the end of a long file is told.
    let first =
        "echo done > /dev/termination-log; ln -sf /etc/shadow /dev/termination-log; test -s /etc/passwd";
    let second = "test -s /no-such/words && exit 9; head -c 5000 /dev/zero | tr '\\0' x > /no-such/words; echo end >> /no-such/words; echo log; exit 3";
    let third = "test -s /dev/termination-log && exit 9; echo the reason; exit 4";
    let container = |name: &str, script: &str| {
        json!({"name": name, "image": "i", "command": ["sh", "-c", script],
            "securityContext": {"runAsUser": 51_234}, "terminationMessagePolicy": "FallbackToLogsOnError"})
    };
    let mut elsewhere = container("b", second);
    elsewhere["terminationMessagePath"] = json!("/no-such/words");
    cluster
        .create(json!({"restartPolicy": "Never", "containers": [container("a", first), elsewhere, container("c", third)]}))
        .await;
    let ends = |pod: Option<&Pod>| -> Vec<(i32, String)> {
        let statuses = pod
            .and_then(|pod| pod.status.clone())
            .and_then(|status| status.container_statuses);
        let ended = statuses
            .into_iter()
            .flatten()
            .filter_map(|one| one.state?.terminated);
        ended
            .map(|end| (end.exit_code, end.message.unwrap_or_default()))
            .collect()
    };
    let pod = cluster.until("all ends", |pod| ends(pod).len() == 3).await;
    let ends = ends(pod.as_ref());
    assert_eq!(ends[0], (0, "done\n".to_owned()));
    assert_eq!((ends[1].0, ends[1].1.len()), (3, 4096));
    assert!(ends[1].1.ends_with("xxend\n"));
    assert_eq!(ends[2], (4, "the reason\n".to_owned()));
    assert!(!Path::new("/no-such").exists());
    let pods = cluster.pods();
    pods.delete("p", &DeleteParams::default()).await.expect("deleted");
    cluster.until("no Pod", |pod| pod.is_none()).await;
    // A Pod that has ended goes at once, and the node tidies up when it hears of it.
    let disk = cluster.folder.path().join("node/volumes/disk");
    toolforge_testkit::eventually("nothing that is left", || {
        match std::fs::read_dir(&disk).expect("volumes").count() {
            0 => Ok(()),
            count => Err(format!("{count} folders")),
        }
    });
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_container_looks_into_a_running_pod() {
    let cluster = Cluster::start(9).await;
    let node = cluster.real().await;
    let command = json!(["sh", "-c", "exec sleep 1000"]);
    cluster
        .create(json!({"terminationGracePeriodSeconds": 5, "containers": [{"name": "c", "image": "i", "command": command}]}))
        .await;
    cluster.until("a ready Pod", is_ready).await;
    let debug = json!({"spec": {"ephemeralContainers": [{"name": "look", "image": "i", "command": ["sh", "-c", "exit 7"],
        "targetContainerName": "c"}]}});
    let patch = kube::api::Patch::Strategic(debug);
    let door = "ephemeralcontainers";
    let patched: Pod = cluster
        .pods()
        .patch_subresource(door, "p", &kube::api::PatchParams::default(), &patch)
        .await
        .expect("patched");
    assert!(patched.spec.expect("spec").ephemeral_containers.is_some());
    let code = |pod: Option<&Pod>| {
        let status = pod?
            .status
            .as_ref()?
            .ephemeral_container_statuses
            .as_ref()?
            .first()?;
        Some(status.state.as_ref()?.terminated.as_ref()?.exit_code)
    };
    let pod = cluster.until("its end", |pod| code(pod).is_some()).await;
    assert_eq!(code(pod.as_ref()), Some(7));
    assert!(is_ready(pod.as_ref()), "the Pod goes on");
    let gone = json!({"spec": {"ephemeralContainers": [{"$patch": "replace"}]}});
    let patch = kube::api::Patch::Strategic(gone);
    let refused = cluster
        .pods()
        .patch_subresource(door, "p", &kube::api::PatchParams::default(), &patch)
        .await;
    let refused = refused.expect_err("it may not be removed").to_string();
    assert!(refused.contains("may not be removed"), "{refused}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_process_runs_writes_its_log_and_ends_with_its_pod() {
    let cluster = Cluster::start(4).await;
    let node = cluster.real().await;
    let command = json!(["sh", "-c", "echo hello from $NAME; exec sleep 1000"]);
    cluster
        .create(
            json!({"terminationGracePeriodSeconds": 5, "containers": [{"name": "c", "image": "i",
            "command": command, "env": [{"name": "NAME", "value": "the process"}]}]}),
        )
        .await;
    cluster.until("a ready Pod", is_ready).await;
    log_until(&cluster, "hello from the process\n").await;
    let params = LogParams {
        container: Some("c".to_owned()),
        follow: true,
        ..LogParams::default()
    };
    let pods = cluster.pods();
    let mut log = pods.log_stream("p", &params).await.expect("log");
    let mut text = Vec::new();
    pods.delete("p", &DeleteParams::default()).await.expect("deleted");
    cluster.until("no Pod", |pod| pod.is_none()).await;
    let rest = futures::AsyncReadExt::read_to_end(&mut log, &mut text);
    timeout(DEADLINE, rest)
        .await
        .expect("the log ends")
        .expect("read");
    node.stop().await;
}
