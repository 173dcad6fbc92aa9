//! A file server that refuses single calls: what went stale is opened anew, and what is not allowed is told with the way out.

use std::{collections::BTreeMap, ops::Range, os::unix::fs::MetadataExt as _, process::Command};

use nix::errno::Errno;

use crate::{
    killed::{Tools, covers},
    stage::{Address, PROGRAM, Stage, Tool, until},
    tracer::{Disturbances, Step, Traced, Watched},
};

impl Stage {
    /// Runs a service until every account has had its turn; each of these tools is refused these of its calls.
    async fn refuses(&self, refusals: BTreeMap<String, (Range<usize>, Errno)>) -> (Traced, Address) {
        let port = toolforge_testkit::free_port();
        let watched = Watched {
            looks: true,
            ..self.watched()
        };
        let disturbances = Disturbances {
            refusals,
            ..Disturbances::default()
        };
        let traced = Traced::start(self.command(port, &["--alone"]), watched, disturbances).await;
        let address = Address::of(port);
        address.has_looked_at_all().await;
        (traced, address)
    }

    /// All steps of a service for one tool that nobody disturbs, its looks among them, until the kubeconfig is written: there may be
    /// another turn, which finds nothing to do.
    async fn undisturbed(&self, tool: &Tool) -> Vec<Step> {
        let (traced, _) = self.refuses(BTreeMap::new()).await;
        let mut steps = traced.kill().await;
        steps.retain(|step| step.tool == tool.name);
        let last = steps
            .iter()
            .position(|step| step.what == "unlinkat TOOL/.kube/config.lock");
        steps.truncate(last.unwrap() + 1);
        steps
    }

    /// Each of these tools has another of the steps fail as stale, once; no turn fails by it.
    async fn goes_stale_at_each(&self, tools: &[Tool], steps: &[Step]) {
        let refusals = tools.iter().enumerate();
        let refusals =
            refusals.map(|(number, tool)| (tool.name.clone(), (number..number + 1, Errno::ESTALE)));
        let (traced, address) = self.refuses(refusals.collect()).await;
        let metrics = address.says("/metrics").await;
        let failed: Vec<&str> = metrics
            .lines()
            .filter(|line| {
                line.starts_with("toolforge_accounts_turn_failures_total") && !line.ends_with(" 0")
            })
            .collect();
        assert!(failed.is_empty(), "{failed:?}");
        let done = traced.kill().await;
        for (number, tool) in tools.iter().enumerate() {
            let mut of_tool = done.iter().filter(|step| step.tool == tool.name);
            let refused = of_tool.nth(number).unwrap();
            assert_eq!(refused.what, steps[number].what, "{} fails elsewhere", tool.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_stale_at_any_file_operation_is_opened_anew_and_nobody_notices() {
    let mut stage = Stage::start().await;
    let mut tools = Tools::default();
    let counted = tools.add(1).remove(0);
    stage.has(&tools.0).await;
    let creation = stage.undisturbed(&counted).await;
    covers(
        &creation,
        &["openat TOOL", "renameat2 TOOL", "renameat TOOL/.kube/config"],
    );
    let reference = stage.home_of(&counted);
    let made = tools.add(creation.len());
    stage.has(&tools.0).await;
    stage.goes_stale_at_each(&made, &creation).await;
    for (tool, step) in made.iter().zip(&creation) {
        assert_eq!(stage.home_of(tool), reference, "stale at {}", step.what);
        stage.works(tool).await;
    }

    stage.makes_due(&counted).await;
    let renewal = stage.undisturbed(&counted).await;
    covers(
        &renewal,
        &[
            "readlinkat TOOL/.toolskube/.current",
            "renameat TOOL/.toolskube/.current",
        ],
    );
    let reference = stage.home_of(&counted);
    if made.len() < renewal.len() {
        tools.add(renewal.len() - made.len());
        stage.has(&tools.0).await;
        drop(stage.serve().await);
    }
    let due = &tools.0[1..=renewal.len()];
    for tool in due {
        stage.makes_due(tool).await;
    }
    stage.goes_stale_at_each(due, &renewal).await;
    for (tool, step) in due.iter().zip(&renewal) {
        assert_eq!(stage.home_of(tool), reference, "stale at {}", step.what);
        stage.works(tool).await;
    }
    stage.has_no_remains().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_file_server_does_not_allow_is_told_with_path_user_and_way_out() {
    let mut stage = Stage::start().await;
    let mut tools = Tools::default();
    let made = tools.add(2);
    stage.has(&tools.0).await;
    // As with root_squash: nothing can be made there, and nothing can be given away.
    let all = (0..usize::MAX, Errno::EPERM);
    let (_traced, _) = stage.refuses(BTreeMap::from([(made[0].name.clone(), all)])).await;
    stage.works(&made[1]).await;
    let listed = || {
        let output = Command::new(PROGRAM)
            .args(["accounts", "list", "--failing", "--kubeconfig"])
            .arg(stage.path("kubeconfig"))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    until("it is listed", async || listed().contains(&made[0].name)).await;
    let listed = listed();
    // Whoever made the folder runs the service too.
    let user = stage.folder.path().metadata().unwrap().uid();
    let way_out = if user == 0 { "no_root_squash" } else { "as root" };
    let home = stage.home(&made[0].name);
    for part in [home.to_str().unwrap(), &format!("user id {user}"), way_out] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    assert!(!listed.contains(&made[1].name), "{listed}");
}
