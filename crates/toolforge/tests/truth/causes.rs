//! Every cause of failure, one after another on one platform, since each step is short.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use toolforge_testkit::{Scratch, eventually};

use crate::{
    PROGRAM, SERVER,
    maintainer::{Maintainer, pods},
};

#[test]
fn each_cause_of_failure_is_told_with_its_exit_code() {
    let scratch = Scratch::new(PROGRAM);
    let platform = scratch.start(&[]);
    let hello = Maintainer {
        scratch: &scratch,
        tool: "hello",
    };
    let shell = |script: &'static str| ["generic", "start", "--timeout", "3", "--", "sh", "-c", script];

    // Stopped.
    assert_eq!(hello.status()["state"], "stopped");
    hello.why("deployment", 1);
    hello.fails(&["scale", "2"], 1, &["is not running"]);
    hello.fails(&["cobol", "start"], 1, &["type must be one of"]);
    hello.fails(&["static", "start", "--mem", "lots"], 2, &["lots"]);

    // A crash, with its last words; what crashes again and again does not run.
    hello.fails(
        &shell("echo all went wrong >&2; exit 3"),
        1,
        &["exit code 3", "all went wrong", "webservice logs"],
    );
    eventually("a status that tells of the crash", || {
        let status = hello.status();
        let told = status["state"] == "failed"
            && status["last_error"]["exit_code"] == 3
            && status["problem"]["exit_code"] == 1;
        if told { Ok(()) } else { Err(status.to_string()) }
    });
    let told = hello.says(&["status"]).ok();
    assert!(
        told.contains("does not come up") && !told.contains("is running"),
        "{told}"
    );
    hello.why("pod", 1);
    hello.stop();

    // A program that is not there, one that is done, one that is deaf, one that is ill.
    hello.fails(
        &["generic", "start", "--", "/no/such/program"],
        1,
        &["/no/such/program"],
    );
    hello.stop();
    hello.fails(&shell("true"), 1, &["ended by itself"]);
    hello.stop();
    hello.fails(
        &shell("trap 'exit 0' TERM; echo I am deaf; while :; do sleep 0.1; done"),
        6,
        &["nothing listens on port 8000", "PORT", "I am deaf"],
    );
    hello.why("process", 6);
    hello.stop();
    let ill = [
        "generic",
        "start",
        "--timeout",
        "3",
        "--health-check-path",
        "/ill",
        "--",
        "python3",
        "-c",
        SERVER,
    ];
    hello.fails(&ill, 7, &["/ill", "--health-check-path", "500"]);
    hello.why("health", 7);
    hello.stop();

    quotas(&hello);
    bent_objects(&hello);
    mistaken_for_the_gateway(&hello);
    refused(&hello);
    no_room(&hello);
    unreachable(&hello);

    // No kubeconfig, and an API that goes while it is followed.
    let gone = scratch
        .command(&[
            "become",
            "hello",
            "--",
            "env",
            "KUBECONFIG=/nonexistent",
            "webservice",
            "status",
        ])
        .output()
        .unwrap();
    assert_eq!(gone.status.code(), Some(9), "{gone:?}");
    let deaf = hello.begins(&["generic", "start", "--", "sh", "-c", "sleep 1000"]);
    eventually("its Pod", || match pods(&scratch).len() {
        0 => Err("there is none".to_owned()),
        _ => Ok(()),
    });
    assert_eq!(platform.stop(), 0);
    let gone = deaf.wait_with_output().unwrap();
    assert_eq!(gone.status.code(), Some(9), "{gone:?}");
    let told = String::from_utf8_lossy(&gone.stderr);
    for words in ["API does not answer", "webservice status"] {
        assert!(told.contains(words), "{words} in {told}");
    }
}

