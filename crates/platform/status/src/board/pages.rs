//! The pages as values: computed from the world, written as HTML by their templates and as JSON as they are. Pure.

mod frame;
mod images;
mod ingress;
mod namespace;
mod namespaces;
mod nodes;
mod overview;
mod pod;
mod search;

use askama::Template;
use serde::Serialize;

use crate::board::{config::BoardConfig, route::Route, world::World};

pub(crate) use frame::{Frame, Moment};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// In which form it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Html,
    Json,
}

/// What pages are computed from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) world: &'a World,
    pub(crate) config: &'a BoardConfig,
    pub(crate) moment: Moment,
}

/// The page of a route; nothing where the cluster has no such thing.
pub(crate) fn page(seen: Seen<'_>, route: &Route, form: Form) -> Page {
    let shown = match route {
        Route::Overview => show(&overview::overview(seen), form),
        Route::Nodes => show(&nodes::nodes(seen), form),
        Route::Node(name) => nodes::node(seen, name).and_then(|page| show(&page, form)),
        Route::Namespaces => show(&namespaces::namespaces(seen), form),
        Route::Namespace(name) => namespace::namespace(seen, name).and_then(|page| show(&page, form)),
        Route::Pod(namespace, name) => pod::pod(seen, namespace, name).and_then(|page| show(&page, form)),
        Route::Ingress(namespace, name) => {
            ingress::ingress(seen, namespace, name).and_then(|page| show(&page, form))
        }
        Route::Images => show(&images::images(seen), form),
        Route::Image(name) => images::image(seen, name).and_then(|page| show(&page, form)),
        Route::Search(text) => show(&search::search(seen, text), form),
    };
    match shown {
        Some(body) => Page { status: 200, body },
        None => not_found(seen, form),
    }
}

/// The page for what is not there.
pub(crate) fn not_found(seen: Seen<'_>, form: Form) -> Page {
    let page = NotFound {
        frame: Frame::new(seen, "Not found", ""),
        error: "There is no such page, or what it was about is gone.",
    };
    Page {
        status: 404,
        body: show(&page, form).unwrap_or_default(),
    }
}

#[derive(Template, Serialize)]
#[template(path = "board/not_found.html", whitespace = "minimize")]
struct NotFound<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    error: &'static str,
}

/// Writing to memory fails only where a template does, and those are checked when they are compiled.
fn show<P: Template + Serialize>(page: &P, form: Form) -> Option<String> {
    match form {
        Form::Html => page.render().ok(),
        Form::Json => serde_json::to_string(page).ok().map(|text| text + "\n"),
    }
}

#[cfg(test)]
mod tests;
