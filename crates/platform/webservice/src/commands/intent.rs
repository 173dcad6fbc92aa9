//! What a maintainer wants: everything that says something of the settings, read before anything is done.

use std::path::Path;

use k8s_openapi::api::apps::v1::Deployment;

use crate::{
    cli::SettingsArgs,
    error::WebserviceError,
    guess::guess,
    home_files::HomeFiles,
    manifest,
    platform::Platform,
    session::Session,
    settings::{Backend, Layers, Offer, Resolved, Settings},
    template::{self, Template},
};

/// The type of a webservice on the grid that names none, as it has always been.
const GRID_TYPE: &str = "lighttpd";

/// The layers of settings, as they are read from the command line and the home.
#[derive(Debug, Clone)]
pub(super) struct Intent {
    layers: Layers,
}

impl Intent {
    /// For actions that bring a webservice up.
    pub(super) fn read(session: &Session, arguments: &SettingsArgs) -> Result<Self, WebserviceError> {
        let files = HomeFiles::new(&session.home);
        Ok(Self {
            layers: Layers {
                asked: Settings::asked(arguments),
                template: template::read(&files, arguments.template.as_deref())?,
                manifest: manifest::read(&files)?,
                running: Settings::default(),
            },
        })
    }

    /// As a start would take it with this template.
    pub(super) fn of_template(session: &Session, template: Template) -> Self {
        Self {
            layers: Layers {
                template: Some(template),
                manifest: manifest::read(&HomeFiles::new(&session.home)).unwrap_or_default(),
                ..Layers::default()
            },
        }
    }

    /// For actions that bring up settings that are complete, whatever the files of the home say.
    pub(super) fn exactly(settings: Settings) -> Self {
        Self {
            layers: Layers {
                asked: settings,
                ..Layers::default()
            },
        }
    }

    /// For actions on what is there: no file of the home can keep them from it.
    pub(super) fn of_what_is_there(session: &Session, arguments: &SettingsArgs) -> Self {
        let files = HomeFiles::new(&session.home);
        Self {
            layers: Layers {
                asked: Settings::asked(arguments),
                manifest: manifest::read(&files).unwrap_or_default(),
                ..Layers::default()
            },
        }
    }

    /// Where it is to run, or runs.
    pub(super) fn backend(&self) -> Result<Backend, WebserviceError> {
        self.layers.backend()
    }

    /// For what moves from the grid to Kubernetes: what was said of its job goes along where it means the same.
    pub(super) fn to_migrate(session: &Session, asked: Settings, grid_kind: &str) -> Self {
        let there = manifest::read(&HomeFiles::new(&session.home)).unwrap_or_default();
        Self {
            layers: Layers {
                asked,
                manifest: Settings {
                    kind: Some(grid_kind.to_owned()),
                    extra: there.extra,
                    ..Settings::default()
                },
                ..Layers::default()
            },
        }
    }

    /// The settings for Grid Engine.
    pub(super) fn resolve_grid(&self) -> Result<Settings, WebserviceError> {
        self.layers.resolve_grid(GRID_TYPE)
    }

    /// With what runs, for what is not said otherwise.
    pub(super) fn over(mut self, running: &Deployment) -> Self {
        self.layers.running = Settings::of(running);
        self
    }

    /// The settings for Kubernetes; what is to be known of them is said.
    pub(super) fn resolve(
        &self,
        session: &Session,
        platform: &Platform,
    ) -> Result<Resolved, WebserviceError> {
        let resolved = self.layers.resolve(&Offer {
            types: &platform.types,
            registry: &platform.registry,
            built_image: &format!("tool-{tool}/tool-{tool}:latest", tool = session.tool),
            guess: guess(&session.home, &platform.types).as_ref(),
        })?;
        for note in &resolved.notes {
            anstream::eprintln!("{note}");
        }
        Ok(resolved)
    }
}

/// Records what was started for the next time. What runs, runs, so a full disk is only told.
pub(super) fn record(home: &Path, settings: &Settings) {
    let now = jiff::Timestamp::now().to_string();
    if let Err(error) = manifest::record(&HomeFiles::new(home), settings, &now) {
        anstream::eprintln!("WARNING: {error}");
    }
}

/// Forgets it.
pub(super) fn forget(home: &Path) {
    let now = jiff::Timestamp::now().to_string();
    if let Err(error) = manifest::forget(&HomeFiles::new(home), &now) {
        anstream::eprintln!("WARNING: {error}");
    }
}
