//! The reader: gets values out of annotations, and notes what is wrong with them.

use std::borrow::Cow;

use super::{Note, Place, Problem, ProblemKind, Source};
use crate::{FAMILY, Known, known, nearest, values};

/// The longest value in bytes.
const LONGEST_VALUE: usize = 4096;

/// What is read, and what was found so far.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) problems: Vec<Problem>,
    pub(super) notes: Vec<Note>,
}

impl<'a> Reader<'a> {
    /// What can be said of each annotation by its name alone.
    pub(super) fn look_at_names(&mut self) {
        for (name, value) in &self.source.annotations {
            match known(name) {
                Some(Known::Obeyed) => {}
                Some(Known::Idle(why)) if values::is_harmless(value) => {
                    self.note(name, format!("does nothing here: {why}; leave it out"));
                }
                Some(Known::Idle(_)) => {
                    self.wrong(
                        name,
                        "must be a word or a number, though it does nothing here",
                        "leave it out",
                    );
                }
                Some(Known::Refused { why, instead }) => {
                    self.refuse(ProblemKind::Refused, name, why.into(), instead.into());
                }
                None => {
                    let instead = match nearest(name) {
                        Some(meant) => format!("leave it out, or write {FAMILY}/{meant} if you mean that"),
                        None => "leave it out; for a note of your own use a key without a slash".to_owned(),
                    };
                    let why = "Annotations that ingress controllers may take orders from are not allowed where nobody knows what they say";
                    self.refuse(ProblemKind::Unknown, name, why.into(), instead.into());
                }
            }
        }
    }

    pub(super) fn refuse(
        &mut self,
        kind: ProblemKind,
        name: &str,
        why: Cow<'static, str>,
        instead: Cow<'static, str>,
    ) {
        self.problems.push(Problem {
            kind,
            place: Place::Annotation(name.to_owned()),
            value: None,
            why,
            instead,
        });
    }

    pub(super) fn wrong(&mut self, name: &str, must: &str, instead: impl Into<Cow<'static, str>>) {
        self.problems.push(Problem {
            kind: ProblemKind::Value,
            place: Place::Annotation(name.to_owned()),
            value: self.text(name).map(str::to_owned),
            why: format!("The annotation {name} {must}").into(),
            instead: instead.into(),
        });
    }

    pub(super) fn note(&mut self, name: &str, text: impl Into<Cow<'static, str>>) {
        self.notes.push(Note {
            name: name.to_owned(),
            text: text.into(),
        });
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.source.annotations.get(name).copied()
    }

    /// The value of an annotation, where it is there and can be read.
    pub(super) fn value<T>(
        &mut self,
        name: &str,
        must: &str,
        example: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = Some(text)
            .filter(|text| text.len() <= LONGEST_VALUE)
            .and_then(read);
        if value.is_none() {
            self.wrong(name, must, format!("write it like {example:?}"));
        }
        value
    }

    pub(super) fn boolean(&mut self, name: &str) -> Option<bool> {
        self.value(name, "must be \"true\" or \"false\"", "true", values::boolean)
    }

    /// Says of annotations that another one has to be there for them to do anything.
    pub(super) fn needs(&mut self, names: &[&str], needed: &str) {
        for name in names {
            if self.text(name).is_some() {
                self.note(name, format!("does nothing without {needed}"));
            }
        }
    }

    pub(super) fn needs_not(&mut self, name: &str, other: &str) {
        if self.text(name).is_some() {
            self.note(name, format!("does nothing beside {other}"));
        }
    }
}
