//! One copy of a large page for all who ask for it at about the same time.
//!
//! The pages about every tool are the largest and the most looked at. A copy serves as long as nothing has changed, and for
//! a second at most: ages are on the page.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::Mutex;

use crate::board::{pages::Form, route::Route};

/// How long a copy serves. The pages tell ages in seconds.
const SERVES: Duration = Duration::from_secs(1);

/// The newest copies, one of each page and form. Whoever comes while one is being made waits for it.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    overview: Forms,
    namespaces: Forms,
}

#[derive(Debug, Default)]
struct Forms {
    html: Slot,
    json: Slot,
}

impl Copies {
    /// Where the copy of a page is kept; nowhere when each visitor gets one of their own.
    pub(crate) fn slot(&self, route: &Route, form: Form) -> Option<&Slot> {
        let forms = match route {
            Route::Overview => &self.overview,
            Route::Namespaces => &self.namespaces,
            _ => return None,
        };
        Some(match form {
            Form::Html => &forms.html,
            Form::Json => &forms.json,
        })
    }
}

/// What a copy is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    /// The revision of the world.
    pub(crate) revision: u64,
    /// What the page says of the API: heard of, silent, or never heard of.
    pub(crate) is_silent: Option<bool>,
}

/// A place for one copy.
#[derive(Debug, Default)]
pub(crate) struct Slot(Mutex<Option<Copy>>);

#[derive(Debug)]
struct Copy {
    basis: Basis,
    made: Instant,
    page: Bytes,
}

impl Slot {
    /// The copy, if it still serves, or one that is made now. What it must be made from is asked when it is this visit's turn.
    pub(crate) async fn page(
        &self,
        current: impl FnOnce() -> (Basis, Instant),
        make: impl FnOnce() -> String,
    ) -> Bytes {
        let mut kept = self.0.lock().await;
        let (basis, now) = current();
        if let Some(copy) = kept.as_ref()
            && copy.basis == basis
            && now.saturating_duration_since(copy.made) < SERVES
        {
            return copy.page.clone();
        }
        // The old one goes before the new one comes: both are large.
        *kept = None;
        let page = Bytes::from(make());
        *kept = Some(Copy {
            basis,
            made: now,
            page: page.clone(),
        });
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_copy_serves_until_something_changes_or_a_second_is_over() {
        let slot = Slot::default();
        let begin = Instant::now();
        let ask = async |revision, is_silent, millis, text: &str| {
            let basis = Basis {
                revision,
                is_silent: Some(is_silent),
            };
            let now = begin + Duration::from_millis(millis);
            slot.page(|| (basis, now), || text.to_owned()).await
        };
        assert_eq!(ask(1, false, 0, "first").await, "first");
        assert_eq!(ask(1, false, 999, "second").await, "first");
        assert_eq!(ask(1, false, 1000, "third").await, "third", "ages have changed");
        assert_eq!(ask(2, false, 1001, "fourth").await, "fourth", "the world has");
        assert_eq!(ask(2, true, 1002, "fifth").await, "fifth", "the API is silent");
    }

    #[test]
    fn only_pages_about_every_tool_are_shared() {
        let copies = Copies::default();
        let shared = |route| copies.slot(&route, Form::Html).is_some();
        assert!(shared(Route::Overview) && shared(Route::Namespaces));
        assert!(!shared(Route::Search("a".to_owned())) && !shared(Route::Nodes));
    }
}
