//! What runs, with what environment, and what comes back.

use super::*;

#[tokio::test]
async fn the_exit_code_and_both_outputs_come_back() {
    let machine = Machine::new();
    let (exit, output) = machine
        .run(request("c", &["sh", "-c", "echo out; echo err >&2; exit 7"]))
        .await;
    assert_eq!((exit.code, exit.signal, exit.out_of_memory), (7, None, false));
    assert_eq!(
        (output.output().as_str(), output.error().as_str()),
        ("out\n", "err\n")
    );
    assert!(*output.closed.lock());
}

#[tokio::test]
async fn an_ended_container_is_forgotten() {
    let machine = Machine::new();
    let (id, _) = machine.start(request("c", &["true"])).await;
    machine.end(&id).await;
    assert_eq!(machine.runtime.readings(), []);
    assert!(machine.runtime.containers_are_empty());
    let records = std::fs::read_dir(machine.folder.path().join("run")).expect("records");
    assert_eq!(records.count(), 0);
}

#[tokio::test]
async fn a_program_that_is_not_there_does_not_start() {
    let machine = Machine::new();
    let id = machine
        .runtime
        .create(request("c", &["no-such-program"]))
        .await
        .expect("created");
    let error = machine.runtime.start(&id).await.expect_err("missing");
    assert!(error.0.contains("no-such-program"), "{error}");
    assert!(machine.runtime.containers_are_empty());
}

#[tokio::test]
async fn the_environment_is_the_pods_and_nothing_of_ours() {
    let machine = Machine::new();
    let mut request = request("c", &["env"]);
    request.environment = vec![("GREETING".to_owned(), "hello world".to_owned())];
    let (_, output) = machine.run(request).await;
    let text = output.output();
    let mut names: Vec<_> = text
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    names.sort_unstable();
    let expected = [
        "GREETING",
        "HOSTNAME",
        "KUBERNETES_SERVICE_HOST",
        "KUBERNETES_SERVICE_PORT",
        "KUBERNETES_SERVICE_PORT_HTTPS",
        "PATH",
        "POD_IP",
    ];
    assert_eq!(names, expected);
    assert!(text.contains("GREETING=hello world\n"), "{text}");
}

#[tokio::test]
async fn probes_run_inside_the_container() {
    let machine = Machine::new();
    let mut request = request("c", &["sleep", "1000"]);
    request.environment = vec![("COLOUR".to_owned(), "blue".to_owned())];
    let (id, _) = machine.start(request).await;
    let exec = async |script: &str, limit| {
        let command = ["sh", "-c", script].map(str::to_owned);
        machine.runtime.exec(&id, &command, limit).await
    };
    let good = exec("echo $COLOUR", DEADLINE).await;
    assert_eq!((good.success, good.output.as_str()), (true, "blue\n"));
    assert!(!exec("exit 1", DEADLINE).await.success);
    let late = exec("sleep 1000", Duration::from_millis(50)).await;
    assert!(
        !late.success && late.output.contains("timed out"),
        "{}",
        late.output
    );
    let missing = machine
        .runtime
        .exec(&id, &["no-such-probe".to_owned()], DEADLINE)
        .await;
    assert!(missing.output.contains("no-such-probe"), "{}", missing.output);
    machine.runtime.stop(&id, Stop::Force);
    machine.end(&id).await;
    assert!(!exec("true", DEADLINE).await.success, "it has ended");
}
