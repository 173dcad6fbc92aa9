//! Which form of an answer the client asked for in `Accept`.
//!
//! Pure. JSON is the only encoding; a client that takes nothing but protobuf is told so (406).

use http::HeaderMap;
use http::header::ACCEPT;
use toolforge_kinds::Status;

/// What can be had, for the refusal.
const OFFERED: &[&str] = &[
    "application/json",
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
        let mut accepted: Vec<(f32, Self)> = Vec::new();
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
            return Ok(Self::Object);
        }
        let best = accepted
            .iter()
            .enumerate()
            .max_by(|(first, (a, _)), (second, (b, _))| a.total_cmp(b).then_with(|| second.cmp(first)));
        best.map(|(_, (_, form))| *form)
            .ok_or_else(|| Status::not_acceptable(OFFERED))
    }
}

fn read_part(part: &str) -> Option<(f32, Form)> {
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
    if !matches!(
        media.as_str(),
        "application/json" | "application/*" | "*/*" | "text/plain"
    ) {
        return None;
    }
    let form = match (view, group, version) {
        ("", _, _) => Form::Object,
        ("Table", "meta.k8s.io", "v1") => Form::Table,
        ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io", "v1") => Form::Metadata,
        ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => Form::GroupDiscovery,
        _ => return None,
    };
    Some((weight, form))
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
}
