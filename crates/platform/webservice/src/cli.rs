//! The command line: `webservice [options] [TYPE] ACTION [-- extra arguments]`, as it has always been.

use clap::{Parser, ValueEnum};

/// Start, stop and look at a tool's webservice
#[derive(Debug, Parser)]
#[command(
    name = "webservice",
    version,
    override_usage = "webservice [OPTIONS] [TYPE] <start|stop|restart|status|logs> [-- EXTRA...]",
    after_help = "Types on this platform are those of `webservice TYPE start` with any other word for TYPE: \
                  it lists them.\n\n\
                  Examples:\n  webservice static start                 serve ~/public_html\n  \
                  webservice python start                 serve `app` of ~/www/python/src/app.py (WSGI)\n  \
                  webservice generic start -- ./server    serve whatever listens on $PORT\n  \
                  webservice logs -f                      follow what it prints",
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// TYPE and ACTION, or ACTION alone
    #[arg(required = true, num_args = 1..=2, value_name = "TYPE|ACTION")]
    words: Vec<String>,
    /// Memory limit, such as 512Mi or 1Gi
    #[arg(short, long, value_name = "QUANTITY")]
    pub(crate) mem: Option<String>,
    /// CPU limit, such as 500m or 1
    #[arg(short, long, value_name = "QUANTITY")]
    pub(crate) cpu: Option<String>,
    /// How many copies are to run
    #[arg(short, long, value_name = "NUMBER")]
    pub(crate) replicas: Option<u16>,
    /// Return at once, without following what happens
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// logs: go on as lines come in
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// logs: only the last lines
    #[arg(short, long, value_name = "LINES")]
    pub(crate) last: Option<u32>,
    /// Where to run it; only kubernetes is left
    #[arg(long, value_enum, default_value_t = Backend::Kubernetes, hide = true)]
    pub(crate) backend: Backend,
    /// Arguments for the webservice
    #[arg(last = true, value_name = "EXTRA")]
    pub(crate) extra: Vec<String>,
}

/// The original's other backend, gridengine, was shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    Kubernetes,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Action {
    Start,
    Stop,
    Restart,
    Status,
    Logs,
}

impl Cli {
    /// The type, where one is named, and the action.
    pub(crate) fn words(&self) -> Result<(Option<&str>, Action), String> {
        let (kind, action) = match self.words.as_slice() {
            [action] => (None, action),
            [kind, action] => (Some(kind.as_str()), action),
            _ => return Err("say [TYPE] ACTION".to_owned()),
        };
        let known = Action::from_str(action, false)
            .map_err(|_| format!("{action:?} is no action; say start, stop, restart, status or logs"))?;
        Ok((kind, known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(arguments: &[&str]) -> Result<(Option<String>, Action), String> {
        let cli = Cli::try_parse_from([&["webservice"], arguments].concat()).unwrap();
        cli.words()
            .map(|(kind, action)| (kind.map(ToOwned::to_owned), action))
    }

    #[test]
    fn type_comes_before_action_and_may_be_left_out() {
        assert_eq!(
            words(&["static", "start"]),
            Ok((Some("static".to_owned()), Action::Start))
        );
        assert_eq!(words(&["status"]), Ok((None, Action::Status)));
        assert_eq!(
            words(&["-m", "1Gi", "python", "restart"]),
            Ok((Some("python".to_owned()), Action::Restart))
        );
        assert!(
            words(&["static"])
                .unwrap_err()
                .contains("start, stop, restart, status or logs")
        );
    }

    #[test]
    fn what_follows_two_hyphens_belongs_to_the_tool() {
        let cli =
            Cli::try_parse_from(["webservice", "generic", "start", "--", "./serve", "--port", "1"]).unwrap();
        assert_eq!(cli.extra, ["./serve", "--port", "1"]);
    }
}