/// What a tool answers is its own word, also where a gateway might say the same.
fn mistaken_for_the_gateway(hello: &Maintainer<'_>) {
    let unavailable = SERVER.replace("else 200", "else 503");
    let began = Instant::now();
    let outcome = hello.says(&["generic", "start", "--", "python3", "-c", &unavailable]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    assert!(
        outcome.stderr.contains("It answers with 503"),
        "{}",
        outcome.stderr
    );
    let chain: Value = serde_json::from_str(&hello.says(&["why", "-o", "json"]).ok()).expect("JSON");
    assert!(chain["broken"].is_null(), "{chain}");
    hello.stop();
}

/// The guard of images, and that of the hosts of Ingresses.
fn refused(hello: &Maintainer<'_>) {
    let image_config = hello.kept("image-config");
    hello.change(
        "image-config",
        &json!({ "images-v1.yaml": image_config["images-v1.yaml"]
            .as_str()
            .expect("a text")
            .replace("docker-registry.tools.wmflabs.org/toolforge-static", "elsewhere.example/toolforge-static") }),
    );
    let told = [
        "elsewhere.example/toolforge-static",
        "allowed registries",
        "guards name",
    ];
    hello.fails(&["static", "start"], 4, &told);
    hello.change("image-config", &image_config);
    // Nothing of it is left half-done.
    let left = ["get", "services,ingresses,deployments", "-o", "name"];
    assert_eq!(hello.scratch.kubectl_as("hello", &left).ok(), "");
    hello.why("deployment", 1);

    let platform = hello.kept("platform");
    hello.change("platform", &json!({ "domain": "other.localhost" }));
    hello.fails(&["static", "start"], 4, &["hello.other.localhost"]);
    hello.change("platform", &platform);
    hello.why("deployment", 1);
}

/// A node that takes no Pods.
fn no_room(hello: &Maintainer<'_>) {
    hello.scratch.kubectl(&["cordon", "localhost"]).ok();
    hello.fails(
        &["static", "start"],
        10,
        &["no room", "unschedulable", "operators"],
    );
    hello.why("pod", 10);
    hello.scratch.kubectl(&["uncordon", "localhost"]).ok();
    // It goes on trying by itself.
    eventually(
        "a webservice that found a place",
        || match &hello.status()["state"] {
            state if state == "running" => Ok(()),
            other => Err(other.to_string()),
        },
    );
    hello.stop();
}

/// All is ready, and nobody gets there: the gateway is not where the platform says, or cannot be trusted.
fn unreachable(hello: &Maintainer<'_>) {
    let platform = hello.kept("platform");
    let nobody = format!("127.9.9.9:{}", hello.scratch.port("--https-port"));
    hello.change("platform", &json!({ "gateway-address": nobody }));
    hello.fails(
        &["static", "start"],
        8,
        &["Your webservice runs, but", "cannot be reached", "webservice why"],
    );
    let chain = hello.why("tls", 8);
    assert!(chain["reason"].to_string().contains(&nobody), "{chain}");
    hello.change("platform", &platform);

    // Without an authority of its own it is trusted as browsers do: whom the machine trusts.
    hello.change("platform", &json!({ "ca.crt": null }));
    hello.why("tls", 8);
    let authority = hello.scratch.path().join("authority.pem");
    std::fs::write(&authority, platform["ca.crt"].as_str().expect("a text")).unwrap();
    let trusts = format!("SSL_CERT_FILE={}", authority.display());
    let command = ["env", &trusts, "webservice", "why"];
    let whole = hello.scratch.as_tool(hello.tool, &command).ok();
    assert!(whole.contains("Every link holds."), "{whole}");
    hello.change("platform", &platform);
    hello.stop();
}

/// The limit of one container, and that of all together.
fn quotas(hello: &Maintainer<'_>) {
    hello.fails(
        &["static", "start", "--mem", "9Gi"],
        3,
        &["quota", "4Gi", "--mem"],
    );
    hello.why("deployment", 3);
    hello.stop();
    hello.fails(
        &["static", "start", "--replicas", "9"],
        3,
        &["Only 4 of 9 copies", "exceeded quota", "--replicas"],
    );
    hello.stop();
}

/// All is well until somebody bends what is behind the URL, or starts a version that does not come up.
fn bent_objects(hello: &Maintainer<'_>) {
    hello.says(&["static", "start"]).ok();
    let whole = hello.says(&["why"]).ok();
    assert!(whole.contains("Every link holds."), "{whole}");
    hello
        .scratch
        .kubectl_as("hello", &["delete", "ingress", "hello-subdomain"])
        .ok();
    let chain = hello.why("ingress", 8);
    assert!(
        chain["next"]
            .as_str()
            .is_some_and(|next| next.contains("webservice restart")),
        "{chain}"
    );
    hello.says(&["restart"]).ok();
    let bend = r#"{"spec":{"selector":{"name":"other"}}}"#;
    hello
        .scratch
        .kubectl_as("hello", &["patch", "service", "hello", "-p", bend])
        .ok();
    hello.why("service", 8);
    hello.says(&["restart"]).ok();
    assert_eq!(hello.says(&["why"]).code, 0);

    // A version that does not come up does not take the one before with it.
    hello.fails(
        &["generic", "restart", "--", "sh", "-c", "exit 4"],
        1,
        &["exit code 4", "The version before goes on serving"],
    );
    let status = hello.status();
    assert_eq!(
        (&status["state"], &status["older_version_serves"]),
        (&"running".into(), &true.into()),
        "{status}"
    );
    let history = hello.says(&["history"]).ok();
    assert!(history.contains("did not come up"), "{history}");
    // Of all that was tried here only one came up.
    hello.says(&["rollback"]).ok();
    let status = hello.status();
    assert_eq!(
        (&status["type"], &status["older_version_serves"]),
        (&"static".into(), &false.into()),
        "{status}"
    );
    hello.stop();
}
