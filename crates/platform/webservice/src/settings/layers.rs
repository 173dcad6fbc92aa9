//! Everything that says something of a webservice's settings, and what comes out: the command line goes before
//! the template, that before the manifest, that before what runs, and the platform's defaults come last. Pure.

use super::{Backend, Mount, Settings, problems_of};
use crate::{
    error::WebserviceError,
    guess::Guess,
    objects::{BUILDSERVICE, runs_without_home},
    template::Template,
    types::{Types, WebType},
};

/// What was said, by whom.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    pub(crate) asked: Settings,
    pub(crate) template: Option<Template>,
    pub(crate) manifest: Settings,
    pub(crate) running: Settings,
}

/// What the platform has, and what is assumed where nobody says anything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer<'a> {
    pub(crate) types: &'a Types,
    /// Where images that were built are.
    pub(crate) registry: &'a str,
    /// The image that a build of this tool makes, without its registry.
    pub(crate) built_image: &'a str,
    /// The type that the files of the home look like.
    pub(crate) guess: Option<&'a Guess>,
}

/// The settings of a webservice on Kubernetes, complete and possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// What was said by anybody; defaults stay unsaid.
    pub(crate) settings: Settings,
    pub(crate) web_type: WebType,
    /// What a maintainer should know of it, a sentence each.
    pub(crate) notes: Vec<String>,
}

impl Layers {
    /// Where it is to run.
    ///
    /// # Errors
    ///
    /// Where what is asked for is not where it runs by its manifest.
    pub(crate) fn backend(&self) -> Result<Backend, WebserviceError> {
        let wanted = self.asked.backend.or(self.template().backend);
        match (wanted, self.manifest.backend) {
            (Some(wanted), Some(there)) if wanted != there => Err(WebserviceError::Precondition(format!(
                "Backend '{there}' from ~/service.manifest does not match '{wanted}'\n\
                 Stop what runs there first, then start it anew:\n  \
                 webservice --backend={there} stop\n  webservice --backend={wanted} start"
            ))),
            (wanted, there) => Ok(wanted.or(there).unwrap_or(Backend::Kubernetes)),
        }
    }

    /// The settings for Kubernetes.
    ///
    /// # Errors
    ///
    /// All that is wrong with them, at once: 2 where the command line is, else 1.
    pub(crate) fn resolve(&self, offer: &Offer<'_>) -> Result<Resolved, WebserviceError> {
        let mut problems = Problems::default();
        problems.typed.extend(problems_of(&self.asked));
        let mut notes = self.notes();
        let mut settings = self.merged(offer.types);
        let found = self.web_type(&mut settings, offer, &mut notes);
        if self.asked.release.is_some() {
            notes.push("--release is only for --backend=gridengine; it is passed over".to_owned());
        }
        settings.release = None;
        settings.backend = Some(Backend::Kubernetes);
        match found {
            Ok(web_type) => {
                check_of_type(&settings, &web_type, &mut problems);
                settings.kind = Some(web_type.name.clone());
                if problems.is_empty() {
                    problems.others.extend(recorded_problems(&settings));
                }
                problems.or(Resolved {
                    settings,
                    web_type,
                    notes,
                })
            }
            Err(error) if problems.is_empty() => Err(error),
            Err(error) => {
                problems.others.push(error.to_string());
                Err(problems.into_error())
            }
        }
    }

    /// The settings for Grid Engine, where neither memory nor copies are a webservice's to choose.
    ///
    /// # Errors
    ///
    /// What is only for Kubernetes, in the original's words.
    pub(crate) fn resolve_grid(&self, default_type: &str) -> Result<Settings, WebserviceError> {
        let said = [&self.asked, self.template()];
        let any = |is_said: fn(&Settings) -> bool| said.iter().any(|said| is_said(said));
        let only_kubernetes = [
            ("--mem", any(|said| said.mem.is_some())),
            ("--cpu", any(|said| said.cpu.is_some())),
            ("--replicas", any(|said| said.replicas.is_some())),
            (
                "--health-check-path",
                any(|said| said.health_check_path.is_some()),
            ),
            ("--mount", any(|said| said.mount.is_some())),
            (
                "--buildservice-image",
                any(|said| said.buildservice_image.is_some()),
            ),
        ];
        let problems: Vec<_> = only_kubernetes
            .iter()
            .filter(|(_, is_said)| *is_said)
            .map(|(option, _)| format!("{option} is only for --backend=kubernetes"))
            .collect();
        if !problems.is_empty() {
            return Err(WebserviceError::Precondition(problems.join("\n")));
        }
        let merged = self.merged(&Types::default());
        Ok(Settings {
            kind: merged.kind.or_else(|| Some(default_type.to_owned())),
            backend: Some(Backend::Gridengine),
            extra: merged.extra,
            release: merged.release,
            ..Settings::default()
        })
    }

