//! `webservice migrate [TYPE]`: from the grid to Kubernetes under the same URL, without a failed request. Kubernetes'
//! part is ready before anything is taken from the grid; what goes wrong until then leaves the job as it was.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use k8s_openapi::api::{apps::v1::Deployment, discovery::v1::EndpointSlice};
use kube::api::ListParams;

use super::{
    intent::{self, Intent},
    start, stop,
};
use crate::{
    cli::MigrateArgs,
    error::WebserviceError,
    exit::Exit,
    follow::{self, Following},
    grid::Grid,
    history,
    platform::Platform,
    registrar::{Registrar, RegistrarError},
    session::Session,
    settings::{Resolved, Settings},
    types::Types,
    url_check::UrlCheck,
};

/// How long a Service may take to lead to Pods that are ready.
const ENDPOINT_PATIENCE: Duration = Duration::from_secs(20);
/// What the gateway is given beyond the milliseconds in which it hears of them; nobody waits for an answer meanwhile.
const GATEWAY_GRACE: Duration = Duration::from_secs(1);
/// How long the URL may take to be answered by Kubernetes.
const URL_PATIENCE: Duration = Duration::from_secs(10);
/// How often in a row the tool must have answered: each thread of a gateway has its own time.
const ANSWERS: u32 = 5;
const LOOK: Duration = Duration::from_millis(100);

pub(super) async fn run(session: &Session, arguments: &MigrateArgs) -> Result<(), WebserviceError> {
    let grid = Grid::of(session);
    let Some(found) = grid.look().await? else {
        return Err(WebserviceError::Precondition(
            "Your webservice is not running on the grid, so there is nothing to migrate; `webservice start` starts it on \
             Kubernetes"
                .to_owned(),
        ));
    };
    let there = session
        .api::<Deployment>()
        .get_opt(session.tool.as_str())
        .await
        .map_err(WebserviceError::api("looking at your webservice"))?;
    if there.is_some() {
        return Err(WebserviceError::Precondition(
            "There is a webservice on Kubernetes already, beside the one on the grid; `webservice --backend=kubernetes \
             stop` takes it away, then say this again"
                .to_owned(),
        ));
    }
    let platform = Platform::read(&session.client).await?;
    let identity = session.identity()?;
    let registrar = Registrar::of(&platform, &session.tool, identity.as_ref())
        .map_err(WebserviceError::Failed)?
        .ok_or_else(|| WebserviceError::Platform("neither register-url nor register-lines".to_owned()))?;
    let resolved = resolve(session, &platform, &arguments.settings, found.kind)?;
    let check = UrlCheck::new(&platform, &session.tool)?;
    let migration = Migration {
        session,
        grid,
        registrar,
        check,
    };
    let following = Following {
        doing: "Starting it on Kubernetes",
        patience: arguments.patience(),
    };
    if let Err(error) = migration.prepare(&platform, &resolved, following).await {
        return Err(migration.undo(error).await);
    }
    migration.switch().await?;
    intent::record(&session.home, &resolved.settings);
    history::record(session, &resolved.settings).await;
    anstream::println!(
        "Your webservice of type {} is running at {}, on Kubernetes",
        resolved.web_type.name,
        migration.check.url()
    );
    Ok(())
}

/// The settings for Kubernetes: what was said now, else what corresponds to what runs.
fn resolve(
    session: &Session,
    platform: &Platform,
    arguments: &crate::cli::SettingsArgs,
    grid_kind: &str,
) -> Result<Resolved, WebserviceError> {
    let mut asked = Settings::asked(arguments);
    let is_chosen = asked.kind.is_none();
    let kind = match asked.kind.take() {
        Some(kind) => kind,
        None => corresponding(grid_kind, &session.home, &platform.types)?,
    };
    asked.kind = Some(kind);
    let resolved = Intent::to_migrate(session, asked, grid_kind).resolve(session, platform)?;
    let (name, hint) = (&resolved.web_type.name, "`webservice migrate TYPE` takes another");
    let hint = if is_chosen {
        format!("; {hint}")
    } else {
        String::new()
    };
    anstream::eprintln!("From type {grid_kind} on the grid to type {name} on Kubernetes{hint}");
    Ok(resolved)
}

