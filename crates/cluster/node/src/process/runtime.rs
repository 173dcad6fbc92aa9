//! The process runtime itself: the containers that there are, by id.

use std::{
    collections::HashMap,
    fmt, io,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::task::spawn_blocking;
use toolforge_streams::Wanted;

use super::{
    account,
    cgroup::Cgroups,
    command,
    console::Terms,
    container::{self, Plan, Running, unknown_exit},
    guest,
    leftovers::Records,
    limits::Limits,
    mounts::Namespaces,
    probe,
    spawner::Spawner,
    view::View,
    volumes,
};
use crate::{
    error::NodeError,
    protection::Protection,
    runtime::{
        ContainerId, CreateError, CreateRequest, Exit, Mount, ProbeOutcome, Runtime, StartError, Stop,
    },
    session::Session,
    sys::child::Credentials,
    usage::Reading,
};

/// Runs containers as processes of this machine.
pub(crate) struct ProcessRuntime {
    bin_dir: PathBuf,
    api: (String, u16),
    own_uid: bool,
    redirect: bool,
    cgroups: Cgroups,
    records: Records,
    /// Where volumes are mounted; none without root.
    namespaces: Option<Arc<Namespaces>>,
    spawner: Spawner,
    containers: Mutex<HashMap<ContainerId, Slot>>,
    /// Sets the ids of this life apart from those of earlier ones.
    life: i128,
    counter: AtomicU64,
}

#[derive(Debug)]
enum Slot {
    Created(Box<Plan>),
    Running(Arc<Running>),
}

impl ProcessRuntime {
    /// A runtime with its records below `state_dir`; containers find the API at `api_host_port`.
    pub(crate) fn new(
        bin_dir: PathBuf,
        state_dir: PathBuf,
        api_host_port: (String, u16),
        protect: &Protection,
        namespaces: Option<Arc<Namespaces>>,
    ) -> Result<Self, NodeError> {
        let opened = Records::open(&state_dir).and_then(|records| Ok((records, state_dir.canonicalize()?)));
        let (records, folder) = opened.map_err(|source| NodeError::State {
            folder: state_dir,
            source,
        })?;
        Ok(Self {
            bin_dir,
            api: api_host_port,
            own_uid: protect.own_uid,
            redirect: protect.redirect,
            cgroups: Cgroups::new(protect.controllers.clone(), &folder),
            records,
            namespaces,
            spawner: Spawner::start().map_err(NodeError::Spawner)?,
            containers: Mutex::default(),
            life: Timestamp::now().as_nanosecond(),
            counter: AtomicU64::new(0),
        })
    }

    /// Ends what an earlier life of the node left running. Call it before anything is started; blocks until done,
    /// at most some seconds per container.
    pub(crate) fn end_leftovers(&self) {
        self.cgroups.end_leftovers();
        self.records.end_leftovers();
    }

    fn plan(&self, request: CreateRequest) -> Result<(Plan, Vec<Mount>), CreateError> {
        let line = command::command_line(&request, &self.bin_dir, &self.api)?;
        let mounts = volumes::to_mount(request.mounts, self.namespaces.is_some())?;
        // Checked without root as well, so that a Pod that is refused there is refused here.
        let credentials = account::credentials(
            &request.place.namespace,
            &request.container,
            &request.pod_security,
        )?;
        let plan = Plan {
            line,
            credentials: self.own_uid.then_some(credentials),
            limits: Limits::of(request.container.resources.as_ref())?,
            address: request.address,
            output: request.output,
            terms: Terms::of(&request.container),
            image: request.container.image.unwrap_or_default(),
            place: request.place,
        };
        Ok((plan, mounts))
    }

    /// The file system of a container with these mounts.
    async fn view(&self, mounts: Vec<Mount>, user: Option<Credentials>) -> Result<View, CreateError> {
        let Some(namespaces) = self.namespaces.clone().filter(|_| !mounts.is_empty()) else {
            return Ok(View::default());
        };
        let built = spawn_blocking(move || namespaces.build(&mounts, user.as_ref())).await;
        built.unwrap_or_else(|_| Err(CreateError("the node is ending".to_owned())))
    }

    fn next_id(&self) -> ContainerId {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        ContainerId::new(format!("{:016x}{number:08x}", self.life))
    }

    fn running(&self, id: &ContainerId) -> Option<Arc<Running>> {
        match self.containers.lock().get(id) {
            Some(Slot::Running(running)) => Some(running.clone()),
            _ => None,
        }
    }

    /// The running containers of a Pod.
    fn of_pod(&self, namespace: &str, pod: &str) -> Vec<(ContainerId, Arc<Running>)> {
        let containers = self.containers.lock();
        let running = containers.iter().filter_map(|(id, slot)| match slot {
            Slot::Running(running) => Some((id.clone(), running.clone())),
            Slot::Created(_) => None,
        });
        running
            .filter(|(_, running)| {
                let place = &running.plan.place;
                place.namespace == namespace && place.pod == pod
            })
            .collect()
    }

    fn take_plan(&self, id: &ContainerId) -> Option<Plan> {
        let mut containers = self.containers.lock();
        match containers.remove(id) {
            Some(Slot::Created(plan)) => Some(*plan),
            Some(running) => {
                containers.insert(id.clone(), running);
                None
            }
            None => None,
        }
    }

    async fn launch(&self, id: &ContainerId, plan: Plan) -> Result<Arc<Running>, StartError> {
        let program = command::find_program(&plan.line)?;
        let name = plan.line.program.clone();
        let (cgroups, records, redirect) = (self.cgroups.clone(), self.records.clone(), self.redirect);
        let own = id.clone();
        let start = move || container::start(&own, plan, &program, &cgroups, &records, redirect);
        let started = self
            .spawner
            .run(start, |unwanted| unwanted.stop(Stop::Force))
            .await;
        started.map_err(|error| StartError(start_error(&name, &error)))
    }
}

impl fmt::Debug for ProcessRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessRuntime")
            .field("containers", &self.containers.lock().len())
            .finish_non_exhaustive()
    }
}

