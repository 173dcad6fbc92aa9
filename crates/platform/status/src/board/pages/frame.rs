//! What every page has: its title, how old the data is, and whether the cluster still answers.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::Seen;
use crate::board::{follow::KINDS, pulse::SILENCE, text};

/// When a page is computed, and how the API is then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    /// How long ago the API answered; nothing if it never did.
    pub(crate) heard: Option<Duration>,
}

/// The frame of a page.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Frame<'a> {
    #[serde(skip)]
    pub(crate) title: String,
    /// Which part of the site it belongs to.
    #[serde(skip)]
    pub(crate) section: &'static str,
    #[serde(skip)]
    pub(crate) domain: String,
    #[serde(skip)]
    pub(crate) searched: &'a str,
    #[serde(rename = "asOf")]
    pub(crate) now: Timestamp,
    /// How old what is shown may be.
    pub(crate) age_seconds: Option<f64>,
    /// Why it may be old or in part: one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warning: Option<String>,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(seen: Seen<'a>, title: impl Into<String>, section: &'static str) -> Self {
        let Moment { now, heard } = seen.moment;
        Self {
            title: title.into(),
            section,
            domain: seen.config.domain.to_string(),
            searched: "",
            now,
            age_seconds: heard.map(|heard| (heard.as_secs_f64() * 10.0).round() / 10.0),
            warning: warning(seen, heard),
        }
    }

    /// How long ago something was.
    pub(crate) fn age(&self, then: impl std::borrow::Borrow<Option<Timestamp>>) -> String {
        text::age(*then.borrow(), self.now)
    }

    /// How old the data is, in words.
    pub(crate) fn data_age(&self) -> String {
        match self.age_seconds {
            None => "not known yet".to_owned(),
            Some(age) if age < 2.0 => "less than 2 s old".to_owned(),
            Some(age) if age < 60.0 => format!("{age:.0} s old"),
            Some(age) => format!("{} old", text::duration(Duration::from_secs_f64(age))),
        }
    }

    /// The link of the navigation that is the page's own section.
    pub(crate) fn current(&self, section: &str) -> &'static str {
        if self.section == section {
            " aria-current=\"page\""
        } else {
            ""
        }
    }
}

fn warning(seen: Seen<'_>, heard: Option<Duration>) -> Option<String> {
    match heard {
        None => Some(
            "The cluster has not been heard of yet. What is shown here is nothing, or what was last known."
                .to_owned(),
        ),
        Some(silent) if silent >= SILENCE => Some(format!(
            "The cluster's API has not answered for {}. This is what was last known; tools go on being served.",
            text::duration(silent)
        )),
        Some(_) if seen.world.read.len() < KINDS => Some(
            "Some kinds of objects have not been read yet, or may not be. What is shown here is only a part."
                .to_owned(),
        ),
        Some(_) => None,
    }
}
