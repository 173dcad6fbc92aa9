//! Two replicas as processes of their own: one leads, and is paused or killed in the middle of its work.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::ListParams};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    killed::Tools,
    stage::{Address, Service, Stage, Tool, until, within},
    tracer::Step,
};

/// The shortest Lease that there is: whoever is silent for so long is replaced.
const REPLICA: [&str; 4] = ["--lease-namespace", "default", "--lease-seconds", "3"];

impl Stage {
    fn replica(&self) -> Service {
        let port = toolforge_testkit::free_port();
        Service::start(self.command(port, &REPLICA), port)
    }

    /// How many tools have all that they get.
    async fn complete(&self) -> usize {
        let markers: Api<ConfigMap> = Api::all(self.admin.clone());
        let ours = ListParams::default().fields("metadata.name=maintain-kubeusers");
        markers.list(&ours).await.unwrap().items.len()
    }
}

impl Service {
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().try_into().unwrap()), signal).unwrap();
    }
}

async fn stands_by(address: Address) {
    until("the replica stands by", async || {
        address.says("/readyz").await.contains("this replica stands by")
    })
    .await;
}

/// Points in the middle of the work after which a second attempt, or a late step of the first, would do harm.
const POINTS: [&str; 8] = [
    "mkdirat .toolforge-new-TOOL",
    "renameat2 TOOL",
    "renameat2 TOOL/.toolskube/.pair-RANDOM",
    "symlinkat TOOL/.toolskube/.toolforge-new-RANDOM",
    "renameat TOOL/.toolskube/.current",
    "renameat TOOL/.toolskube/client.crt",
    "mkdirat TOOL/.toolforge-new-RANDOM",
    "renameat TOOL/.kube/config",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_paused_in_the_middle_of_its_file_work_changes_nothing_when_it_goes_on() {
    let mut stage = Stage::start().await;
    let mut tools = Tools::default();
    let counted = tools.add(1).remove(0);
    stage.has(&tools.0).await;
    let steps = stage.steps(&counted, async || true).await;
    let reference = stage.home_of(&counted);
    let made = tools.add(POINTS.len());
    stage.has(&tools.0).await;
    let number = |point: &&str| steps.iter().position(|step| step.what == **point).unwrap();
    let holds = made
        .iter()
        .map(|tool| tool.name.clone())
        .zip(POINTS.iter().map(number));
    let (mut first, address) = stage.traced(holds.collect(), &REPLICA).await;
    within(first.stands_still()).await;

    let second = stage.replica();
    second.has_looked_at_all().await;
    let in_use =
        |tool: &Tool| std::fs::read_link(stage.home(&tool.name).join(".toolskube/.current")).unwrap();
    let before: Vec<_> = made.iter().map(in_use).collect();
    first.go_on();
    stands_by(address).await;
    // The folder that it makes late is the only one that the other replica has no reason to clear away.
    until("what it makes late is cleared away", async || {
        let late = |step: &Step| step.is_late && step.tool == made[0].name;
        first.steps().iter().any(late)
            && !stage
                .path("project")
                .join(format!(".toolforge-new-{}", made[0].name))
                .exists()
    })
    .await;
    let done = first.kill().await;
    // What has a temporary name only is nobody's yet, and is cleared away.
    let is_temporary = |step: &Step| {
        let last = step.what.rsplit([' ', '/']).next().unwrap();
        last.starts_with(".toolforge-new-")
    };
    let late: Vec<&Step> = done
        .iter()
        .filter(|step| step.is_late && !is_temporary(step))
        .collect();
    assert!(late.is_empty(), "{late:?}");
    for (tool, point) in made.iter().zip(POINTS) {
        assert_eq!(stage.home_of(tool), reference, "paused before {point}");
        stage.works(tool).await;
    }
    assert_eq!(before, made.iter().map(in_use).collect::<Vec<_>>());
    stage.has_no_remains().await;
}

/// So many that neither replica is done when it is disturbed.
const MANY: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_fill_ends_well_though_one_leader_is_stopped_and_the_next_is_killed() {
    let mut stage = Stage::start().await;
    let mut tools = Tools::default();
    let made = tools.add(MANY);
    stage.has(&tools.0).await;
    let first = stage.replica();
    until("some tools are there", async || stage.complete().await >= 5).await;
    first.signal(Signal::SIGSTOP);
    assert!(stage.complete().await < MANY, "it is stopped in the middle");
    let before = stage.complete().await;
    let second = stage.replica();
    until("the other goes on", async || stage.complete().await > before + 5).await;
    first.signal(Signal::SIGCONT);
    stands_by(first.address).await;
    drop(second);
    until("all tools are there", async || stage.complete().await == MANY).await;
    until("the first one leads again", async || {
        first.address.says("/readyz").await == "ok"
    })
    .await;
    let reference = stage.home_of(&made[0]);
    for tool in &made {
        assert_eq!(stage.home_of(tool), reference);
        stage.works(tool).await;
    }
    stage.has_no_remains().await;
}