    fn template(&self) -> &Settings {
        const NOTHING: &Settings = &Settings {
            kind: None,
            backend: None,
            mem: None,
            cpu: None,
            replicas: None,
            extra: Vec::new(),
            health_check_path: None,
            mount: None,
            buildservice_image: None,
            release: None,
        };
        self.template
            .as_ref()
            .map_or(NOTHING, |template| &template.settings)
    }

    fn notes(&self) -> Vec<String> {
        let template = self
            .template
            .iter()
            .filter(|template| !template.unknown.is_empty());
        let unknown = |template: &Template| {
            format!(
                "WARNING: Your template file ({}) contains unknown keys: {}",
                template.file,
                template.unknown.join(", ")
            )
        };
        template.map(unknown).collect()
    }

    fn merged(&self, types: &Types) -> Settings {
        let mut merged = self.asked.clone();
        for layer in [self.template(), &self.manifest, &self.running] {
            let same = match (&merged.kind, &layer.kind) {
                (Some(one), Some(other)) => one == other || is_one_type(one, other, types),
                _ => true,
            };
            merged = merged.over(layer.clone(), same);
        }
        merged
    }

    fn web_type(
        &self,
        settings: &mut Settings,
        offer: &Offer<'_>,
        notes: &mut Vec<String>,
    ) -> Result<WebType, WebserviceError> {
        let kind = match (&settings.kind, offer.guess) {
            (Some(kind), _) => kind.clone(),
            // An image that was built has only one type.
            (None, _) if self.asked.buildservice_image.is_some() => BUILDSERVICE.to_owned(),
            (None, Some(guess)) => {
                notes.push(guess.sentence());
                guess.kind.clone()
            }
            (None, None) => {
                return Err(WebserviceError::Usage(format!(
                    "say which type: webservice TYPE start, where TYPE is one of:\n  {}",
                    offered(offer.types).join("\n  ")
                )));
            }
        };
        if kind != BUILDSERVICE {
            settings.buildservice_image = settings
                .buildservice_image
                .take()
                .filter(|_| self.asked.buildservice_image.is_some());
            return offer.types.find(&kind).cloned().map_err(|error| match error {
                WebserviceError::UnknownType { asked, near, .. } => WebserviceError::UnknownType {
                    asked,
                    near,
                    known: offered(offer.types),
                },
                other => other,
            });
        }
        let image = settings
            .buildservice_image
            .as_deref()
            .unwrap_or(offer.built_image);
        Ok(WebType::built(format!("{}/{image}", offer.registry)))
    }
}

/// What a type cannot be told.
fn check_of_type(settings: &Settings, web_type: &WebType, problems: &mut Problems) {
    if settings.buildservice_image.is_some() && web_type.runtime != BUILDSERVICE {
        problems.typed.push(format!(
            "--buildservice-image is only for type {BUILDSERVICE}, and you said {}",
            web_type.name
        ));
    }
    if settings.mount == Some(Mount::None) && !runs_without_home(&web_type.runtime) {
        problems.others.push(format!(
            "--mount none is not for type {}, which is read from your home; leave it out, or say --mount all",
            web_type.name
        ));
    }
}

/// Names and aliases of one type.
fn is_one_type(one: &str, other: &str, types: &Types) -> bool {
    match (types.find(one), types.find(other)) {
        (Ok(one), Ok(other)) => one.name == other.name,
        _ => false,
    }
}

/// The types to choose from.
fn offered(types: &Types) -> Vec<String> {
    let mut names = types.names();
    if !names.iter().any(|name| name == BUILDSERVICE) {
        names.push(BUILDSERVICE.to_owned());
    }
    names
}

/// What remains wrong when the command line is right: it was taken over from elsewhere.
fn recorded_problems(settings: &Settings) -> Vec<String> {
    let problems = problems_of(settings);
    problems
        .into_iter()
        .map(|problem| format!("from ~/service.manifest, or what runs: {problem}"))
        .collect()
}

/// What is wrong: with what was typed, and with the rest.
#[derive(Default)]
struct Problems {
    typed: Vec<String>,
    others: Vec<String>,
}

impl Problems {
    fn is_empty(&self) -> bool {
        self.typed.is_empty() && self.others.is_empty()
    }

    fn or(self, resolved: Resolved) -> Result<Resolved, WebserviceError> {
        if self.is_empty() {
            Ok(resolved)
        } else {
            Err(self.into_error())
        }
    }

    fn into_error(self) -> WebserviceError {
        let is_usage = !self.typed.is_empty();
        let text = [self.typed, self.others].concat().join("\n");
        if is_usage {
            WebserviceError::Usage(text)
        } else {
            WebserviceError::Precondition(text)
        }
    }
}

#[cfg(test)]
mod tests;
