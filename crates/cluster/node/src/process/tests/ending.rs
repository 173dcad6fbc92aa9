//! How containers end, with everything that they started, also after the node itself was killed.

use super::*;

#[tokio::test]
async fn a_container_that_is_asked_to_end_may_say_goodbye() {
    let machine = Machine::new();
    let script = "trap 'echo bye; exit 3' TERM; echo ready=1; while :; do sleep 0.05; done";
    let (id, output) = machine.start(request("c", &["sh", "-c", script])).await;
    printed(&output, "ready").await;
    machine.runtime.stop(&id, Stop::Ask);
    assert_eq!(machine.end(&id).await.code, 3);
    assert!(output.output().ends_with("bye\n"));
}

#[tokio::test]
async fn a_container_that_is_forced_ends_by_signal() {
    let machine = Machine::new();
    let (id, output) = machine
        .start(request(
            "c",
            &["sh", "-c", "trap '' TERM; echo ready=1; sleep 1000; :"],
        ))
        .await;
    printed(&output, "ready").await;
    machine.runtime.stop(&id, Stop::Ask);
    machine.runtime.stop(&id, Stop::Force);
    let exit = machine.end(&id).await;
    assert_eq!((exit.code, exit.signal), (137, Some(9)));
}

#[tokio::test]
async fn what_a_container_started_ends_with_it_and_does_not_hold_up_its_end() {
    let machine = Machine::new();
    let (id, output) = machine
        .start(request("c", &["sh", "-c", "sleep 1000 & echo child=$!"]))
        .await;
    let child = printed(&output, "child").await;
    assert_eq!(machine.end(&id).await.code, 0);
    gone(child).await;
}

#[tokio::test]
async fn detached_grandchildren_end_with_their_container() {
    let machine = Machine::new();
    if !machine.protect.controllers.has_pids() {
        println!("skipped: detached processes are only found through a cgroup");
        return;
    }
    let script = "setsid sh -c 'echo child=$$$$; exec sleep 1000' & wait";
    let (id, output) = machine.start(request("c", &["sh", "-c", script])).await;
    let child = printed(&output, "child").await;
    machine.runtime.stop(&id, Stop::Force);
    assert_eq!(machine.end(&id).await.code, 137);
    gone(child).await;
}

#[tokio::test]
async fn the_next_life_of_a_node_ends_what_the_last_one_left() {
    let machine = Machine::new();
    let (id, output) = machine
        .start(request("c", &["sh", "-c", "sleep 1000 & echo child=$!; wait"]))
        .await;
    let child = printed(&output, "child").await;
    let next = runtime_in(machine.folder.path(), &machine.protect);
    next.end_leftovers();
    gone(child).await;
    assert_eq!(machine.end(&id).await.code, 137);
    let records = std::fs::read_dir(machine.folder.path().join("run")).expect("records");
    assert_eq!(records.count(), 0);
}

#[tokio::test]
async fn without_cgroups_the_records_are_enough() {
    let mut machine = Machine::new();
    machine.protect.controllers = crate::process::Controllers::none();
    machine.runtime = runtime_in(machine.folder.path(), &machine.protect);
    let (id, output) = machine
        .start(request("c", &["sh", "-c", "sleep 1000 & echo child=$!; wait"]))
        .await;
    let child = printed(&output, "child").await;
    runtime_in(machine.folder.path(), &machine.protect).end_leftovers();
    gone(child).await;
    assert_eq!(machine.end(&id).await.code, 137);
}

#[tokio::test]
async fn containers_do_not_outlive_their_runtime() {
    let machine = Machine::new();
    let (_, output) = machine
        .start(request("c", &["sh", "-c", "echo self=$$$$; sleep 1000; :"]))
        .await;
    let first = printed(&output, "self").await;
    drop(machine);
    gone(first).await;
}

/// Names the state folder of a node that is going to be killed.
const DOOMED: &str = "TOOLFORGE_TEST_DOOMED_NODE";

#[tokio::test]
async fn a_killed_node_takes_first_processes_along_and_its_next_life_ends_the_rest() {
    let folder = tempfile::tempdir().expect("folder");
    let own = std::env::current_exe().expect("this test");
    let mut node = std::process::Command::new(own)
        .args([
            "process::tests::ending::a_node_that_is_killed",
            "--exact",
            "--ignored",
        ])
        .env(DOOMED, folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a second node");
    let numbers = until("both processes", || {
        let text = std::fs::read_to_string(folder.path().join("numbers")).ok()?;
        let (first, second) = text.strip_suffix('\n')?.split_once(' ')?;
        Some([first, second].map(|number| Pid::from_raw(number.parse().expect("number")).expect("pid")))
    })
    .await;
    node.kill().expect("killed");
    node.wait().expect("ended");
    gone(numbers[0]).await;
    runtime_in(folder.path(), &detect_protection()).end_leftovers();
    gone(numbers[1]).await;
    let records = std::fs::read_dir(folder.path().join("run")).expect("records");
    assert_eq!(records.count(), 0);
}

#[tokio::test]
#[ignore = "the test of a killed node starts it as a program of its own"]
async fn a_node_that_is_killed() {
    let Some(folder) = std::env::var_os(DOOMED).map(std::path::PathBuf::from) else {
        return;
    };
    let mut machine = Machine::new();
    machine.runtime = runtime_in(&folder, &machine.protect);
    let script = "sleep 1000 & echo second=$!; echo first=$$$$; wait";
    let (id, output) = machine.start(request("c", &["sh", "-c", script])).await;
    let (first, second) = (printed(&output, "first").await, printed(&output, "second").await);
    let text = format!("{} {}\n", first.as_raw_pid(), second.as_raw_pid());
    std::fs::write(folder.join("numbers"), text).expect("written");
    machine.runtime.wait(&id).await;
}
