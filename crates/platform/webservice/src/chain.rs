//! The chain from a tool's URL to its process, link by link, and the first one that is broken. Pure; the JSON keys
//! are documented in docs/webservice.md and stay.
//!
//! A link is broken only by a fault of its own. One that is in order and gives nothing because of another, such as
//! a gateway that finds nobody to ask, follows from that.

mod grid;
mod pods;
mod route;

use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice, networking::v1::Ingress};
use serde::Serialize;
use toolforge_model::ToolName;
use toolforge_policy::IngressPolicy;

use crate::{
    diagnosis::{Failure, Standing},
    exit::Exit,
    scene::Scene,
};

pub(crate) use grid::{OnGrid, walk as walk_grid};

/// How far a visitor gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The name leads nowhere.
    NoName(String),
    /// Nobody takes the connection at this address.
    NoConnection { address: String, error: String },
    /// Who takes it cannot be trusted, or speaks no TLS.
    NoTls(String),
    /// No answer comes.
    NoAnswer(String),
    /// An answer; its status, and whether the tool itself gave it.
    Answer { status: u16, from_the_tool: bool },
}

/// All that was seen.
#[derive(Debug)]
pub(crate) struct Observed<'a> {
    pub(crate) tool: &'a ToolName,
    pub(crate) url: String,
    pub(crate) host: String,
    pub(crate) reach: Reach,
    /// The class that the platform's gateway serves.
    pub(crate) ingress_class: &'a str,
    /// None where the platform does not publish it.
    pub(crate) policy: Option<&'a IngressPolicy>,
    pub(crate) ingresses: Vec<Ingress>,
    pub(crate) services: Vec<Service>,
    pub(crate) slices: Vec<EndpointSlice>,
    pub(crate) scene: Scene,
    pub(crate) standing: Standing,
}

/// What is said of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mark {
    Ok,
    Broken,
    /// It gives nothing, because of another link.
    Follows,
    /// Not looked at, or still on its way.
    Open,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Link {
    pub(crate) name: &'static str,
    pub(crate) mark: Mark,
    pub(crate) said: String,
    #[serde(skip)]
    fault: Option<Failure>,
}

impl Link {
    fn ok(name: &'static str, said: impl Into<String>) -> Self {
        Self::new(name, Mark::Ok, said)
    }

    fn new(name: &'static str, mark: Mark, said: impl Into<String>) -> Self {
        Self {
            name,
            mark,
            said: said.into(),
            fault: None,
        }
    }

    fn broken(name: &'static str, fault: Failure) -> Self {
        Self {
            name,
            mark: Mark::Broken,
            said: fault.reason.clone(),
            fault: Some(fault),
        }
    }
}

/// The whole chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Chain {
    pub(crate) tool: String,
    pub(crate) url: String,
    pub(crate) links: Vec<Link>,
    /// The name of the first broken link.
    pub(crate) broken: Option<&'static str>,
    pub(crate) exit_code: u8,
    pub(crate) reason: Option<String>,
    pub(crate) next: Option<String>,
}

/// The chain as it is.
pub(crate) fn walk(observed: &Observed<'_>) -> Chain {
    let mut links = route::outside(&observed.host, &observed.url, &observed.reach);
    links.extend(route::inside(observed));
    links.extend(pods::links(observed));
    let mut fault = links
        .iter()
        .find_map(|link| Some((link.name, link.fault.clone()?)));
    if fault.is_none() {
        fault = unexplained(observed, &mut links);
    }
    Chain::of(observed.tool, &observed.url, links, fault)
}

impl Chain {
    fn of(tool: &ToolName, url: &str, links: Vec<Link>, fault: Option<(&'static str, Failure)>) -> Self {
        Self {
            tool: tool.to_string(),
            url: url.to_owned(),
            broken: fault.as_ref().map(|(link, _)| *link),
            exit_code: fault.as_ref().map_or(0, |(_, fault)| fault.exit.code()),
            reason: fault.as_ref().map(|(_, fault)| fault.reason.clone()),
            next: fault.map(|(_, fault)| fault.next),
            links,
        }
    }
}

/// When no link has a fault of its own and there is no answer all the same: it is still on its way, or the one that
/// should answer is at fault.
fn unexplained(observed: &Observed<'_>, links: &mut [Link]) -> Option<(&'static str, Failure)> {
    if let Standing::Coming(what) = observed.standing {
        let fault = Failure::new(
            Exit::Time,
            format!("It is not up yet: {what}."),
            "Look again in some seconds; `webservice status` tells more.",
        );
        return (observed.scene.ready() == 0).then_some(("pod", fault));
    }
    let link = links.iter_mut().find(|link| link.mark == Mark::Follows)?;
    link.mark = Mark::Broken;
    let fault = Failure::new(
        Exit::Url,
        link.said.clone(),
        "Everything behind it is in order. Look again in some seconds; if it stays so, tell the platform's operators.",
    );
    Some((link.name, fault))
}

#[cfg(test)]
mod tests;
