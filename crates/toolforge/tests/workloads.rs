//! The machine's own `kubectl` on what runs: rollouts, scale, logs, nodes that are closed and emptied.

use toolforge_testkit::{Scratch, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: one, image: docker-registry.tools.wmflabs.org/none, command: [sh, -c, 'echo first; echo second; exec sleep 1000']}
      - {name: two, image: docker-registry.tools.wmflabs.org/none, command: [sh, -c, 'echo other; exec sleep 1000']}
";

#[test]
fn the_operator_rolls_out_reads_logs_and_empties_the_node() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let kubectl = |line: &str| scratch.kubectl(&line.split(' ').collect::<Vec<_>>()).ok();
    let file = scratch.path().join("web.yaml");
    std::fs::write(&file, WEB).unwrap();
    kubectl(&format!("apply -f {}", file.display()));
    kubectl("rollout status deployment/web --timeout=60s");
    kubectl("wait --for=condition=Available deployment/web --timeout=60s");

    let all = kubectl("logs -l app=web --all-containers --prefix --tail=-1");
    assert_eq!(all.matches("second").count(), 2, "{all}");
    assert!(all.contains("/two] other"), "{all}");
    assert_eq!(kubectl("logs deploy/web -c one --tail=1"), "second\n");
    assert!(kubectl("logs deploy/web -c one --timestamps --since=1h").contains("Z first"));

    kubectl("set env deployment/web COLOUR=red");
    kubectl("rollout status deployment/web --timeout=60s");
    assert!(kubectl("rollout history deployment/web").contains("2 "));
    kubectl("rollout undo deployment/web");
    kubectl("rollout status deployment/web --timeout=60s");
    assert_eq!(kubectl("get deployment web -o jsonpath={..env}"), "");
    kubectl("rollout restart deployment/web");
    kubectl("rollout status deployment/web --timeout=60s");
    kubectl("scale deployment web --current-replicas=2 --replicas=3");
    kubectl("wait --for=jsonpath={.status.readyReplicas}=3 deployment/web --timeout=60s");

    let node = kubectl("get nodes -o name");
    let node = node.trim().trim_start_matches("node/");
    kubectl(&format!("taint nodes {node} a=b:NoSchedule"));
    kubectl(&format!("taint nodes {node} a-"));
    kubectl(&format!("cordon {node}"));
    assert!(kubectl("get nodes").contains("SchedulingDisabled"));
    kubectl(&format!("drain {node} --pod-selector=app=web --timeout=60s"));
    let pending = eventually("Pods without a node", || {
        let shown = kubectl("get pods -l app=web --field-selector=status.phase=Pending -o name");
        (shown.lines().count() == 3).then_some(shown.clone()).ok_or(shown)
    });
    assert_eq!(pending.lines().count(), 3);
    kubectl(&format!("uncordon {node}"));
    kubectl("rollout status deployment/web --timeout=60s");
    kubectl("delete deployment web --cascade=foreground --timeout=60s");
    assert_eq!(kubectl("get pods -l app=web --ignore-not-found -o name"), "");
}
