//! What is submitted for a webservice. Pure, but for one file that operators may write.

use std::path::Path;

use toolforge_model::ToolName;

use crate::{error::WebserviceError, nearest::nearest};

/// The types of the original, each with its queue. `tomcat` went before the grid did.
pub(crate) const TYPES: [(&str, &str); 6] = [
    ("lighttpd", "webgrid-lighttpd"),
    ("lighttpd-plain", "webgrid-lighttpd"),
    ("uwsgi-python", "webgrid-generic"),
    ("uwsgi-plain", "webgrid-generic"),
    ("nodejs", "webgrid-generic"),
    ("generic", "webgrid-generic"),
];
/// The memory of a job, where operators have not said otherwise for its tool.
const DEFAULT_MEMORY: &str = "4G";

/// A job to be.
#[derive(Debug, Clone)]
pub(super) struct Submission<'a> {
    pub(super) tool: &'a ToolName,
    pub(super) home: &'a Path,
    pub(super) kind: &'a str,
    /// `h_vmem`, as Grid Engine writes memory.
    pub(super) memory: &'a str,
    pub(super) release: Option<&'a str>,
    pub(super) extra: &'a [String],
    /// The program, which is where it is here on every machine of the grid.
    pub(super) program: &'a str,
}

/// What a job of a webservice is called.
pub(super) fn name(kind: &str, tool: &ToolName) -> String {
    format!("{kind}-{tool}")
}

/// The type of a job, if it is a webservice of this tool.
pub(super) fn kind_of(job: &str, tool: &ToolName) -> Option<&'static str> {
    let kinds = TYPES.iter().map(|(kind, _)| *kind);
    kinds.into_iter().find(|kind| name(kind, tool) == job)
}

/// The queue of a type.
pub(super) fn queue(kind: &str) -> Result<&'static str, WebserviceError> {
    let found = TYPES.iter().find(|(known, _)| *known == kind);
    found
        .map(|(_, queue)| *queue)
        .ok_or_else(|| WebserviceError::UnknownType {
            asked: kind.to_owned(),
            known: TYPES.iter().map(|(kind, _)| (*kind).to_owned()).collect(),
            near: nearest(kind, TYPES.iter().map(|(kind, _)| *kind)).map(ToOwned::to_owned),
        })
}

/// The arguments of `qsub`.
pub(super) fn arguments(submission: &Submission<'_>) -> Result<Vec<String>, WebserviceError> {
    let Submission {
        tool,
        home,
        kind,
        memory,
        release,
        extra,
        program,
    } = submission;
    let mut resources = format!("h_vmem={memory}");
    if let Some(release) = release {
        if !release.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(WebserviceError::Usage(format!(
                "--release {release:?} is no release; say its name, such as buster"
            )));
        }
        resources = format!("{resources},release={release}");
    }
    let log = home.join("error.log").display().to_string();
    let name = name(kind, tool);
    let mut words: Vec<&str> = vec!["-terse", "-q", queue(kind)?, "-l", &resources, "-b", "y"];
    // The program itself, and not a shell that a signal ends first; what is coming is announced by signals.
    words.extend(["-shell", "n", "-notify", "-N", &name, "-o", &log, "-e", &log]);
    words.extend([
        *program,
        "webservice-runner",
        "--register-proxy",
        "--type",
        kind,
        "--port",
        "0",
    ]);
    if !extra.is_empty() {
        words.push("--");
        words.extend(extra.iter().map(String::as_str));
    }
    Ok(words.into_iter().map(ToOwned::to_owned).collect())
}

/// The memory of this tool's jobs: as operators have written it beside the homes, else the same for all.
pub(super) fn memory(home: &Path, tool: &ToolName) -> Result<String, WebserviceError> {
    let Some(project) = home.parent() else {
        return Ok(DEFAULT_MEMORY.to_owned());
    };
    let file = project.join(format!(".system/config/{tool}.web-memlimit"));
    let Ok(text) = std::fs::read_to_string(&file) else {
        return Ok(DEFAULT_MEMORY.to_owned());
    };
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| "KMGTkmgt".contains(c));
    // It stands in a list of resources, to which it must not add.
    let is_memory = !digits.is_empty()
        && text.len() - digits.len() <= 1
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_memory {
        Ok(text.to_owned())
    } else {
        Err(WebserviceError::Platform(format!(
            "{}: {text:?} is no memory such as 4G",
            file.display()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission<'a>(tool: &'a ToolName, extra: &'a [String]) -> Submission<'a> {
        Submission {
            tool,
            home: Path::new("/data/project/alpha"),
            kind: "uwsgi-python",
            memory: "6G",
            release: Some("buster"),
            extra,
            program: "/usr/bin/toolforge",
        }
    }

    #[test]
    fn a_job_is_the_runner_in_the_queue_of_its_type() {
        let tool: ToolName = "alpha".parse().unwrap();
        let extra = ["-v".to_owned()];
        let words = arguments(&submission(&tool, &extra)).unwrap().join(" ");
        assert_eq!(
            words,
            "-terse -q webgrid-generic -l h_vmem=6G,release=buster -b y -shell n -notify -N uwsgi-python-alpha \
             -o /data/project/alpha/error.log -e /data/project/alpha/error.log \
             /usr/bin/toolforge webservice-runner --register-proxy --type uwsgi-python --port 0 -- -v"
        );
        let release = Some("buster,h_rt=1");
        let odd = Submission {
            release,
            ..submission(&tool, &[])
        };
        assert!(arguments(&odd).unwrap_err().to_string().contains("is no release"));
        let odd = Submission {
            kind: "tomcat",
            ..submission(&tool, &[])
        };
        assert!(
            arguments(&odd)
                .unwrap_err()
                .to_string()
                .starts_with("type must be one of:\n  lighttpd")
        );
    }

    #[test]
    fn jobs_are_told_from_others_by_name() {
        let tool: ToolName = "alpha".parse().unwrap();
        assert_eq!(kind_of("lighttpd-plain-alpha", &tool), Some("lighttpd-plain"));
        assert_eq!(kind_of("lighttpd-alpha", &tool), Some("lighttpd"));
        for other in ["lighttpd-alpha2", "alpha", "cron-alpha", "lighttpd"] {
            assert_eq!(kind_of(other, &tool), None, "{other}");
        }
    }

    #[test]
    fn operators_give_a_tool_more_memory_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (home, tool) = (folder.path().join("alpha"), "alpha".parse().unwrap());
        assert_eq!(memory(&home, &tool).unwrap(), "4G");
        let config = folder.path().join(".system/config");
        std::fs::create_dir_all(&config).unwrap();
        std::fs::write(config.join("alpha.web-memlimit"), "7G\n").unwrap();
        assert_eq!(memory(&home, &tool).unwrap(), "7G");
        for odd in ["", "lots", "4G,h_rt=1", "4GG", "-1G"] {
            std::fs::write(config.join("alpha.web-memlimit"), odd).unwrap();
            assert!(memory(&home, &tool).is_err(), "{odd}");
        }
    }
}
