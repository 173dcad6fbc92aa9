//! `webservice history`: the last configurations, with what runs marked.

use crate::{
    cli::OutputArgs,
    error::WebserviceError,
    history::{self, said, same, to_the_second},
    session::Session,
};

pub(super) async fn run(session: &Session, output: OutputArgs) -> Result<(), WebserviceError> {
    let entries = history::read(session).await?;
    if let Some(format) = output.output {
        return format.print(&entries);
    }
    if entries.is_empty() {
        anstream::println!("No history yet: it begins with the next start.");
        return Ok(());
    }
    let running = super::rollback::running(session).await?;
    anstream::println!("  {:<9} {:<20} {:<14} SETTINGS", "REVISION", "APPLIED", "TYPE");
    for entry in entries.iter().rev() {
        let runs = running
            .as_ref()
            .is_some_and(|running| same(running, &entry.settings));
        anstream::println!(
            "{} {:<9} {:<20} {:<14} {}",
            if runs { '*' } else { ' ' },
            entry.revision,
            to_the_second(&entry.at),
            entry.settings.kind.as_deref().unwrap_or("-"),
            said(&entry.settings)
                .into_iter()
                .chain((entry.came_up == Some(false)).then(|| "did not come up".to_owned()))
                .collect::<Vec<_>>()
                .join(", ")
        );
    }
    Ok(())
}