/// The type on this platform that does what a type of the grid did.
fn corresponding(grid_kind: &str, home: &Path, types: &Types) -> Result<String, WebserviceError> {
    let candidates: &[&str] = match grid_kind {
        "lighttpd" if needs_lighttpd(home) => &["php", "lighttpd", "php8.2", "php7.4"],
        "lighttpd" => &["static", "php"],
        "lighttpd-plain" if needs_lighttpd(home) => &["lighttpd-plain", "tcl"],
        "lighttpd-plain" => &["static", "lighttpd-plain"],
        "uwsgi-python" => &["python", "python3.11", "python3.9"],
        "nodejs" => &["nodejs", "node", "node18", "node16"],
        other => &[other],
    };
    let found = candidates.iter().find(|candidate| types.find(candidate).is_ok());
    found.map(|found| (*found).to_owned()).ok_or_else(|| {
        WebserviceError::Precondition(format!(
            "No type on Kubernetes corresponds to {grid_kind}; say `webservice migrate TYPE` with one of:\n  {}",
            types.names().join("\n  ")
        ))
    })
}

/// Whether more is served than files: a configuration of the tool's own, or PHP.
fn needs_lighttpd(home: &Path) -> bool {
    let is_php = |entry: std::fs::DirEntry| {
        entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "php")
    };
    let folder = home.join("public_html");
    let has_php = |folder: &Path| {
        std::fs::read_dir(folder).is_ok_and(|entries| entries.filter_map(Result::ok).any(is_php))
    };
    // The folder and those in it: deeper, a page of PHP has one above that leads to it.
    let below = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    home.join(".lighttpd.conf").exists()
        || has_php(&folder)
        || below
            .map(|entry| entry.path())
            .any(|path| path.is_dir() && has_php(&path))
}

struct Migration<'a> {
    session: &'a Session,
    grid: Grid<'a>,
    registrar: Registrar,
    check: UrlCheck,
}

