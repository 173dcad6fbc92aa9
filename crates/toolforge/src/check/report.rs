//! Everything that was found, in the order of the files: what text, JSON and exit code are made of.

use toolforge_manifest::ReadError;

use super::{
    judgement::{Check, Judgement, Outcome},
    sources::Source,
};

/// What was found in all files.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) files: Vec<(&'a str, Result<Vec<Judgement>, &'a ReadError>)>,
}

impl<'a> Report<'a> {
    /// Judges all objects of all files.
    pub(super) fn of(sources: &'a [Source], check: &Check<'_>) -> Self {
        let judge = |source: &'a Source| {
            let judged = source
                .content
                .as_ref()
                .map(|manifests| manifests.iter().map(|manifest| check.judge(manifest)).collect());
            (source.name.as_str(), judged)
        };
        Self {
            files: sources.iter().map(judge).collect(),
        }
    }

    /// The objects, each with the file in which it stands.
    pub(super) fn judged(&self) -> impl Iterator<Item = (&str, &Judgement)> {
        self.files
            .iter()
            .flat_map(|(file, content)| content.iter().flatten().map(move |judgement| (*file, judgement)))
    }

    /// The files that cannot be read.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = (&str, &ReadError)> {
        self.files
            .iter()
            .filter_map(|(file, content)| Some((*file, *content.as_ref().err()?)))
    }

    /// How many objects ended in this way.
    pub(super) fn count(&self, outcome: Outcome) -> usize {
        self.judged()
            .filter(|(_, judgement)| judgement.outcome == outcome)
            .count()
    }
}
