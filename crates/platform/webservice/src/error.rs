//! What can go wrong for a maintainer, in their words: what it is, and what to do about it.

use crate::{exit::Exit, nearest::did_you_mean};

/// Why a command of `webservice` did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebserviceError {
    /// The program itself cannot run.
    #[error("webservice itself cannot start on this machine")]
    Start(#[source] std::io::Error),
    /// What was typed does not mean anything.
    #[error("{0}")]
    Usage(String),
    /// No credentials, or unusable ones.
    #[error("your credentials cannot be used; they are in ~/.kube/config, or where KUBECONFIG says")]
    Credentials(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The credentials are not those of a tool.
    #[error(
        "this is not a tool: the namespace of your kubeconfig is {0:?}, and a tool's begins with `tool-`; become a tool first"
    )]
    NotATool(String),
    /// The platform's public configuration is missing or damaged.
    #[error("the platform's configuration ({0}) is not usable; tell its operators")]
    Platform(String),
    /// The type is not known.
    #[error("type must be one of:\n  {}\nyou said {asked:?}{}", known.join("\n  "), did_you_mean(near.as_deref()))]
    UnknownType {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: Vec<String>,
        /// What may have been meant.
        near: Option<String>,
    },
    /// A file or folder that the type needs is missing.
    #[error("{0}")]
    Precondition(String),
    /// Grid Engine's programs are not on this machine.
    #[error(
        "there is no Grid Engine on this machine: {0} is not on its PATH; log in to one that submits jobs to the grid, or use \
         --backend=kubernetes. If your service.manifest says that it runs on a grid which is gone, say \
         `webservice --backend=gridengine stop` first"
    )]
    NoGrid(String),
    /// `start` on something that is there.
    #[error("Your job is already running")]
    AlreadyRunning,
    /// The API refused or did not answer.
    #[error("{doing} did not work")]
    Api {
        /// What was being done.
        doing: &'static str,
        /// What the API said.
        source: ApiAnswer,
    },
    /// The tool's own program or state is in the way.
    #[error("{0}")]
    Failed(String),
    /// What was to be shown could not be read to its end, or not be written.
    #[error("{doing} broke off")]
    Output {
        /// What was being done.
        doing: &'static str,
        /// How it ended.
        source: std::io::Error,
    },
    /// It does not serve, or does not stop, for a reason that has an exit code of its own.
    #[error("{sentence}")]
    DoesNotServe {
        /// The kind of reason.
        exit: Exit,
        /// The reason, and the next step.
        sentence: String,
    },
    /// Somebody has pressed Ctrl-C while it was followed.
    #[error("you stopped waiting; what was asked for goes on, and `webservice status` tells how it went")]
    Interrupted,
    /// The tool's own URL cannot be asked.
    #[error("the URL cannot be checked with what the platform says of itself; tell its operators")]
    Url(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What came back from the API instead of what was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiAnswer {
    /// Its own words; the rest of its answer is for programs.
    #[error("{message}")]
    Refused {
        /// The code of the answer.
        status: u16,
        /// Its sentence.
        message: String,
    },
    /// No answer, or none that can be read.
    #[error(transparent)]
    Unreadable(kube::Error),
}

impl From<kube::Error> for ApiAnswer {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused {
                status: status.code,
                message: status.message.clone(),
            },
            other => Self::Unreadable(other),
        }
    }
}

impl WebserviceError {
    /// For `map_err` on calls to the API.
    pub(crate) fn api(doing: &'static str) -> impl FnOnce(kube::Error) -> Self {
        move |error| Self::Api {
            doing,
            source: error.into(),
        }
    }

    /// The kind of cause.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Credentials(_) | Self::NotATool(_) | Self::Platform(_) => Exit::Api,
            Self::Api { source, .. } => source.exit(),
            Self::DoesNotServe { exit, .. } => *exit,
            Self::Interrupted => Exit::Interrupted,
            Self::Url(_) => Exit::Url,
            Self::Start(_)
            | Self::UnknownType { .. }
            | Self::Precondition(_)
            | Self::NoGrid(_)
            | Self::AlreadyRunning
            | Self::Output { .. }
            | Self::Failed(_) => Exit::Tool,
        }
    }

    /// What the process ends with.
    pub(crate) fn code(&self) -> u8 {
        self.exit().code()
    }

    /// What to do, where the error itself does not say it because its causes come in between.
    pub(crate) fn next_step(&self) -> Option<&'static str> {
        match self {
            Self::Credentials(_) => Some(
                "ask the operators for new credentials if they have run out; they are renewed by the platform itself",
            ),
            Self::Api { source, .. } => Some(source.next_step()),
            _ => None,
        }
    }
}

impl ApiAnswer {
    fn exit(&self) -> Exit {
        match self {
            Self::Refused { status, message } => Exit::of_answer(*status, message),
            Self::Unreadable(_) => Exit::Api,
        }
    }

    fn next_step(&self) -> &'static str {
        match (self, self.exit()) {
            (Self::Unreadable(_), _) => {
                "try again in a minute; if the platform's API stays away, tell its operators"
            }
            (_, Exit::Quota) => {
                "ask for less with --mem, --cpu or --replicas, or stop something; `kubectl describe quota` shows what is used"
            }
            (_, Exit::Admission) => "change what the platform's guards name, then say it again",
            (_, Exit::Api) => {
                "try again in a minute; if it stays so, tell the platform's operators what the API said"
            }
            _ => "mend what the API names, then say it again",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(status: u16, message: &str) -> WebserviceError {
        WebserviceError::Api {
            doing: "starting your webservice",
            source: ApiAnswer::Refused {
                status,
                message: message.to_owned(),
            },
        }
    }

    #[test]
    fn each_kind_of_cause_has_its_exit_code() {
        for (error, code) in [
            (WebserviceError::AlreadyRunning, 1),
            (WebserviceError::Precondition(String::new()), 1),
            (WebserviceError::Usage(String::new()), 2),
            (api(403, "exceeded quota: tool-a"), 3),
            (api(403, "admission webhook \"x\" denied the request: no"), 4),
            (WebserviceError::NotATool("default".to_owned()), 9),
            (api(401, "Unauthorized"), 9),
        ] {
            assert_eq!(error.code(), code, "{error}");
        }
    }

    #[test]
    fn what_the_api_refuses_comes_with_a_next_step() {
        assert!(
            api(403, "exceeded quota: tool-a")
                .next_step()
                .is_some_and(|step| step.contains("--mem"))
        );
        assert_eq!(WebserviceError::AlreadyRunning.next_step(), None);
    }
}
