//! Pages as their readers see them: HTML, JSON or plain text, all from the same words.

use std::fmt::Write as _;

use askama::Template;
use serde::Serialize;
use toolforge_model::Maintainer;

use super::page::{Page, Subject};
use crate::accept::Form;

/// What a page says, before it is set in a form.
#[derive(Template)]
#[template(path = "fourohfour/page.html", whitespace = "minimize")]
struct Words<'a> {
    status: u16,
    /// Machine-readable name of what happened.
    reason: &'static str,
    /// The status in words.
    label: &'static str,
    heading: String,
    /// The sentence around the URL: what stands before and after it.
    before_url: &'static str,
    after_url: String,
    url: &'a str,
    site: &'a str,
    tool: Option<&'a str>,
    suggestions: Vec<&'a str>,
    maintainers: &'a [Maintainer],
    visitor: &'static str,
    maintainer: &'static str,
    /// Commands that help a maintainer, with what they do.
    commands: &'static [(&'static str, &'static str)],
}

const BEFORE_URL: &str = "The URL you have requested,";

impl<'a> Words<'a> {
    fn of(page: &'a Page) -> Self {
        let blank = Self {
            status: page.status,
            reason: "not_found",
            label: "Not found",
            heading: String::new(),
            before_url: BEFORE_URL,
            after_url: String::new(),
            url: &page.url,
            site: &page.site,
            tool: None,
            suggestions: Vec::new(),
            maintainers: &[],
            visitor: "",
            maintainer: "",
            commands: &[],
        };
        match &page.subject {
            Subject::Platform => Self {
                reason: "platform",
                label: "Toolforge",
                heading: "Tools, made by their community".to_owned(),
                before_url: "",
                after_url: format!(
                    "This is a hosting platform for web tools. Each tool has an address of its own, such as \
                     https://TOOL.{}/, and is looked after by its maintainers.",
                    page.site
                ),
                visitor: "To visit a tool, put its name in front of the address of this page.",
                maintainer: "To put your own tool on the web, log in, become your tool, and start its webservice.",
                commands: &[("webservice start", "starts the webservice of the tool")],
                ..blank
            },
            Subject::UnknownTool { name, near } => Self {
                reason: "unknown_tool",
                heading: "There is no such tool".to_owned(),
                after_url: format!("does not lead anywhere: no tool is called {name}."),
                suggestions: near.iter().map(AsRef::as_ref).collect(),
                visitor: "Check the address for typing errors. If a link brought you here, tell whoever published it.",
                maintainer: "If this tool has just been created, its address starts to work within a few seconds.",
                ..blank
            },
            Subject::NoWebservice { tool, maintainers } => Self {
                reason: "no_webservice",
                label: "No webservice",
                heading: format!("{tool} has no webservice"),
                after_url: format!("is not currently serviced: the tool {tool} has no webservice running."),
                tool: Some(tool.as_str()),
                maintainers,
                visitor: "Try again later, or ask the maintainers of the tool.",
                maintainer: "You have not enabled a webservice for your tool, or it has been stopped.",
                commands: &[
                    ("webservice start", "starts it"),
                    ("webservice status", "says whether it runs"),
                    ("webservice logs", "shows what it last said"),
                ],
                ..blank
            },
            Subject::DeadBackend { tool, maintainers } => {
                Self::of_dead_backend(blank, tool.as_ref().map(AsRef::as_ref), maintainers)
            }
            Subject::NotHere => Self {
                heading: "Nothing is here".to_owned(),
                after_url: "does not exist.".to_owned(),
                visitor: "Check the address for typing errors. If a link brought you here, tell whoever published it.",
                ..blank
            },
            Subject::NotKnownYet => Self {
                reason: "not_known_yet",
                label: "Not available",
                heading: "One moment, please".to_owned(),
                after_url:
                    "cannot be answered now: the platform is starting and has not read its list of tools yet."
                        .to_owned(),
                visitor: "Try again in a minute.",
                ..blank
            },
        }
    }

