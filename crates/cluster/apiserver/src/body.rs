//! Request bodies: bounded, and read as JSON or YAML.

mod strict;

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::Value;
use toolforge_kinds::Status;

use crate::wire;

/// Largest request body in bytes, as in Kubernetes: an object has to fit into one write.
pub(crate) const MAX_BODY_BYTES: usize = 3 << 20;

/// How long a body may take to arrive; Kubernetes gives a whole request as long.
const PATIENCE: Duration = Duration::from_mins(1);

/// Reads a whole body.
pub(crate) async fn read(body: Body) -> Result<Bytes, Status> {
    read_within(body, PATIENCE).await
}

async fn read_within(body: Body, patience: Duration) -> Result<Bytes, Status> {
    let reading = Limited::new(body, MAX_BODY_BYTES).collect();
    let Ok(read) = tokio::time::timeout(patience, reading).await else {
        return Err(Status::timeout(
            "the body of the request did not arrive in time",
            1,
        ));
    };
    match read {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(problem) if problem.is::<LengthLimitError>() => Err(Status::too_large(MAX_BODY_BYTES)),
        Err(problem) => Err(Status::bad_request(format!(
            "cannot read the body of the request: {problem}"
        ))),
    }
}

/// The media type of a body, in lower case and without parameters; empty when there is none.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// What bodies of objects may be in.
const OBJECT_TYPES: &[&str] = &["application/json", "application/yaml", PROTOBUF];
/// Kubernetes' protobuf form.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Reads an object in the format that its media type names; JSON where it names none.
pub(crate) fn object(media_type: &str, bytes: &[u8]) -> Result<Value, Status> {
    match media_type {
        "" | "application/json" | "*/*" | "text/plain" => json(bytes),
        "application/yaml" | "application/x-yaml" | "text/yaml" => yaml(bytes),
        PROTOBUF => wire::decode(bytes).map_err(|problem| Status::bad_request(problem.to_string())),
        _ => Err(Status::unsupported_media_type(OBJECT_TYPES)),
    }
}

/// Reads an object as [`object`] does; also gives the fields that its JSON or YAML has twice.
pub(crate) fn object_strictly(media_type: &str, bytes: &[u8]) -> Result<(Value, Vec<String>), Status> {
    match media_type {
        "" | "application/json" | "*/*" | "text/plain" => json_strictly(bytes),
        "application/yaml" | "application/x-yaml" | "text/yaml" => yaml_strictly(bytes),
        other => object(other, bytes).map(|value| (value, Vec::new())),
    }
}

/// Reads JSON.
pub(crate) fn json(bytes: &[u8]) -> Result<Value, Status> {
    json_strictly(bytes).map(|(value, _)| value)
}

/// Reads JSON; also gives the fields that are there twice, as `duplicate field "spec.replicas"`.
pub(crate) fn json_strictly(bytes: &[u8]) -> Result<(Value, Vec<String>), Status> {
    strict::read(bytes)
        .map_err(|problem| Status::bad_request(format!("couldn't parse the body as JSON: {problem}")))
}

/// Reads YAML, of which JSON is a part.
pub(crate) fn yaml(bytes: &[u8]) -> Result<Value, Status> {
    yaml_strictly(bytes).map(|(value, _)| value)
}

/// Reads YAML; also gives the fields that are there twice.
pub(crate) fn yaml_strictly(bytes: &[u8]) -> Result<(Value, Vec<String>), Status> {
    if bytes.trim_ascii_start().first() == Some(&b'{')
        && let Ok(read) = strict::read(bytes)
    {
        return Ok(read);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Status::bad_request("the body is not UTF-8"))?;
    strict::read_yaml(text)
        .map_err(|problem| Status::bad_request(format!("couldn't parse the body as YAML: {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_json_and_yaml() {
        assert_eq!(object("application/json", br#"{"a":1}"#).unwrap()["a"], 1);
        assert_eq!(
            object("application/yaml", b"a: 1\nb:\n- x\n").unwrap()["b"][0],
            "x"
        );
        assert_eq!(yaml(br#"{"a":{"b":"c"}}"#).unwrap()["a"]["b"], "c");
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_is_not_waited_for() {
        let never = futures::stream::pending::<Result<Bytes, std::convert::Infallible>>();
        let status = read_within(Body::from_stream(never), Duration::from_millis(10))
            .await
            .unwrap_err();
        assert_eq!((status.code, status.reason), (504, "Timeout"));
    }

    #[test]
    fn says_what_it_does_not_read() {
        assert_eq!(object("application/cbor", b"k8s").unwrap_err().code, 415);
        assert_eq!(object("application/json", b"{").unwrap_err().code, 400);
        assert_eq!(object("application/yaml", b"a: [").unwrap_err().code, 400);
    }
}
