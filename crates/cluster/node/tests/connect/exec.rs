//! `kubectl exec`.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::harness::{Cluster, WAYS};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_in_the_surroundings_of_its_container() {
    let cluster = Cluster::start().await;
    let container = json!({
        "command": ["sleep", "1000"], "workingDir": "/usr", "env": [{"name": "COLOR", "value": "blue"}]});
    let pod = cluster.pod_of("p", container).await;
    let address = pod.status.unwrap().pod_ip.unwrap();
    for way in WAYS {
        let script = "echo $COLOR $POD_IP $(pwd); id -u; echo oops >&2";
        let ended = cluster.run(way, &["exec", "p", "--", "sh", "-c", script]).await;
        assert_eq!(ended.err, "oops\n");
        // With root it is the container's user, without nobody else than ours.
        let own = rustix::process::geteuid();
        let user = if own.is_root() { 65534 } else { own.as_raw() };
        assert_eq!(ended.ok(), format!("blue {address} /usr\n{user}\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_and_failures_reach_the_user() {
    let cluster = Cluster::start().await;
    cluster.pod("p", "exec sleep 1000").await;
    for way in WAYS {
        let failed = cluster
            .run(way, &["exec", "p", "--", "sh", "-c", "exit 42"])
            .await;
        assert_eq!(failed.code, 42, "{failed:?}");
        assert!(
            failed.err.contains("command terminated with exit code 42"),
            "{failed:?}"
        );
        let killed = cluster
            .run(way, &["exec", "p", "--", "sh", "-c", "kill -9 $$"])
            .await;
        assert_eq!(killed.code, 137, "{killed:?}");
        let missing = cluster.run(way, &["exec", "p", "--", "no-such-program"]).await;
        assert_ne!(missing.code, 0);
        assert!(
            missing.err.contains("executable file not found in $PATH"),
            "{missing:?}"
        );
        let nobody = cluster.run(way, &["exec", "nobody", "--", "true"]).await;
        assert!(nobody.err.contains("pods \"nobody\" not found"), "{nobody:?}");
        let other = cluster
            .run(way, &["exec", "p", "-c", "other", "--", "true"])
            .await;
        assert!(
            other.err.contains("container other is not valid for pod p"),
            "{other:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn big_input_and_big_output_pass_whole() {
    let cluster = Cluster::start().await;
    cluster.pod("p", "exec sleep 1000").await;
    let input: Vec<u8> = (0..5_000_000u32)
        .map(|at| b'a' + u8::try_from(at % 23).unwrap())
        .collect();
    for way in WAYS {
        let counted = cluster
            .run_with(way, &["exec", "-i", "p", "--", "wc", "-c"], input.clone())
            .await;
        assert_eq!(counted.ok().trim(), input.len().to_string());
        let back = cluster
            .run_with(way, &["exec", "-i", "p", "--", "cat"], input.clone())
            .await;
        assert!(back.ok().as_bytes() == input, "what went in came out");
        // Nobody reads the input to its end, and nothing hangs.
        let head = cluster
            .run_with(way, &["exec", "-i", "p", "--", "head", "-c", "10"], input.clone())
            .await;
        assert_eq!(head.ok().as_bytes(), &input[..10]);
        let zeroes = [
            "exec",
            "p",
            "--",
            "sh",
            "-c",
            "head -c 20000000 /dev/zero | tr '\\0' x",
        ];
        assert_eq!(cluster.run(way, &zeroes).await.ok().len(), 20_000_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_container() {
    let cluster = Cluster::start().await;
    cluster.pod("p", "exec sleep 1000").await;
    let mut running = cluster
        .kubectl(
            "true",
            &["exec", "p", "--", "sh", "-c", "echo here; exec sleep 1000"],
        )
        .spawn()
        .unwrap();
    // The session has begun when the command has spoken, and it has not ended by itself.
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let first = tokio::time::timeout(crate::harness::DEADLINE, lines.next_line());
    assert_eq!(first.await.expect("it speaks").unwrap().as_deref(), Some("here"));
    assert_eq!(running.try_wait().unwrap(), None, "it runs");
    let deleting = async {
        cluster.run("true", &["delete", "pod", "p"]).await.ok();
    };
    let (ended, ()) = tokio::join!(
        tokio::time::timeout(crate::harness::DEADLINE, running.wait()),
        deleting
    );
    assert_ne!(ended.expect("it ends").unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_alone_does_not_open_a_shell() {
    let cluster = Cluster::start().await;
    cluster.pod("p", "exec sleep 1000").await;
    cluster
        .run(
            "true",
            &[
                "create",
                "role",
                "reader",
                "--verb=get",
                "--resource=pods,pods/exec",
            ],
        )
        .await
        .ok();
    cluster
        .run(
            "true",
            &[
                "create",
                "rolebinding",
                "reader",
                "--role=reader",
                "--user=reader",
            ],
        )
        .await
        .ok();
    for way in WAYS {
        let mut kubectl = cluster.kubectl_as("reader", &[], way, &["exec", "p", "--", "true"]);
        let refused = kubectl.output().await.unwrap();
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            words.contains("cannot create resource \"pods/exec\" in API group \"\""),
            "{words}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_says_nothing_is_ended_and_one_that_speaks_is_not() {
    let cluster = Cluster::with_silence(Duration::from_millis(600)).await;
    cluster.pod("p", "exec sleep 1000").await;
    for way in WAYS {
        let silent = cluster.run(way, &["exec", "p", "--", "sleep", "1000"]).await;
        let why = "the session was silent for 600ms, and is ended";
        assert!(silent.code == 1 && silent.err.contains(why), "{silent:?}");
        let silent = cluster.run(way, &["port-forward", "p", ":1"]).await;
        assert!(silent.err.contains("lost connection to pod"), "{silent:?}");
        // Three times as long as it may be silent.
        let script = "for i in 1 2 3 4 5 6; do sleep 0.3; echo $i; done";
        let spoke = cluster.run(way, &["exec", "p", "--", "sh", "-c", script]).await;
        assert_eq!(spoke.ok(), "1\n2\n3\n4\n5\n6\n");
    }
}
