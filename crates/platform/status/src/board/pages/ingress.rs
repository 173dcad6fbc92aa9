//! One Ingress.

use askama::Template;
use serde::Serialize;

use super::{Frame, Seen};
use crate::board::seen::IngressSeen;

#[derive(Template, Serialize)]
#[template(path = "board/ingress.html", whitespace = "minimize")]
pub(super) struct Ingress<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    #[serde(flatten)]
    ingress: &'a IngressSeen,
}

pub(super) fn ingress<'a>(seen: Seen<'a>, namespace: &str, name: &str) -> Option<Ingress<'a>> {
    let ingress = seen.world.ingresses.get(namespace)?.get(name)?;
    Some(Ingress {
        frame: Frame::new(seen, name, "namespaces"),
        ingress,
    })
}
