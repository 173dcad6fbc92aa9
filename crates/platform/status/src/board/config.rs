//! What the operator says of these pages.

use std::path::PathBuf;
use std::str::FromStr;

use reqwest::Url;
use toolforge_model::Domain;

/// Settings of the pages.
#[derive(Clone, Debug)]
pub struct BoardConfig {
    /// The domain under which tools have their host names.
    pub domain: Domain,
    /// Port at which visitors reach tools over HTTPS.
    pub https_port: u16,
    /// Name of the installation, for links.
    pub project: String,
    /// Where each namespace is described elsewhere.
    pub links: Vec<Link>,
    /// Where the gateways tell their figures; behind a name there may be several.
    pub gateways: Vec<FiguresUrl>,
    /// Where the requests of the last day are kept over a restart; nowhere, and the charts begin anew. Its folder is there.
    pub traffic_file: Option<PathBuf>,
}

/// Where gateways tell their figures, such as `http://gateway.example:9000/metrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiguresUrl(Url);

/// Why a text is not where gateways tell their figures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no URL of plain HTTP, such as http://gateway.example:9000/metrics")]
pub struct FiguresUrlError;

impl FromStr for FiguresUrl {
    type Err = FiguresUrlError;

    fn from_str(text: &str) -> Result<Self, FiguresUrlError> {
        let url = Url::parse(text).map_err(|_| FiguresUrlError)?;
        match url.scheme() {
            "http" => Ok(Self(url)),
            _ => Err(FiguresUrlError),
        }
    }
}

impl FiguresUrl {
    /// The URL itself.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

/// A link out of the page of a namespace, such as `Maintainers=https://admin.example/tools/{tool}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    label: String,
    url: String,
}

/// Why a text is no link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// There is no label.
    #[error("say LABEL=URL, such as Maintainers=https://admin.example/tools/{{tool}}")]
    Label,
    /// The URL is none, or not one for browsers.
    #[error(
        "{0:?} is no URL that begins with https:// or http://; {{tool}}, {{namespace}} and {{project}} stand for their names"
    )]
    Url(String),
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let (label, url) = text.split_once('=').ok_or(LinkError::Label)?;
        let label = label.trim();
        if label.is_empty() {
            return Err(LinkError::Label);
        }
        let tried = url.replace(['{', '}'], "");
        let known = Url::parse(&tried).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
        if !known {
            return Err(LinkError::Url(url.to_owned()));
        }
        Ok(Self {
            label: label.to_owned(),
            url: url.to_owned(),
        })
    }
}

impl Link {
    /// What the link is called.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Where it leads for a namespace; one that speaks of tools leads nowhere for a namespace that is no tool's.
    pub(crate) fn url(&self, project: &str, namespace: &str, tool: Option<&str>) -> Option<String> {
        if self.url.contains("{tool}") && tool.is_none() {
            return None;
        }
        let url = self
            .url
            .replace("{project}", project)
            .replace("{namespace}", namespace);
        Some(url.replace("{tool}", tool.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_name_a_label_and_a_url_for_browsers() {
        let link: Link = "SAL=https://sal.example/{project}.{tool}".parse().unwrap();
        assert_eq!(link.label(), "SAL");
        assert_eq!(
            link.url("tools", "tool-a", Some("a")).as_deref(),
            Some("https://sal.example/tools.a")
        );
        assert_eq!(link.url("tools", "kube-system", None), None);
        for wrong in [
            "https://no.label/",
            "=https://a.example",
            "x=javascript:alert(1)",
            "x=nothing",
        ] {
            assert!(wrong.parse::<Link>().is_err(), "{wrong}");
        }
    }
}
