//! Which form of an answer the client asked for in `Accept`.
//!
//! Pure. Answers are made as JSON and turned into YAML where that is wanted; a client that takes nothing but protobuf
//! is told so (406).

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use toolforge_kinds::Status;

/// What can be had, for the refusal.
const OFFERED: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
];

/// The form of an object or list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it is.
    #[default]
    Object,
    /// Rows and columns for people.
    Table,
    /// Only the metadata; lists become `PartialObjectMetadataList`.
    Metadata,
    /// Discovery of all groups in one answer.
    GroupDiscovery,
}

impl Form {
    /// Reads the `Accept` headers; the first acceptable type with the highest weight wins.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Status> {
        match best(headers) {
            Best::Anything => Ok(Self::Object),
            Best::Nothing => Err(Status::not_acceptable(OFFERED)),
            Best::Found(found) => Ok(found.form),
        }
    }
}

/// Whether an answer is to be YAML.
pub(crate) fn wants_yaml(headers: &HeaderMap) -> bool {
    // Most clients never do, and need not be read for it.
    let names_it = |value: &HeaderValue| memchr::memmem::find(value.as_bytes(), b"yaml").is_some();
    headers.get_all(ACCEPT).iter().any(names_it)
        && matches!(best(headers), Best::Found(Acceptable { yaml: true, .. }))
}

/// The refusal of what is not offered in any form that the client takes.
pub(crate) fn not_acceptable() -> Status {
    Status::not_acceptable(OFFERED)
}

/// One media type that a client takes and that can be had.
#[derive(Clone, Copy, Debug)]
struct Acceptable {
    weight: f32,
    form: Form,
    yaml: bool,
}

enum Best {
    /// The client does not say.
    Anything,
    /// It takes none of what is offered.
    Nothing,
    Found(Acceptable),
}

fn best(headers: &HeaderMap) -> Best {
    let mut accepted: Vec<Acceptable> = Vec::new();
    let mut asked = false;
    for header in headers.get_all(ACCEPT) {
        for part in header
            .to_str()
            .unwrap_or_default()
            .split(',')
            .filter(|part| !part.trim().is_empty())
        {
            asked = true;
            accepted.extend(read_part(part));
        }
    }
    if !asked {
        return Best::Anything;
    }
    let best = accepted
        .iter()
        .enumerate()
        .max_by(|(first, a), (second, b)| a.weight.total_cmp(&b.weight).then_with(|| second.cmp(first)));
    best.map_or(Best::Nothing, |(_, found)| Best::Found(*found))
}

fn read_part(part: &str) -> Option<Acceptable> {
    let mut pieces = part.split(';').map(str::trim);
    let media = pieces.next()?.to_ascii_lowercase();
    let (mut weight, mut view, mut version, mut group) = (1.0, "", "", "");
    for piece in pieces {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        match name.trim() {
            "q" => weight = value.parse().unwrap_or(1.0),
            "as" => view = value,
            "v" => version = value,
            "g" => group = value,
            _ => {}
        }
    }
    let yaml = match media.as_str() {
        "application/json" | "application/*" | "*/*" | "text/plain" => false,
        "application/yaml" => true,
        _ => return None,
    };
    let form = match (view, group, version) {
        ("", _, _) => Form::Object,
        ("Table", "meta.k8s.io", "v1") => Form::Table,
        ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io", "v1") => Form::Metadata,
        ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => Form::GroupDiscovery,
        _ => return None,
    };
    Some(Acceptable { weight, form, yaml })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(accept: &str) -> Result<Form, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        Form::read(&headers).map_err(|status| status.code)
    }

    #[test]
    fn takes_the_form_that_the_client_prefers() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        let discovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        for (accept, expected) in [
            ("application/json", Ok(Form::Object)),
            ("*/*", Ok(Form::Object)),
            ("application/json, */*", Ok(Form::Object)),
            (table, Ok(Form::Table)),
            (discovery, Ok(Form::GroupDiscovery)),
            (
                "application/vnd.kubernetes.protobuf,application/json",
                Ok(Form::Object),
            ),
            (
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
                Ok(Form::Metadata),
            ),
            (
                "application/json;q=0.5,application/json;as=Table;v=v1;g=meta.k8s.io",
                Ok(Form::Table),
            ),
            ("application/vnd.kubernetes.protobuf", Err(406)),
            ("application/json;as=Shoes;g=meta.k8s.io;v=v1", Err(406)),
        ] {
            assert_eq!(read(accept), expected, "{accept}");
        }
        assert_eq!(Form::read(&HeaderMap::new()).unwrap(), Form::Object);
    }

    #[test]
    fn yaml_is_for_who_prefers_it() {
        for (accept, expected) in [
            ("application/yaml", true),
            ("application/yaml, application/json", true),
            ("application/json, application/yaml", false),
            ("application/json;q=0.1, application/yaml;q=0.2", true),
            ("application/yaml;as=Table;v=v1;g=meta.k8s.io", true),
            ("*/*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            assert_eq!(wants_yaml(&headers), expected, "{accept}");
        }
        assert!(!wants_yaml(&HeaderMap::new()));
    }
}
