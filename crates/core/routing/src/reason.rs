//! Why an Ingress is not served, or not wholly, in the words for whoever wrote it.
//!
//! The gateway says them in an Event, and `toolforge gateway explain` and `routes --not-served` say the same. Pure.

use std::fmt::Write as _;

use serde::Serialize;

use crate::{Lost, ObjectKey, Reception, RouteTable};

/// How many paths a reason names; more are counted.
const NAMED_PATHS: usize = 5;

/// Why something is not served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// In one word, as Events have it.
    pub word: &'static str,
    /// For the maintainer.
    pub text: String,
}

impl Reception {
    /// Why the Ingress is not served, or not wholly; `None` when it is, or is another controller's.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Foreign => None,
            Self::Refused(why) => Some(refused(why)),
            Self::Routed(lost) => partly(lost),
            Self::Outdone(lost) => Some(outdone(lost)),
        }
    }
}

impl RouteTable {
    /// The Ingresses that are not served or not wholly, and why; sorted.
    pub fn not_served(&self) -> Vec<(ObjectKey, Reason)> {
        let keys = self.ingresses().map(|ingress| &ingress.key);
        let reason = |key: &ObjectKey| Some((key.clone(), self.reception(key)?.reason()?));
        let mut all: Vec<_> = keys.filter_map(reason).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }
}

fn refused(why: &str) -> Reason {
    Reason {
        word: "NotServed",
        text: format!("Not served, and its status is withdrawn. {why}"),
    }
}

fn outdone(lost: &[Lost]) -> Reason {
    Reason {
        word: "NotServed",
        text: format!(
            "Not served, since older Ingresses have all of its paths: {}. Of two Ingresses with the same path the older one has it; change the \
             paths, or delete the other Ingress",
            holders(lost)
        ),
    }
}

fn partly(lost: &[Lost]) -> Option<Reason> {
    let text = || {
        format!(
            "Not all of it is served, since older Ingresses have some of its paths: {}. Of two Ingresses with the same path the older one has \
             it; leave these out here, or there",
            holders(lost)
        )
    };
    (!lost.is_empty()).then(|| Reason {
        word: "PartlyServed",
        text: text(),
    })
}

/// Each path, and who has it.
fn holders(lost: &[Lost]) -> String {
    let mut text = String::new();
    for Lost { host, path, to } in lost.iter().take(NAMED_PATHS) {
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = write!(
            text,
            "{separator}{host}{path} is that of {} in {}",
            to.name, to.namespace
        );
    }
    if let Some(more @ 1..) = lost.len().checked_sub(NAMED_PATHS) {
        let _ = write!(text, ", and {more} more");
    }
    text
}
