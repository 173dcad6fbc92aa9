//! All namespaces: those of the platform, tools of which something runs, and the others.

use askama::Template;
use serde::Serialize;
use toolforge_model::ToolName;

use super::{Frame, Seen};
use crate::board::{seen::NamespaceSeen, verdict::Standing};

#[derive(Template, Serialize)]
#[template(path = "board/namespaces.html", whitespace = "minimize")]
pub(super) struct Namespaces<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    infrastructure: Vec<Row<'a>>,
    active: Vec<Row<'a>>,
    inactive: Vec<Row<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool: Option<String>,
    pub(super) standing: Option<Standing>,
    pub(super) pods: usize,
    #[serde(skip)]
    is_active: bool,
    #[serde(skip)]
    pub(super) namespace: &'a NamespaceSeen,
}

impl Row<'_> {
    /// What the link says: the tool, or the namespace where it is no tool's.
    pub(super) fn shown(&self) -> &str {
        self.tool.as_deref().unwrap_or(self.name)
    }

    /// How it is, in a word.
    pub(super) fn word(&self) -> &'static str {
        self.standing.map_or("", Standing::word)
    }
}

pub(super) fn namespaces(seen: Seen<'_>) -> Namespaces<'_> {
    let (mut infrastructure, mut active, mut inactive) = (Vec::new(), Vec::new(), Vec::new());
    for namespace in seen.world.namespaces() {
        let row = row(seen, namespace);
        match (&row.tool, row.is_active) {
            (None, _) => infrastructure.push(row),
            (Some(_), true) => active.push(row),
            (Some(_), false) => inactive.push(row),
        }
    }
    Namespaces {
        frame: Frame::new(seen, "Namespaces", "namespaces"),
        infrastructure,
        active,
        inactive,
    }
}

/// A namespace in a line.
pub(super) fn row<'a>(seen: Seen<'a>, namespace: &'a NamespaceSeen) -> Row<'a> {
    let name = namespace.meta.name.as_str();
    let tool = ToolName::of_namespace(name).map(|tool| tool.to_string());
    let glance = seen.world.glance(name);
    Row {
        standing: tool.as_ref().map(|_| glance.verdict.standing),
        pods: glance.pods,
        is_active: glance.is_active,
        name,
        tool,
        namespace,
    }
}
