//! From the texts of an Ingress to what they come to, and to everything that is wrong or does nothing.
//!
//! What is read and what comes of it stand here; each group of annotations has a file of its own.

mod choice;
mod cors;
mod passing;
mod paths;
mod reader;
mod visitors;

use std::{borrow::Cow, collections::BTreeMap};

use crate::{Extras, FAMILY, Pattern, catalogue, values};
use reader::Reader;

/// What is read: the parts of an Ingress that its annotations depend on.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its annotations of [`FAMILY`], by what stands behind the slash.
    pub annotations: BTreeMap<&'a str, &'a str>,
    /// The hosts of its rules.
    pub hosts: Vec<&'a str>,
    /// The paths of its rules.
    pub paths: Vec<AskedPath<'a>>,
}

/// A path of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedPath<'a> {
    /// The rule, counted from 0.
    pub rule: usize,
    /// The path within the rule.
    pub index: usize,
    /// The path itself.
    pub path: &'a str,
    /// Whether its type is `ImplementationSpecific`, so that it may be a pattern.
    pub may_be_pattern: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What is done; `None` where no annotation asks for anything. It counts only where there are no problems.
    pub extras: Option<Extras>,
    /// What is refused. An Ingress with one is not served: without what it asks for, it might let in anybody.
    pub problems: Vec<Problem>,
    /// What does nothing, and why.
    pub notes: Vec<Note>,
}

/// Where in the Ingress something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The annotation with this name, the part behind the slash.
    Annotation(String),
    /// A path of a rule.
    Path {
        /// The rule.
        rule: usize,
        /// The path within it.
        index: usize,
    },
}

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The annotation is known, and not done here.
    Refused,
    /// Nobody knows the annotation.
    Unknown,
    /// The value is not one that the annotation can have.
    Value,
    /// The path is no pattern.
    Pattern,
}

/// Something that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind.
    pub kind: ProblemKind,
    /// Where.
    pub place: Place,
    /// The value; `None` where the annotation alone is the problem.
    pub value: Option<String>,
    /// Why, as a sentence without full stop.
    pub why: Cow<'static, str>,
    /// What to do instead.
    pub instead: Cow<'static, str>,
}

/// Something that does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The annotation, the part behind the slash.
    pub name: String,
    /// Why it does nothing, or less than it says.
    pub text: Cow<'static, str>,
}

impl<'a> Source<'a> {
    /// The annotations of the family among all of an object, by what stands behind the slash.
    pub fn of_family(all: impl Iterator<Item = (&'a String, &'a String)>) -> BTreeMap<&'a str, &'a str> {
        let ours = all.filter_map(|(key, value)| {
            let name = key.strip_prefix(FAMILY)?.strip_prefix('/')?;
            Some((name, value.as_str()))
        });
        ours.collect()
    }
}

/// Whether paths of type `ImplementationSpecific` are patterns: with ingress-nginx a rewrite makes them such too.
pub fn has_patterns(annotations: &BTreeMap<&str, &str>) -> bool {
    let asked = annotations
        .get("use-regex")
        .and_then(|text| values::boolean(text));
    asked.unwrap_or(false) || annotations.contains_key("rewrite-target")
}

/// Reads the annotations of an Ingress.
pub fn read(source: &Source<'_>) -> Reading {
    let mut reader = Reader {
        source,
        problems: Vec::new(),
        notes: Vec::new(),
    };
    reader.look_at_names();
    let extras = reader.extras();
    let is_something = !extras.obeyed.is_empty();
    Reading {
        extras: is_something.then_some(extras),
        problems: reader.problems,
        notes: reader.notes,
    }
}

impl Reader<'_> {
    fn extras(&mut self) -> Extras {
        let annotations = &self.source.annotations;
        let obeyed = catalogue::obeyed().iter();
        let obeyed = obeyed.filter_map(|name| Some((*name, (*annotations.get(name)?).to_owned())));
        let patterns = self.patterns();
        let groups = patterns.values().map(Pattern::groups).min();
        let mut extras = Extras {
            obeyed: obeyed.collect(),
            rewrite: self.rewrite(groups),
            redirect: self.redirect(groups),
            patterns,
            https_only: self.https_only(),
            body_limit_bytes: self.body_limit(),
            timeouts: self.timeouts(),
            cors: self.cors(),
            auth: self.auth(),
            rates: self.rates(),
            ..Extras::default()
        };
        self.read_hosts(&mut extras);
        self.read_choice(&mut extras);
        self.read_addresses(&mut extras);
        extras
    }
}

#[cfg(test)]
mod tests;
