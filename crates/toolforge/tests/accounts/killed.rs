//! SIGKILL at every file operation: whenever the service is killed, the next one brings things to the same end.
//!
//! A first service is not killed, and its system calls that change files are counted. Then a service is killed once for each of
//! them, before it is made: eight tools at once have each their thread held at another call, and then the process is killed.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;
use toolforge_accounts::MARKER;

use crate::{
    seen::Seen,
    stage::{Address, Stage, Tool, until, within},
    tracer::{Disturbances, Holds, Step, Traced, Watched},
};

/// As many turns as the service has at once.
const AT_ONCE: usize = 8;

/// What a user has in the kubeconfig before there is anything of ours.
const FOREIGN: &str = "apiVersion: v1\nkind: Config\nclusters:\n- name: home\n  cluster:\n    server: https://example.org\n\
    contexts:\n- name: home\n  context: {cluster: home, user: me}\nusers:\n- name: me\n  user:\n    token: \"0123\"\n\
    current-context: home\npreferences: {}\n";

/// The tools that a test has made up so far.
#[derive(Default)]
pub(crate) struct Tools(pub(crate) Vec<Tool>);

impl Tools {
    pub(crate) fn add(&mut self, count: usize) -> Vec<Tool> {
        let first = self.0.len();
        let new = first..first + count;
        self.0.extend(new.map(|number| Tool {
            name: format!("killed{number:03}"),
            uid: 51000 + u32::try_from(number).unwrap(),
        }));
        self.0[first..].to_vec()
    }
}

impl Stage {
    /// The folders of homes and archives.
    pub(crate) fn watched(&self) -> Watched {
        Watched {
            homes: self.path("project"),
            archive: self.path("archive"),
            looks: false,
        }
    }

    pub(crate) async fn traced(&self, holds: Holds, options: &[&str]) -> (Traced, Address) {
        let port = toolforge_testkit::free_port();
        let disturbances = Disturbances {
            holds,
            ..Disturbances::default()
        };
        let command = self.command(port, options);
        let traced = Traced::start(command, self.watched(), disturbances).await;
        (traced, Address::of(port))
    }

    /// All file operations of a service for one tool, until it has looked at all and nothing more is to be done.
    pub(crate) async fn steps(&self, tool: &Tool, is_done: impl AsyncFnMut() -> bool) -> Vec<Step> {
        let (traced, address) = self.traced(Holds::new(), &["--alone"]).await;
        address.has_looked_at_all().await;
        until("all is done", is_done).await;
        let mut steps = traced.kill().await;
        steps.retain(|step| step.tool == tool.name);
        steps
    }

    /// Kills a service when it is about to do to each tool what is the tool's in the list of steps.
    async fn kill_at(&self, tools: &[Tool], numbers: &[usize], steps: &[Step]) {
        let names = tools.iter().map(|tool| tool.name.clone());
        let holds = names.zip(numbers.iter().copied()).collect();
        let (mut traced, _) = self.traced(holds, &["--alone"]).await;
        within(traced.stands_still()).await;
        let done = traced.kill().await;
        for (tool, number) in tools.iter().zip(numbers) {
            let last = done.iter().rfind(|step| step.tool == tool.name).unwrap();
            assert_eq!(
                last.what, steps[*number].what,
                "{} is killed elsewhere",
                tool.name
            );
        }
    }

    async fn is_whole(&self, tool: &Tool, reference: &Seen, step: &Step) {
        assert_eq!(self.home_of(tool), *reference, "killed before {}", step.what);
        self.works(tool).await;
    }

    fn namespaces(&self) -> Api<Namespace> {
        Api::all(self.admin.clone())
    }

    async fn is_gone(&self, tool: &Tool) -> bool {
        let namespace = format!("tool-{}", tool.name);
        self.namespaces().get_opt(&namespace).await.unwrap().is_none()
    }

