//! Who a container runs as, what it may use, and what it is told to have used.

use k8s_openapi::{
    api::core::v1::{PodSecurityContext, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};

use super::*;

#[tokio::test]
async fn a_container_has_a_session_no_new_privileges_and_only_standard_streams() {
    let machine = Machine::new();
    let script = "grep NoNewPrivs /proc/self/status; grep SigIgn /proc/self/status; ls /proc/self/fd | tr '\\n' ' '; umask; ulimit -c";
    let (_, output) = machine.run(request("c", &["sh", "-c", script])).await;
    let text = output.output();
    assert!(text.contains("NoNewPrivs:\t1"), "{text}");
    assert!(text.contains("SigIgn:\t0000000000000000"), "{text}");
    // 3 is the folder that ls itself reads.
    assert!(text.contains("0 1 2 3 0022\n0\n"), "{text}");
}

#[tokio::test]
async fn containers_run_as_the_user_of_their_pod() {
    if !is_root("another user") {
        return;
    }
    let machine = Machine::new();
    let mut request = request(
        "c",
        &[
            "sh",
            "-c",
            "id -u; id -g; id -G; touch /etc/toolforge-must-not-be 2>&1",
        ],
    );
    request.pod_security = PodSecurityContext {
        run_as_user: Some(52_001),
        run_as_group: Some(52_002),
        supplemental_groups: Some(vec![52_003]),
        ..Default::default()
    };
    let (exit, output) = machine.run(request).await;
    assert!(
        output.output().starts_with("52001\n52002\n52002 52003\n"),
        "{}",
        output.output()
    );
    assert_ne!(exit.code, 0, "that user may not write there");
}

#[tokio::test]
async fn a_pod_of_a_tool_that_wants_root_is_refused() {
    let machine = Machine::new();
    let mut request = request("c", &["id"]);
    request.place.namespace = "tool-demo".to_owned();
    request.pod_security.run_as_user = Some(0);
    assert!(
        machine
            .runtime
            .create(request)
            .await
            .expect_err("root")
            .0
            .contains("user or group 0")
    );
}

#[tokio::test]
async fn a_container_that_uses_too_much_memory_ends_and_says_why() {
    let machine = Machine::new();
    if !machine.protect.controllers.has_memory() {
        println!("skipped: no memory controller");
        return;
    }
    let mut request = request("c", &["perl", "-e", "my $x = 'x' x (400 << 20); sleep 1000"]);
    let limits = [("memory".to_owned(), Quantity("64Mi".to_owned()))].into();
    request.container.resources = Some(ResourceRequirements {
        limits: Some(limits),
        ..Default::default()
    });
    let (exit, _) = machine.run(request).await;
    assert_eq!((exit.code, exit.out_of_memory), (137, true));
}

#[tokio::test]
async fn a_container_cannot_start_processes_without_end() {
    let machine = Machine::new();
    if !machine.protect.controllers.has_pids() {
        println!("skipped: no controller of processes");
        return;
    }
    let script = "my $n = 0; while ($n < 2000) { my $p = fork; last unless defined $p; if (!$p) { sleep 1000; exit } $n++ } print \"made=$n\\n\"";
    let (exit, output) = machine.run(request("c", &["perl", "-e", script])).await;
    assert_eq!(exit.code, 0);
    let made = printed(&output, "made").await.as_raw_pid();
    assert!((1..=512).contains(&made), "{made}");
}

#[tokio::test]
async fn usage_is_told_while_a_container_runs() {
    let machine = Machine::new();
    let (id, _) = machine
        .start(request("c", &["sh", "-c", "while :; do :; done"]))
        .await;
    let reading = until("CPU time", || {
        let mut readings = machine.runtime.readings().into_iter();
        readings.find(|reading| {
            reading.id == id && !reading.usage.cpu.is_zero() && reading.usage.memory.usage_bytes > 0
        })
    })
    .await;
    let memory = reading.usage.memory;
    assert!(
        memory.working_set_bytes > 0 && memory.working_set_bytes <= memory.usage_bytes,
        "{memory:?}"
    );
    assert_eq!(reading.usage.processes, Some(1));
    assert_eq!(reading.place.container, "c");
    machine.runtime.stop(&id, Stop::Force);
    machine.end(&id).await;
}
