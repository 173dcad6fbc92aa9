//! The links that a webservice itself is: Deployment, Pod, process, health check.

use super::{Link, Mark, Observed};
use crate::{
    diagnosis::{Check, Failure, Standing, check_of},
    exit::Exit,
};

const NAMES: [&str; 4] = ["deployment", "pod", "process", "health"];

/// Those that there are; a health check only where one was asked for.
pub(super) fn links(observed: &Observed<'_>) -> Vec<Link> {
    let scene = &observed.scene;
    let newest = scene.newest_pods();
    let check = newest.first().map_or(Check::None, |pod| check_of(pod));
    let (at, fault) = match &observed.standing {
        Standing::Ready => (NAMES.len(), None),
        Standing::Absent => (0, Some(stopped())),
        Standing::Coming(_) => (usize::from(!newest.is_empty()), None),
        Standing::Failed(failure) => (place(failure.exit, newest.is_empty()), Some(failure.clone())),
    };
    let said = [
        match scene.wanted() {
            1 => "1 copy is wanted".to_owned(),
            wanted => format!("{wanted} copies are wanted"),
        },
        match (scene.ready(), scene.wanted()) {
            (1, 1) => "it is ready".to_owned(),
            (ready, wanted) => format!("{ready} of {wanted} are ready"),
        },
        match &check {
            Check::Listens { .. } | Check::None => "it listens on $PORT".to_owned(),
            Check::Answers { .. } => "it runs".to_owned(),
        },
        match &check {
            Check::Answers { path } => format!("{path} answers as it must"),
            Check::Listens { .. } | Check::None => String::new(),
        },
    ];
    let mut links = Vec::new();
    for (index, (name, said)) in NAMES.into_iter().zip(said).enumerate() {
        let has_health = matches!(check, Check::Answers { .. });
        let link = match (index.cmp(&at), &fault) {
            _ if name == "health" && !has_health && index != at => continue,
            (std::cmp::Ordering::Less, _) => Link::ok(name, said),
            (std::cmp::Ordering::Equal, Some(fault)) => Link::broken(name, fault.clone()),
            (std::cmp::Ordering::Equal, None) => Link::new(name, Mark::Open, coming(observed)),
            (std::cmp::Ordering::Greater, _) => Link::new(name, Mark::Open, "not reached"),
        };
        links.push(link);
    }
    links
}

fn coming(observed: &Observed<'_>) -> String {
    match observed.standing {
        Standing::Coming(what) => what.to_owned(),
        _ => "not reached".to_owned(),
    }
}

fn stopped() -> Failure {
    Failure::new(
        Exit::Tool,
        "Your webservice is not running.",
        "Start it: `webservice TYPE start`.",
    )
}

/// Which link a failure is about.
fn place(exit: Exit, no_pods: bool) -> usize {
    match exit {
        _ if no_pods => 0,
        Exit::Quota | Exit::Admission | Exit::Api => 0,
        Exit::NotListening => 2,
        Exit::HealthCheck => 3,
        _ => 1,
    }
}