impl Migration<'_> {
    /// Starts it on Kubernetes, where no visitor comes as long as the job is registered.
    async fn prepare(
        &self,
        platform: &Platform,
        resolved: &Resolved,
        following: Following,
    ) -> Result<(), WebserviceError> {
        start::put(self.session, platform, resolved).await?;
        Box::pin(follow::until_it_is_ready(self.session, following)).await?;
        self.until_there_are_endpoints().await?;
        tokio::time::sleep(GATEWAY_GRACE).await;
        Ok(())
    }

    async fn until_there_are_endpoints(&self) -> Result<(), WebserviceError> {
        let began = Instant::now();
        let own = ListParams::default().labels(&format!("kubernetes.io/service-name={}", self.session.tool));
        let slices = self.session.api::<EndpointSlice>();
        loop {
            let found = match slices.list(&own).await {
                Ok(found) => found,
                // Where tools may not see them, that all Pods are ready must be enough.
                Err(kube::Error::Api(status)) if status.code == 403 => return Ok(()),
                Err(error) => {
                    return Err(WebserviceError::api(
                        "looking whether your Service leads to your Pods",
                    )(error));
                }
            };
            let is_ready = |slice: &EndpointSlice| {
                let conditions = slice.endpoints.iter().flatten();
                conditions
                    .filter_map(|endpoint| endpoint.conditions.as_ref())
                    .any(|conditions| conditions.ready == Some(true))
            };
            if found.iter().any(is_ready) {
                return Ok(());
            }
            if began.elapsed() > ENDPOINT_PATIENCE {
                return Err(WebserviceError::DoesNotServe {
                    exit: Exit::Url,
                    sentence: format!(
                        "Its Pods are ready, and its Service leads to none of them after {} s.",
                        ENDPOINT_PATIENCE.as_secs()
                    ),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Has visitors led to Kubernetes, and when they are, ends the job.
    async fn switch(&self) -> Result<(), WebserviceError> {
        let taken = match self.registrar.take_back().await {
            Ok(taken) => taken,
            Err(error) => return Err(self.undo(away(&error)).await),
        };
        if taken.is_some()
            && let Err(error) = self.until_answered().await
        {
            return Err(self.back(taken, error).await);
        }
        anstream::eprintln!("Ending the job on the grid");
        if let Err(error) = self.grid.stop(|| {}).await {
            anstream::eprintln!("WARNING: {error}");
        }
        // Its runner has unregistered by now, also where only that could.
        self.until_answered().await
    }

    async fn until_answered(&self) -> Result<(), WebserviceError> {
        let began = Instant::now();
        let mut answers = 0;
        while answers < ANSWERS {
            let instead = match self.check.ask().await {
                Ok(answer) if !answer.is_in_place_of_the_tool => {
                    answers += 1;
                    continue;
                }
                Ok(answer) => format!("answers {}", answer.status),
                Err(error) => format!("cannot be reached: {}", error.text),
            };
            answers = 0;
            if began.elapsed() > URL_PATIENCE {
                return Err(WebserviceError::DoesNotServe {
                    exit: Exit::Url,
                    sentence: format!("It runs on Kubernetes, and {} {instead}.", self.check.url()),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Has visitors led to the job again.
    async fn back(&self, taken: Option<std::net::SocketAddr>, error: WebserviceError) -> WebserviceError {
        if let Some(destination) = taken
            && let Err(error) = self.registrar.register(destination).await
        {
            anstream::eprintln!(
                "WARNING: the job is not registered again; its runner does it within a minute: {error}"
            );
        }
        self.undo(error).await
    }

    /// Takes Kubernetes' part away again, and says so behind what went wrong.
    async fn undo(&self, error: WebserviceError) -> WebserviceError {
        let after = match stop::take_away(self.session).await {
            Ok(()) => "The job on the grid goes on serving; nothing is left of it on Kubernetes.".to_owned(),
            Err(left) => format!(
                "The job on the grid goes on serving. What was made on Kubernetes is still there ({left}); \
                 `webservice --backend=kubernetes stop` takes it away."
            ),
        };
        anstream::eprintln!("{after}");
        error
    }
}

fn away(error: &RegistrarError) -> WebserviceError {
    WebserviceError::DoesNotServe {
        exit: Exit::Url,
        sentence: format!("The registration of the job cannot be taken back: {error}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::parse_types;

    #[test]
    fn each_type_of_the_grid_has_one_on_kubernetes() {
        let names = ["static", "php", "lighttpd-plain", "python", "nodejs", "generic"];
        let entries =
            names.map(|name| format!("{name}: {{ variants: {{ webservice: {{ image: r/{name} }} }} }}\n"));
        let types = parse_types(&entries.concat()).unwrap();
        let home = tempfile::tempdir().unwrap();
        let found = |kind| corresponding(kind, home.path(), &types).unwrap();
        assert_eq!(found("lighttpd"), "static");
        std::fs::create_dir_all(home.path().join("public_html/deep")).unwrap();
        std::fs::write(home.path().join("public_html/deep/index.php"), "").unwrap();
        assert_eq!(found("lighttpd"), "php");
        assert_eq!(found("lighttpd-plain"), "lighttpd-plain");
        assert_eq!(found("uwsgi-python"), "python");
        assert_eq!(found("nodejs"), "nodejs");
        assert_eq!(found("generic"), "generic");
        let none = corresponding("uwsgi-plain", home.path(), &types)
            .unwrap_err()
            .to_string();
        assert!(none.contains("migrate TYPE") && none.contains("php"), "{none}");
    }
}
