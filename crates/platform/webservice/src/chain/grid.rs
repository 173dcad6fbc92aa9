//! The chain of a webservice on a grid: from the URL to its job.

use toolforge_model::ToolName;

use super::{Chain, Link, Mark, Reach, route};
use crate::{
    diagnosis::Failure,
    exit::Exit,
    grid::{Job, JobState},
};

/// All that was seen.
#[derive(Debug)]
pub(crate) struct OnGrid<'a> {
    pub(crate) tool: &'a ToolName,
    pub(crate) url: String,
    pub(crate) host: String,
    pub(crate) reach: Reach,
    pub(crate) job: Option<&'a Job>,
    /// Why the job has an error, if it has.
    pub(crate) problem: Option<&'a str>,
}

/// The chain as it is.
pub(crate) fn walk(seen: &OnGrid<'_>) -> Chain {
    let mut links = route::outside(&seen.host, &seen.url, &seen.reach);
    links.push(job(seen));
    let own = links
        .iter()
        .find_map(|link| Some((link.name, link.fault.clone()?)));
    let fault = own.or_else(|| unregistered(&mut links));
    Chain::of(seen.tool, &seen.url, links, fault)
}

fn job(seen: &OnGrid<'_>) -> Link {
    let Some(job) = seen.job else {
        let next = "Start it: `webservice --backend=gridengine TYPE start`.";
        return Link::broken(
            "job",
            Failure::new(Exit::Tool, "It has no job on the grid.", next),
        );
    };
    let number = job.number;
    match job.state() {
        JobState::Running => Link::ok("job", format!("job {number} runs")),
        JobState::Waiting => Link::broken(
            "job",
            Failure::new(
                Exit::Time,
                format!("Its job, {number}, waits for a place on the grid."),
                format!(
                    "It starts by itself when there is one; `qstat -j {number}` tells what it waits for."
                ),
            ),
        ),
        JobState::Going => Link::broken(
            "job",
            Failure::new(
                Exit::Tool,
                format!("Its job, {number}, is ending."),
                "Start it again when it has ended: `webservice start`.",
            ),
        ),
        JobState::Broken => {
            let tells = format!("`qstat -j {number}` tells more");
            let why = seen.problem.unwrap_or(&tells);
            let reason = format!("Its job, {number}, cannot run (state {}): {why}.", job.letters);
            let next = "Mend that, then say `webservice restart`.";
            Link::broken("job", Failure::new(Exit::Tool, reason, next))
        }
    }
}

/// A job that runs, and to which no visitor is led.
fn unregistered(links: &mut [Link]) -> Option<(&'static str, Failure)> {
    let link = links.iter_mut().find(|link| link.mark == Mark::Follows)?;
    link.mark = Mark::Broken;
    let fault = Failure::new(
        Exit::NotListening,
        "Its job runs, but it is not registered with the gateway: its runner does that as soon as something listens on $PORT.",
        "Your program must listen on the port that the environment variable PORT names; `webservice logs` shows what it printed.",
    );
    Some((link.name, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(letters: Option<&str>, status: u16, from_the_tool: bool) -> Chain {
        let tool = "alpha".parse().unwrap();
        let job = letters.map(|letters| Job {
            number: 7,
            name: "lighttpd-alpha".to_owned(),
            letters: letters.to_owned(),
            since: None,
        });
        walk(&OnGrid {
            tool: &tool,
            url: "https://alpha.toolforge.org/".to_owned(),
            host: "alpha.toolforge.org".to_owned(),
            reach: Reach::Answer {
                status,
                from_the_tool,
            },
            job: job.as_ref(),
            problem: Some("no such folder"),
        })
    }

    #[test]
    fn the_first_broken_link_of_a_job_is_named() {
        for (letters, broken, code, word) in [
            (None, "job", 1, "no job"),
            (Some("qw"), "job", 10, "waits"),
            (Some("Eqw"), "job", 1, "no such folder"),
            (Some("dr"), "job", 1, "ending"),
            (Some("r"), "gateway", 6, "not registered"),
        ] {
            let chain = chain(letters, 404, false);
            assert_eq!(
                (chain.broken, chain.exit_code),
                (Some(broken), code),
                "{letters:?}"
            );
            assert!(chain.reason.unwrap().contains(word), "{letters:?}");
        }
        let whole = chain(Some("r"), 200, true);
        assert_eq!((whole.broken, whole.exit_code), (None, 0));
    }
}
