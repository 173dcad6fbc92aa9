//! What can go wrong for a maintainer, in their words: what it is, and what to do about it.

/// Why a command of `webservice` did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebserviceError {
    /// The program itself cannot run.
    #[error("webservice cannot start")]
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
    #[error("type must be one of:\n  {}\nyou said {asked:?}", known.join("\n  "))]
    UnknownType {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A file or folder that the type needs is missing.
    #[error("{0}")]
    Precondition(String),
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
    /// It was started, but does not serve.
    #[error("{0}")]
    Failed(String),
    /// The tool's own URL cannot be asked.
    #[error("the URL cannot be checked")]
    Url(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What came back from the API instead of what was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiAnswer {
    /// Its own words; the rest of its answer is for programs.
    #[error("{0}")]
    Refused(String),
    /// No answer, or none that can be read.
    #[error(transparent)]
    Unreadable(kube::Error),
}

impl From<kube::Error> for ApiAnswer {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused(status.message),
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

    /// 2 for what was typed wrong, 1 for everything else, as it has always been.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            _ => 1,
        }
    }
}
