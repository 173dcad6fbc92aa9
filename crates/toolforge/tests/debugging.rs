//! `kubectl debug` as a tool: a look into one's own Pod, under the same guards as every other container.

use serde_json::{Value, json};
use toolforge_testkit::Scratch;

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const IMAGE: &str = "docker-registry.tools.wmflabs.org/toolforge-static-sssd-web:latest";

#[test]
fn a_tool_may_debug_its_pod_with_images_and_rights_that_it_has_anyhow() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let hello = |arguments: &[&str]| scratch.kubectl_as("hello", arguments);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "main" },
        "spec": { "containers": [{ "name": "main", "image": IMAGE, "command": ["sleep", "600"] }] },
    });
    let file = scratch.path().join("pod.json");
    std::fs::write(&file, pod.to_string()).expect("the scratch folder can be written");
    hello(&["create", "-f", &file.to_string_lossy()]).ok();
    hello(&["wait", "--for=condition=Ready", "pod/main", "--timeout=60s"]).ok();
    let debug = |name: &str, image: &str, further: &[&str]| {
        let image = format!("--image={image}");
        let words: &[&str] = &["debug", "main", "-c", name, &image, "--target=main"];
        hello(&[words, further, &["--", "id", "-u"]].concat())
    };

    for (name, profile) in [
        ("plain", &[][..]),
        ("restricted", &["--profile=restricted"]),
        ("baseline", &["--profile=baseline"]),
    ] {
        debug(name, IMAGE, profile).ok();
    }
    for nth in 0..3 {
        let ended =
            format!("jsonpath={{.status.ephemeralContainerStatuses[{nth}].state.terminated.exitCode}}=0");
        hello(&["wait", &format!("--for={ended}"), "pod/main", "--timeout=60s"]).ok();
    }
    let made = hello(&["get", "pod", "main", "-o", "json"]).ok();
    let made: Value = serde_json::from_str(&made).expect("kubectl prints JSON");
    let uid = made["spec"]["containers"][0]["securityContext"]["runAsUser"].to_string();
    for name in ["plain", "restricted", "baseline"] {
        assert_eq!(
            hello(&["logs", "main", "-c", name]).ok(),
            format!("{uid}\n"),
            "{name}"
        );
    }

    let foreign = debug("foreign", "docker.io/library/busybox", &[]).refused();
    assert!(
        foreign.contains("spec.ephemeralContainers[3].image")
            && foreign.contains("did not match any of the allowed registries"),
        "{foreign}"
    );
    let root = debug("root", IMAGE, &["--profile=sysadmin"]).refused();
    assert!(
        root.contains("Containers must not be privileged")
            && root.contains("spec.ephemeralContainers[3].securityContext.privileged is true"),
        "{root}"
    );
    for (name, profile, capability) in [
        ("tracer", "--profile=general", "SYS_PTRACE"),
        ("network", "--profile=netadmin", "NET_ADMIN"),
    ] {
        let refused = debug(name, IMAGE, &[profile]).refused();
        assert!(
            refused.contains("denied the request") && refused.contains(capability),
            "{refused}"
        );
    }
    // Nobody else's Pods, and nothing of the Pod but these containers.
    scratch
        .kubectl_as("clock", &["debug", "main", "-n", "tool-hello", "--image", IMAGE])
        .refused();
    let change = r#"{"spec":{"containers":[{"name":"main","image":"docker.io/library/busybox"}]}}"#;
    let patch = [
        "patch",
        "pod",
        "main",
        "--subresource=ephemeralcontainers",
        "-p",
        change,
    ];
    let outcome = hello(&patch);
    let image = hello(&["get", "pod", "main", "-o", "jsonpath={.spec.containers[0].image}"]).ok();
    assert_eq!(image, IMAGE, "{outcome:?}");
}
