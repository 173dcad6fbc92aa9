//! Volumes and debug containers, as whoever uses `kubectl` meets them.

use toolforge_testkit::Scratch;

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

const POD: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { greeting: hello }
---
apiVersion: v1
kind: Secret
metadata: { name: word }
stringData: { word: secret }
---
apiVersion: v1
kind: Pod
metadata: { name: reader, labels: { app: reader } }
spec:
  terminationGracePeriodSeconds: 5
  securityContext: { runAsUser: 51234, fsGroup: 51235 }
  containers:
  - name: main
    image: docker-registry.tools.wmflabs.org/toolforge-static-sssd-web:latest
    command: [sh, -c, "cat /no-such/all/greeting /no-such/all/word /no-such/all/app; echo; cp /etc/hostname /no-such/scratch/; exec sleep 1000"]
    volumeMounts:
    - { name: all, mountPath: /no-such/all }
    - { name: scratch, mountPath: /no-such/scratch }
    readinessProbe: { exec: { command: [test, -f, /no-such/scratch/hostname] } }
  volumes:
  - name: scratch
    emptyDir: { medium: Memory, sizeLimit: 1Mi }
  - name: all
    projected:
      defaultMode: 0400
      sources:
      - configMap: { name: settings }
      - secret: { name: word }
      - downwardAPI: { items: [{ path: app, fieldRef: { fieldPath: "metadata.labels['app']" } }] }
"#;

fn is_root() -> bool {
    let root =
        std::fs::metadata("/proc/self").is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) == 0);
    if !root {
        println!("skipped: mounting needs root");
    }
    root
}

#[test]
fn a_pod_reads_its_volumes_and_can_be_looked_into() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let kubectl = |arguments: &[&str]| scratch.kubectl(arguments).ok();
    let file = scratch.path().join("pod.yaml");
    std::fs::write(&file, POD).unwrap();
    kubectl(&["apply", "-f", &file.to_string_lossy()]);
    kubectl(&["wait", "--for=condition=Ready", "pod/reader", "--timeout=60s"]);
    assert_eq!(kubectl(&["logs", "reader"]), "hellosecretreader\n");
    let seen = ["exec", "reader", "--", "cat", "/no-such/all/greeting"];
    assert_eq!(kubectl(&seen), "hello");
    assert!(
        !std::path::Path::new("/no-such").exists(),
        "nothing appears on the machine"
    );

    let debug = [
        "debug",
        "reader",
        "--image=docker-registry.tools.wmflabs.org/toolforge-static-sssd-web:latest",
        "--target=main",
        "-c",
        "look",
        "--",
        "sh",
        "-c",
        "echo looking",
    ];
    kubectl(&debug);
    let ended = "jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}=0";
    kubectl(&["wait", &format!("--for={ended}"), "pod/reader", "--timeout=60s"]);
    assert_eq!(kubectl(&["logs", "reader", "-c", "look"]), "looking\n");
    let described = kubectl(&["describe", "pod", "reader"]);
    assert!(
        described.contains("Ephemeral Containers:") && described.contains("look:"),
        "{described}"
    );
    let copied = [
        "debug",
        "reader",
        "--copy-to=copy",
        "--set-image=main=docker-registry.tools.wmflabs.org/toolforge-static-sssd-web:latest",
        "--share-processes=false",
    ];
    kubectl(&copied);
    kubectl(&["wait", "--for=condition=Ready", "pod/copy", "--timeout=60s"]);
    kubectl(&["delete", "pod", "reader", "copy"]);
}
