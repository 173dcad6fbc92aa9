//! What Grid Engine says of jobs: `qstat -xml`, and `qstat -j` where that is not enough. Pure.

use roxmltree::{Document, Node};

/// A job of the user who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) name: String,
    /// Letters, one for each thing that is so: `r` runs, `q` waits, `E` has an error, `d` is to go.
    pub(crate) letters: String,
    /// When it began to run, or was submitted; without a time zone, as Grid Engine writes it.
    pub(crate) since: Option<String>,
}

/// How a job is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobState {
    Waiting,
    Running,
    /// It will not run, until somebody clears its error.
    Broken,
    Going,
}

impl Job {
    /// In one word. The order matters: `dr` is going, and `Eqw` waits for ever.
    pub(crate) fn state(&self) -> JobState {
        let has = |letter| self.letters.contains(letter);
        if has('d') {
            JobState::Going
        } else if has('E') {
            JobState::Broken
        } else if has('r') {
            JobState::Running
        } else {
            JobState::Waiting
        }
    }
}

/// All jobs in the answer of `qstat -xml`.
///
/// # Errors
/// When it is no such answer.
pub(super) fn jobs(xml: &str) -> Result<Vec<Job>, String> {
    let document = Document::parse(xml).map_err(|error| error.to_string())?;
    let lists = document
        .descendants()
        .filter(|node| node.has_tag_name("job_list"));
    lists.map(job).collect()
}

fn job(list: Node<'_, '_>) -> Result<Job, String> {
    let text = |name: &str| {
        let child = list.children().find(|child| child.has_tag_name(name))?;
        child.text().map(|text| text.trim().to_owned())
    };
    let needed = |name: &str| text(name).ok_or_else(|| format!("a job has no {name}"));
    let number = needed("JB_job_number")?;
    Ok(Job {
        number: number
            .parse()
            .map_err(|_| format!("{number:?} is no number of a job"))?,
        name: needed("JB_name")?,
        letters: needed("state")?,
        since: text("JAT_start_time").or_else(|| text("JB_submission_time")),
    })
}

/// Why a job has an error, out of `qstat -j`.
pub(super) fn error_reason(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("error reason"))?;
    // Behind the number of the task; then come a time and numbers that mean nothing to a maintainer.
    let (_, reason) = line.split_once(':')?;
    let reason = reason.split_once("]: ").map_or(reason, |(_, reason)| reason);
    Some(reason.trim().trim_start_matches("error: ").to_owned())
}

/// What the scheduler says of a job that waits, out of `qstat -j`.
pub(super) fn scheduling(text: &str) -> Vec<String> {
    let mut lines = text
        .lines()
        .skip_while(|line| !line.starts_with("scheduling info:"));
    let first = lines
        .next()
        .and_then(|line| line.split_once(':'))
        .map(|(_, rest)| rest);
    let rest = lines.take_while(|line| line.starts_with(' '));
    first
        .into_iter()
        .chain(rest)
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_grid_engine_are_read() {
        for (xml, number, name, letters, state) in [
            (
                include_str!("captured/t.xml"),
                2,
                "lighttpd-test",
                "r",
                JobState::Running,
            ),
            (
                include_str!("captured/r.xml"),
                2,
                "lighttpd-test",
                "r",
                JobState::Running,
            ),
            (
                include_str!("captured/dr.xml"),
                2,
                "lighttpd-test",
                "dr",
                JobState::Going,
            ),
            (
                include_str!("captured/eqw.xml"),
                1,
                "lighttpd-test",
                "Eqw",
                JobState::Broken,
            ),
            (include_str!("captured/qw.xml"), 4, "a", "qw", JobState::Waiting),
        ] {
            let jobs = jobs(xml).unwrap();
            let [job] = jobs.as_slice() else {
                assert_eq!(jobs.len(), 1);
                continue;
            };
            assert_eq!(
                (job.number, job.name.as_str(), job.letters.as_str(), job.state()),
                (number, name, letters, state)
            );
            assert!(
                job.since
                    .as_ref()
                    .is_some_and(|since| since.starts_with("2026-11-26T"))
            );
        }
    }

    #[test]
    fn states_are_told_by_their_letters() {
        for (letters, state) in [
            ("qw", JobState::Waiting),
            ("hqw", JobState::Waiting),
            ("t", JobState::Waiting),
            ("Rr", JobState::Running),
            ("s", JobState::Waiting),
            ("Eqw", JobState::Broken),
            ("dr", JobState::Going),
            ("dt", JobState::Going),
        ] {
            let job = Job {
                number: 1,
                name: String::new(),
                letters: letters.to_owned(),
                since: None,
            };
            assert_eq!(job.state(), state, "{letters}");
        }
    }

    #[test]
    fn no_jobs_and_no_answer_are_two_things() {
        assert_eq!(
            jobs("<?xml version='1.0'?><job_info><queue_info/></job_info>"),
            Ok(vec![])
        );
        for odd in ["", "error: commlib error", "<job_info><job_list/></job_info>"] {
            assert!(jobs(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn the_reason_of_an_error_is_told_without_its_numbers() {
        let text = include_str!("captured/eqw-j.txt");
        assert_eq!(
            error_reason(text).as_deref(),
            Some("can't open output file \"/data/project/test/home/error.log\": No such file or directory")
        );
        assert_eq!(scheduling(text), ["Job is in error state"]);
        assert_eq!(error_reason("job_number: 1\n"), None);
        let waiting = "scheduling info:            queue \"a\" dropped because it is full\n                            All queues dropped\n";
        assert_eq!(
            scheduling(waiting),
            ["queue \"a\" dropped because it is full", "All queues dropped"]
        );
    }
}
