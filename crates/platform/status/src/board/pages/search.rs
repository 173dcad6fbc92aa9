//! Search over all tools: by name, and by who looks after them.

use askama::Template;
use serde::Serialize;
use toolforge_model::labels;

use super::{Frame, Seen, namespaces};

/// How many results a page has; who gets more says more.
const MOST: usize = 100;

#[derive(Template, Serialize)]
#[template(path = "board/search.html", whitespace = "minimize")]
pub(super) struct Search<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    found: Vec<namespaces::Row<'a>>,
    /// How many there are, shown or not.
    count: usize,
}

pub(super) fn search<'a>(seen: Seen<'a>, text: &'a str) -> Search<'a> {
    let wanted = text.to_lowercase();
    let mut found: Vec<(u8, &crate::board::seen::NamespaceSeen)> = seen
        .world
        .namespaces()
        .filter_map(|namespace| Some((rank(namespace, &wanted)?, namespace)))
        .collect();
    found.sort_by(|(one_rank, one), (other_rank, other)| {
        one_rank
            .cmp(other_rank)
            .then_with(|| one.meta.name.cmp(&other.meta.name))
    });
    Search {
        frame: Frame {
            searched: text,
            ..Frame::new(seen, "Search", "search")
        },
        count: found.len(),
        found: found
            .into_iter()
            .take(MOST)
            .map(|(_, namespace)| namespaces::row(seen, namespace))
            .collect(),
    }
}

/// How well a namespace fits: its very name, its beginning, a part of it, a maintainer.
fn rank(namespace: &crate::board::seen::NamespaceSeen, wanted: &str) -> Option<u8> {
    if wanted.is_empty() {
        return None;
    }
    let name = namespace
        .meta
        .name
        .strip_prefix("tool-")
        .unwrap_or(&namespace.meta.name);
    if name == wanted {
        Some(0)
    } else if name.starts_with(wanted) {
        Some(1)
    } else if namespace.meta.name.contains(wanted) {
        Some(2)
    } else {
        let people = namespace.meta.annotations.get(labels::MAINTAINERS)?;
        people.to_lowercase().contains(wanted).then_some(3)
    }
}
