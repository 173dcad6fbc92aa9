//! Images: which are in use, and by whom.

use std::collections::BTreeMap;

use askama::Template;
use serde::Serialize;
use toolforge_model::ImageRef;

use super::{Frame, Seen};
use crate::board::{seen::PodSeen, world::all};

#[derive(Template, Serialize)]
#[template(path = "board/images.html", whitespace = "minimize")]
pub(super) struct Images<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    images: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    image: &'a str,
    registry: String,
    repository: String,
    tag: String,
    containers: usize,
}

/// Images of containers whose Pods run or are to run.
fn used(seen: Seen<'_>) -> impl Iterator<Item = (&str, &PodSeen)> {
    all(&seen.world.pods)
        .filter(|pod| matches!(pod.phase.as_str(), "Running" | "Pending"))
        .flat_map(|pod| {
            pod.containers
                .iter()
                .map(move |container| (container.image.as_str(), pod))
        })
}

pub(super) fn images(seen: Seen<'_>) -> Images<'_> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (image, _) in used(seen) {
        *counts.entry(image).or_default() += 1;
    }
    let rows = counts.into_iter().map(|(image, containers)| {
        // What cannot be read is shown as it is.
        let read = image.parse::<ImageRef>().ok();
        let tag = read.as_ref().and_then(|read| read.digest().or(read.tag()));
        Row {
            image,
            registry: read
                .as_ref()
                .map(|read| read.registry().to_owned())
                .unwrap_or_default(),
            repository: read.as_ref().map_or(image, |read| read.repository()).to_owned(),
            tag: tag.unwrap_or_default().to_owned(),
            containers,
        }
    });
    Images {
        images: rows.collect(),
        frame: Frame::new(seen, "Images", "images"),
    }
}

#[derive(Template, Serialize)]
#[template(path = "board/image.html", whitespace = "minimize")]
pub(super) struct Image<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    name: String,
    /// Namespace and name.
    pods: Vec<(&'a str, &'a str)>,
}

/// One that nobody uses has no page.
pub(super) fn image<'a>(seen: Seen<'a>, name: &str) -> Option<Image<'a>> {
    let mut pods: Vec<(&str, &str)> = used(seen)
        .filter(|(image, _)| *image == name)
        .map(|(_, pod)| (pod.meta.namespace.as_str(), pod.meta.name.as_str()))
        .collect();
    pods.dedup();
    if pods.is_empty() {
        return None;
    }
    Some(Image {
        frame: Frame::new(seen, name, "images"),
        name: name.to_owned(),
        pods,
    })
}