impl Runtime for ProcessRuntime {
    fn version(&self) -> String {
        format!("process://{}", env!("CARGO_PKG_VERSION"))
    }

    async fn create(&self, request: CreateRequest) -> Result<ContainerId, CreateError> {
        let (mut plan, mounts) = self.plan(request)?;
        plan.line.view = self.view(mounts, plan.credentials.clone()).await?;
        let id = self.next_id();
        self.containers
            .lock()
            .insert(id.clone(), Slot::Created(Box::new(plan)));
        Ok(id)
    }

    async fn start(&self, id: &ContainerId) -> Result<(), StartError> {
        let plan = self.take_plan(id);
        let plan = plan.ok_or_else(|| StartError(format!("container {id} was started or stopped before")))?;
        let running = self.launch(id, plan).await?;
        self.containers.lock().insert(id.clone(), Slot::Running(running));
        Ok(())
    }

    async fn wait(&self, id: &ContainerId) -> Exit {
        let Some(running) = self.running(id) else {
            return unknown_exit();
        };
        let exit = running.ended().await.unwrap_or_else(unknown_exit);
        self.containers.lock().remove(id);
        exit
    }

    fn stop(&self, id: &ContainerId, how: Stop) {
        if self.take_plan(id).is_some() {
            return;
        }
        if let Some(running) = self.running(id) {
            running.stop(how);
        }
    }

    async fn exec(&self, id: &ContainerId, command: &[String], limit: Duration) -> ProbeOutcome {
        match self.running(id) {
            Some(running) => probe::run(&self.spawner, running, command, limit).await,
            None => probe::failed(format!("container {id} is not running")),
        }
    }

    fn readings(&self) -> Vec<Reading> {
        let running: Vec<(ContainerId, Arc<Running>)> = {
            let containers = self.containers.lock();
            let slots = containers.iter();
            slots
                .filter_map(|(id, slot)| match slot {
                    Slot::Running(running) => Some((id.clone(), running.clone())),
                    Slot::Created(_) => None,
                })
                .collect()
        };
        running
            .iter()
            .filter_map(|(id, running)| running.reading(id))
            .collect()
    }

    fn find(&self, namespace: &str, pod: &str, container: &str) -> Option<ContainerId> {
        let found = self.of_pod(namespace, pod).into_iter();
        found
            .filter(|(_, running)| running.plan.place.container == container)
            .max_by_key(|(_, running)| running.plan.place.attempt)
            .map(|(id, _)| id)
    }

    fn address(&self, namespace: &str, pod: &str) -> Option<Ipv4Addr> {
        let (_, running) = self.of_pod(namespace, pod).into_iter().next()?;
        Some(running.plan.address)
    }

    async fn run(&self, id: &ContainerId, command: &[String], wanted: Wanted) -> Result<Session, StartError> {
        let running = self.running(id).ok_or_else(|| not_running(id))?;
        guest::run(&self.spawner, running, command, wanted, self.redirect).await
    }

    async fn attach(&self, id: &ContainerId, wanted: Wanted) -> Result<Session, StartError> {
        let running = self.running(id).ok_or_else(|| not_running(id))?;
        guest::attach(running, wanted).map_err(|error| StartError(format!("cannot attach: {error}")))
    }
}

fn not_running(id: &ContainerId) -> StartError {
    StartError(format!("container {id} is not running"))
}

fn start_error(program: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "exec: \"{program}\": permission denied: the container's user may not run it or may not enter the working folder"
        ),
        _ => format!("exec: \"{program}\": {error}"),
    }
}

#[cfg(test)]
impl ProcessRuntime {
    pub(super) fn containers_are_empty(&self) -> bool {
        self.containers.lock().is_empty()
    }
}