    /// Makes the credentials due, and the kubeconfig without anything of ours.
    pub(crate) async fn makes_due(&self, tool: &Tool) {
        let kubeconfig = self.home(&tool.name).join(".kube/config");
        // In its place, as an editor does: owner and mode stay.
        std::fs::write(kubeconfig, FOREIGN).unwrap();
        let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
        let tomorrow = tomorrow.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let markers: Api<ConfigMap> = Api::namespaced(self.admin.clone(), &format!("tool-{}", tool.name));
        let patch = Patch::Merge(json!({ "data": { "expires": tomorrow } }));
        markers
            .patch(MARKER, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }
}

/// The numbers of all steps, as many at once as there are turns.
fn batches(steps: &[Step]) -> Vec<Vec<usize>> {
    let numbers: Vec<usize> = (0..steps.len()).collect();
    numbers.chunks(AT_ONCE).map(<[usize]>::to_vec).collect()
}

/// Says what is covered, in which these at least have to be.
pub(crate) fn covers(steps: &[Step], least: &[&str]) {
    println!("killed before each of {} calls:", steps.len());
    for step in steps {
        println!("  {}", step.what);
    }
    for least in least {
        assert!(
            steps.iter().any(|step| step.what == *least),
            "{least} is not seen"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_that_is_killed_at_any_file_operation_ends_like_any_other() {
    let mut stage = Stage::start().await;
    let mut tools = Tools::default();
    let counted = tools.add(1).remove(0);
    stage.has(&tools.0).await;
    let steps = stage.steps(&counted, async || true).await;
    covers(
        &steps,
        &[
            "renameat2 TOOL",
            "renameat TOOL/.toolskube/.current",
            "renameat TOOL/.kube/config",
        ],
    );
    let reference = stage.home_of(&counted);
    stage.works(&counted).await;
    for batch in batches(&steps) {
        let made = tools.add(batch.len());
        stage.has(&tools.0).await;
        stage.kill_at(&made, &batch, &steps).await;
        let _service = stage.serve().await;
        for (tool, number) in made.iter().zip(&batch) {
            stage.is_whole(tool, &reference, &steps[*number]).await;
        }
        stage.has_no_remains().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_is_killed_at_any_file_operation_ends_like_any_other() {
    let mut stage = Stage::start().await;
    let mut tools = Tools::default();
    let made = tools.add(AT_ONCE);
    stage.has(&tools.0).await;
    drop(stage.serve().await);
    stage.makes_due(&made[0]).await;
    let steps = stage.steps(&made[0], async || true).await;
    covers(
        &steps,
        &[
            "renameat TOOL/.toolskube/.current",
            "unlinkat TOOL/.toolskube/.pair-RANDOM",
            "renameat TOOL/.kube/config",
        ],
    );
    let reference = stage.home_of(&made[0]);
    assert!(
        reference.iter().any(|file| file.contains("token: \"0123\"")),
        "{reference:?}"
    );
    for batch in batches(&steps) {
        let due = &made[..batch.len()];
        for tool in due {
            stage.makes_due(tool).await;
        }
        stage.kill_at(due, &batch, &steps).await;
        let _service = stage.serve().await;
        for (tool, number) in due.iter().zip(&batch) {
            stage.is_whole(tool, &reference, &steps[*number]).await;
        }
        stage.has_no_remains().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_is_killed_at_any_file_operation_ends_like_any_other() {
    let mut stage = Stage::start().await;
    let mut tools = Tools::default();
    // More than are removed in a day: what shrinks the directory further would not be believed.
    let kept = tools.add(20);
    let counted = tools.add(1).remove(0);
    stage.has(&tools.0).await;
    drop(stage.serve().await);
    let home = stage.home_of(&counted);
    stage.has(&kept).await;
    let steps = stage
        .steps(&counted, async || stage.is_gone(&counted).await)
        .await;
    covers(&steps, &["renameat tool-TOOL-TIME.yaml", "fsync archive"]);
    let reference = stage.archives_of(&counted);
    assert_eq!(reference.len(), 1, "{reference:?}");
    for batch in batches(&steps) {
        let removed = tools.add(batch.len());
        stage.has(&[kept.clone(), removed.clone()].concat()).await;
        drop(stage.serve().await);
        stage.has(&kept).await;
        stage.kill_at(&removed, &batch, &steps).await;
        let _service = stage.serve().await;
        for (tool, number) in removed.iter().zip(&batch) {
            until("the namespace is gone", async || stage.is_gone(tool).await).await;
            let step = &steps[*number].what;
            assert_eq!(stage.archives_of(tool), reference, "killed before {step}");
            assert_eq!(stage.home_of(tool), home, "killed before {step}");
        }
        stage.has_no_remains().await;
    }
}
