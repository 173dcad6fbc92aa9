//! A text with variables in nginx's spelling, `$name` and `${name}`: taken apart once, and put together for each request
//! by whoever knows the values.

use std::borrow::Cow;

use http::HeaderName;

/// A text with variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Variable),
}

/// What stands for something of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// A group of the path's pattern; 0 is all of it.
    Group(usize),
    /// The host without port, in lower case.
    Host,
    /// The host as the visitor wrote it, with port.
    HttpHost,
    /// `https` or `http`.
    Scheme,
    /// Path and query.
    RequestUri,
    /// The same, percent-encoded to be part of a query.
    EscapedRequestUri,
    /// The path alone.
    Uri,
    /// The query without its question mark.
    Args,
    /// A question mark where there is a query.
    IsArgs,
    /// The method.
    Method,
    /// The visitor's address.
    RemoteAddr,
    /// A field of the query.
    Arg(String),
    /// A cookie.
    Cookie(String),
    /// A header.
    Header(HeaderName),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A dollar sign or a brace without the name of a variable.
    #[error("has a $, {{ or }} without the name of a variable")]
    Lone,
    /// A variable that means nothing in this place.
    #[error("has the variable ${0}, which means nothing here")]
    Unknown(String),
}

impl Template {
    /// Takes a text apart. `allows` says which variables mean something where it stands.
    ///
    /// # Errors
    /// When there is a variable that is not known, or not allowed.
    pub fn parse(text: &str, allows: impl Fn(&Variable) -> bool) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            if at > 0 {
                parts.push(Part::Text(rest[..at].to_owned()));
            }
            let (name, after) = variable_name(&rest[at + 1..]).ok_or(TemplateError::Lone)?;
            let variable = variable(name).filter(&allows);
            let variable = variable.ok_or_else(|| TemplateError::Unknown(name.chars().take(40).collect()))?;
            parts.push(Part::Variable(variable));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let has_brace = |part: &Part| matches!(part, Part::Text(text) if text.contains(['{', '}']));
        if parts.iter().any(has_brace) {
            return Err(TemplateError::Lone);
        }
        Ok(Self { parts })
    }

    /// The text with the values of this request.
    pub fn with<'v>(&self, value: impl Fn(&Variable) -> Cow<'v, str>) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Variable(variable) => text.push_str(&value(variable)),
            }
        }
        text
    }

    /// The variables in it.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(variable) => Some(variable),
            Part::Text(_) => None,
        })
    }

    /// The highest group that it names; 0 where it names none.
    pub(crate) fn highest_group(&self) -> usize {
        let groups = self.variables().filter_map(|variable| match variable {
            Variable::Group(number) => Some(*number),
            _ => None,
        });
        groups.max().unwrap_or(0)
    }
}

/// The name at the beginning, and what follows it.
fn variable_name(text: &str) -> Option<(&str, &str)> {
    if let Some(inside) = text.strip_prefix('{') {
        return inside.split_once('}').filter(|(name, _)| !name.is_empty());
    }
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return Some(text.split_at(1));
    }
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn variable(name: &str) -> Option<Variable> {
    let header = |name: &str| HeaderName::try_from(name.replace('_', "-")).ok();
    let is_word =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    Some(match name {
        "host" => Variable::Host,
        "http_host" => Variable::HttpHost,
        "scheme" | "pass_access_scheme" => Variable::Scheme,
        "request_uri" => Variable::RequestUri,
        "escaped_request_uri" => Variable::EscapedRequestUri,
        "uri" | "document_uri" => Variable::Uri,
        "args" | "query_string" => Variable::Args,
        "is_args" => Variable::IsArgs,
        "request_method" => Variable::Method,
        "remote_addr" | "binary_remote_addr" | "the_real_ip" => Variable::RemoteAddr,
        _ => {
            if let Some(digit) = name.parse().ok().filter(|digit| *digit < 10) {
                Variable::Group(digit)
            } else if let Some(name) = name.strip_prefix("arg_").filter(|name| is_word(name)) {
                Variable::Arg(name.to_owned())
            } else if let Some(name) = name.strip_prefix("cookie_").filter(|name| is_word(name)) {
                Variable::Cookie(name.to_owned())
            } else {
                Variable::Header(header(name.strip_prefix("http_")?)?)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Template, TemplateError, Variable};

    #[test]
    fn variables_are_told_from_text() {
        let template = Template::parse("https://${host}/a$2b$request_uri", |_| true).unwrap();
        let text = template.with(|variable| match variable {
            Variable::Host => "h".into(),
            Variable::Group(2) => "2".into(),
            Variable::RequestUri => "/r?q".into(),
            _ => "?".into(),
        });
        assert_eq!(text, "https://h/a2b/r?q");
        assert_eq!(template.highest_group(), 2);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        let parse = |text| Template::parse(text, |variable| *variable != Variable::Scheme);
        for text in ["$", "a$ b", "${", "${}", "$-"] {
            assert_eq!(parse(text), Err(TemplateError::Lone), "{text}");
        }
        for (text, name) in [
            ("$scheme", "scheme"),
            ("$pid", "pid"),
            ("$http_", "http_"),
            ("${99}", "99"),
        ] {
            assert_eq!(parse(text), Err(TemplateError::Unknown(name.into())), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}|[$a-z0-9{}_]{0,20}") {
            let _ = Template::parse(&text, |_| true);
        }
    }
}
