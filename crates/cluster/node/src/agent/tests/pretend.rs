//! A runtime that only pretends, for the tests of the agent.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;
use toolforge_streams::Wanted;

use crate::{
    runtime::{
        ContainerId, ContainerPlace, CreateError, CreateRequest, Exit, ProbeOutcome, Runtime, StartError,
        Stop,
    },
    session::Session,
    usage::Reading,
};

/// Containers that exist only here, and end when they are told.
#[derive(Debug, Default)]
pub(super) struct Pretend {
    counter: AtomicU64,
    pub(super) containers: Mutex<BTreeMap<ContainerId, Pretended>>,
}

#[derive(Debug)]
pub(super) struct Pretended {
    place: ContainerPlace,
    environment: Vec<(String, String)>,
    pub(super) exit: watch::Sender<Option<Exit>>,
}

impl Pretend {
    pub(super) fn end(&self, container: &str, code: i32) {
        let containers = self.containers.lock();
        containers
            .values()
            .filter(|one| one.place.container == container)
            .for_each(|one| one.end(code));
    }

    pub(super) fn environment(&self, container: &str) -> Vec<(String, String)> {
        let containers = self.containers.lock();
        let found = containers.values().find(|one| one.place.container == container);
        found.map(|one| one.environment.clone()).unwrap_or_default()
    }
}

impl Pretended {
    fn end(&self, code: i32) {
        let exit = Exit {
            code,
            signal: None,
            out_of_memory: false,
            at: Timestamp::now(),
        };
        self.exit
            .send_if_modified(|known| known.is_none().then(|| *known = Some(exit)).is_some());
    }
}

impl Runtime for Pretend {
    fn version(&self) -> String {
        "pretend://1".to_owned()
    }

    async fn create(&self, request: CreateRequest) -> Result<ContainerId, CreateError> {
        request.output.write(false, b"hello\n");
        let id = ContainerId::new(format!("{}", self.counter.fetch_add(1, Ordering::Relaxed)));
        let one = Pretended {
            place: request.place,
            environment: request.environment,
            exit: watch::channel(None).0,
        };
        self.containers.lock().insert(id.clone(), one);
        Ok(id)
    }

    async fn start(&self, _: &ContainerId) -> Result<(), StartError> {
        Ok(())
    }

    async fn wait(&self, id: &ContainerId) -> Exit {
        let mut exit = self
            .containers
            .lock()
            .get(id)
            .expect("container")
            .exit
            .subscribe();
        let exit = exit
            .wait_for(Option::is_some)
            .await
            .expect("sender")
            .clone()
            .expect("exit");
        self.containers.lock().remove(id);
        exit
    }

    fn stop(&self, id: &ContainerId, how: Stop) {
        if let Some(one) = self.containers.lock().get(id) {
            one.end(if how == Stop::Ask { 143 } else { 137 });
        }
    }

    async fn exec(&self, _: &ContainerId, _: &[String], _: Duration) -> ProbeOutcome {
        ProbeOutcome {
            success: true,
            output: String::new(),
        }
    }

    fn readings(&self) -> Vec<Reading> {
        Vec::new()
    }

    fn find(&self, _: &str, _: &str, _: &str) -> Option<ContainerId> {
        None
    }

    fn address(&self, _: &str, _: &str) -> Option<Ipv4Addr> {
        None
    }

    async fn run(&self, id: &ContainerId, _: &[String], _: Wanted) -> Result<Session, StartError> {
        Err(StartError(format!("{id} only pretends")))
    }

    async fn attach(&self, id: &ContainerId, _: Wanted) -> Result<Session, StartError> {
        Err(StartError(format!("{id} only pretends")))
    }
}