    fn of_dead_backend(blank: Self, tool: Option<&'a str>, maintainers: &'a [Maintainer]) -> Self {
        let (reason, label, what) = match blank.status {
            502 => (
                "bad_gateway",
                "Bad gateway",
                "gave no answer that could be passed on",
            ),
            504 => ("gateway_timeout", "Gateway timeout", "did not answer in time"),
            _ => ("unavailable", "Not available", "is not ready to answer"),
        };
        let Some(tool) = tool else {
            return Self {
                reason,
                label,
                heading: "The service does not respond".to_owned(),
                after_url: format!("could not be served: the service behind it {what}."),
                visitor: "This is usually over soon. Try again in a moment.",
                ..blank
            };
        };
        Self {
            reason,
            label,
            heading: format!("{tool} does not respond"),
            after_url: format!("could not be served: the tool {tool} is there, but {what}."),
            tool: Some(tool),
            maintainers,
            visitor: "This is usually over soon. Try again in a moment; if it stays so, tell the maintainers.",
            maintainer: "Your webservice is registered, but nothing answers behind it.",
            commands: &[
                ("webservice status", "says whether it runs"),
                ("webservice logs", "shows what it last said"),
                ("webservice restart", "starts it afresh"),
            ],
            ..blank
        }
    }

    /// The sentence that says what happened, with the URL in it.
    fn sentence(&self) -> String {
        if self.before_url.is_empty() {
            return self.after_url.clone();
        }
        format!("{} {}, {}", self.before_url, self.url, self.after_url)
    }

    fn maintainer_title(&self) -> String {
        format!("If you maintain {}", self.tool.unwrap_or("a tool"))
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} {}\n\n{}\n\n{}\n",
            self.status,
            self.label,
            self.heading,
            self.sentence()
        );
        if !self.suggestions.is_empty() {
            text.push_str("\nDid you mean:\n");
        }
        for suggestion in &self.suggestions {
            let _ = writeln!(text, "  https://{suggestion}.{}/", self.site);
        }
        if !self.maintainers.is_empty() {
            text.push_str("\nMaintainers:\n");
        }
        for maintainer in self.maintainers {
            // One line each, whatever the directory has in a name.
            let name: String = maintainer.name.chars().filter(|c| !c.is_control()).collect();
            let _ = writeln!(text, "  {name}");
        }
        if !self.visitor.is_empty() {
            let _ = writeln!(text, "\n{}", self.visitor);
        }
        if !self.maintainer.is_empty() {
            let _ = writeln!(text, "\n{}: {}", self.maintainer_title(), self.maintainer);
        }
        for (command, does) in self.commands {
            let _ = writeln!(text, "  {command:<20} {does}");
        }
        text
    }

    fn json(&self) -> String {
        let facts = Facts {
            status: self.status,
            reason: self.reason,
            message: self.sentence(),
            tool: self.tool,
            maintainers: self
                .maintainers
                .iter()
                .map(|maintainer| maintainer.name.as_str())
                .collect(),
            suggestions: self
                .suggestions
                .iter()
                .map(|name| format!("https://{name}.{}/", self.site))
                .collect(),
        };
        // Text, numbers and lists always are JSON.
        serde_json::to_string(&facts).unwrap_or_default() + "\n"
    }
}

/// What a program is told.
#[derive(Serialize)]
struct Facts<'a> {
    status: u16,
    reason: &'static str,
    message: String,
    tool: Option<&'a str>,
    maintainers: Vec<&'a str>,
    suggestions: Vec<String>,
}

/// The body of a page in this form.
pub(crate) fn render(page: &Page, form: Form) -> String {
    let words = Words::of(page);
    match form {
        // Writing to memory cannot fail; if a filter ever could, the text says the same.
        Form::Html => words.render().unwrap_or_else(|_| words.text()),
        Form::Json => words.json(),
        Form::Text => words.text(),
    }
}

#[cfg(test)]
mod tests;
