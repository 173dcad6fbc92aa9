//! `webservice edit`: the template in the maintainer's editor, checked before it takes the place of the old one.

mod editor;

use std::path::Path;

use super::{intent::Intent, restart};
use crate::{
    cli::{EditArgs, SettingsArgs, StartArgs},
    error::WebserviceError,
    grid::Grid,
    home_files::HomeFiles,
    objects::BUILDSERVICE,
    platform::Platform,
    session::Session,
    settings::Backend,
    template,
    types::check_home,
};

use editor::{Draft, wants_another_try};

/// What a new one begins with.
const SKELETON: &str = include_str!("edit/skeleton.yaml");

pub(super) async fn run(session: &Session, arguments: &EditArgs) -> Result<(), WebserviceError> {
    let platform = Platform::read(&session.client).await?;
    let files = HomeFiles::new(&session.home);
    let (place, before) = the_one(&files)?;
    let shown = format!("~/{place}");
    let mut draft = Draft::new(before.as_deref().unwrap_or(SKELETON))?;
    let text = loop {
        let text = draft.edit()?;
        if before.as_deref().unwrap_or(SKELETON) == text {
            anstream::println!("Nothing is changed");
            return Ok(());
        }
        let Err(error) = check(session, &platform, &shown, &text) else {
            break text;
        };
        anstream::eprintln!("{error}");
        if !wants_another_try() {
            return Err(draft.keep(&format!("{shown} is left as it was")));
        }
    };
    if let Err(error) = put(session, place, &text) {
        return Err(draft.keep(&format!("{shown} cannot be written ({error})")));
    }
    anstream::println!("{shown} is saved");
    if !arguments.apply {
        anstream::println!("`webservice restart` applies it.");
        return Ok(());
    }
    let restart = StartArgs {
        settings: SettingsArgs::default(),
        env: Vec::new(),
        follow: arguments.follow,
    };
    restart::run(session, &restart).await
}

/// The template of the home, and its text; where there is none, where it will be.
fn the_one(files: &HomeFiles) -> Result<(&'static str, Option<String>), WebserviceError> {
    let mut found = Vec::new();
    for place in template::PLACES {
        let text = files.read(Path::new(place)).map_err(|error| {
            WebserviceError::Precondition(format!(
                "~/{place} cannot be read: {error}; make it a text file that your tool may read"
            ))
        })?;
        found.extend(text.map(|text| (place, text)));
    }
    match found.len() {
        0 => Ok((template::PLACES[0], None)),
        1 => Ok(found.remove(0)).map(|(place, text)| (place, Some(text))),
        _ => Err(WebserviceError::Precondition(format!(
            "More than one template was found: {}; keep one of them",
            found
                .iter()
                .map(|(place, _)| format!("~/{place}"))
                .collect::<Vec<_>>()
                .join(", ")
        ))),
    }
}

/// What a start with it would check.
fn check(session: &Session, platform: &Platform, shown: &str, text: &str) -> Result<(), WebserviceError> {
    let template = template::parse(shown, text)?;
    let intent = Intent::of_template(session, template);
    if intent.backend()? == Backend::Gridengine {
        return Grid::of(session).check(&intent.resolve_grid()?);
    }
    let resolved = intent.resolve(session, platform)?;
    if resolved.web_type.runtime == BUILDSERVICE {
        return Ok(());
    }
    check_home(
        &resolved.web_type.runtime,
        &session.home,
        &resolved.settings.extra,
    )
}

fn put(session: &Session, place: &str, text: &str) -> std::io::Result<()> {
    let (folder, name) = place.rsplit_once('/').unwrap_or(("", place));
    if !folder.is_empty() && rustix::process::geteuid().is_root() {
        // Folders of a tool may be links to anywhere.
        return Err(std::io::Error::other(
            "root writes none but ~/service.template; become the tool",
        ));
    }
    HomeFiles::new(&session.home.join(folder)).replace(name, text)
}
