//! `webservice logs`: what the webservice printed, each line as `TIME [POD] MESSAGE` (facts section 8).

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::api::ListParams;

use super::{intent::Intent, on_grid};
use crate::{
    cli::LogsArgs,
    error::WebserviceError,
    logs::{self, Part, Printer},
    objects::selector,
    session::Session,
    settings::Backend,
};

const DOING: &str = "reading the logs";

pub(super) async fn run(session: &Session, arguments: &LogsArgs) -> Result<(), WebserviceError> {
    if Intent::of_what_is_there(session, &arguments.settings).backend()? == Backend::Gridengine {
        return on_grid::logs(session, arguments).await;
    }
    let now = jiff::Timestamp::now();
    let since = arguments.since.as_deref().map(|text| logs::since(text, now));
    let part = Part {
        since: since.transpose().map_err(WebserviceError::Usage)?,
        last: arguments.last,
        previous: arguments.previous,
    };
    let mut printer = Printer::stdout();
    let shown = tokio::select! {
        shown = show(session, part, arguments.follow, &mut printer) => shown,
        // Whoever has seen enough says so like this.
        _ = tokio::signal::ctrl_c(), if arguments.follow => return Ok(()),
    };
    match shown {
        // Whoever reads along has seen enough: `webservice logs | head`.
        Err(WebserviceError::Output { source, .. }) if source.kind() == std::io::ErrorKind::BrokenPipe => {
            Ok(())
        }
        shown => shown,
    }
}

async fn show(
    session: &Session,
    part: Part,
    follow: bool,
    printer: &mut Printer<std::io::Stdout>,
) -> Result<(), WebserviceError> {
    let api = session.api::<Pod>();
    let pods = api
        .list(&ListParams::default().labels(&selector()))
        .await
        .map_err(WebserviceError::api(DOING))?
        .items;
    let cursors = logs::show(&api, &pods, part, printer).await?;
    if follow && is_there(session).await? {
        return logs::follow(&api, cursors, part, printer).await;
    }
    if printer.printed() == 0 {
        anstream::println!("No logs found!");
    }
    Ok(())
}

/// Whether there is anything to follow: without a webservice nothing will come.
async fn is_there(session: &Session) -> Result<bool, WebserviceError> {
    let deployment = session.api::<Deployment>().get_opt(session.tool.as_str()).await;
    Ok(deployment.map_err(WebserviceError::api(DOING))?.is_some())
}
