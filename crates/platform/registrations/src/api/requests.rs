//! The body with which something is registered. Pure.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::{Fault, destination, fault::quoted, limits::CLAIM_BYTES};

/// What a tool says of its webservice.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Body {
    destination: String,
    #[serde(default)]
    check_path: Option<String>,
    #[serde(default)]
    redirect_shared_hosts: bool,
}

impl Body {
    /// Reads it; or says why it is none.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    /// Destination, path of the check, and whether shared hosts lead to the tool's own.
    pub(super) fn resolve(self) -> Result<(SocketAddr, Option<String>, bool), Vec<Fault>> {
        let mut faults = Vec::new();
        let address = destination::read(&self.destination).map_err(|fault| faults.push(fault));
        if let Some(path) = &self.check_path
            && !is_path(path)
        {
            let problem = format!("{} is no path of a request", quoted(path));
            let way_out = "write one such as /healthz, or leave it out to have a connection opened only";
            faults.push(Fault::new("checkPath", "checkPath/syntax", problem, way_out));
        }
        match address {
            Ok(address) if faults.is_empty() => Ok((address, self.check_path, self.redirect_shared_hosts)),
            _ => Err(faults),
        }
    }
}

/// What may stand in the first line of a request.
fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && path.len() <= CLAIM_BYTES
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

#[cfg(test)]
mod tests {
    use super::Body;

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let body = Body::read(br#"{"destination": "ftp://x", "checkPath": "a\r\nHost: b"}"#).unwrap();
        let faults = body.resolve().unwrap_err();
        let rules: Vec<_> = faults.iter().map(|fault| fault.rule).collect();
        assert_eq!(rules, ["destination/scheme", "checkPath/syntax"]);
        for wrong in [
            &b""[..],
            b"[]",
            b"{}",
            br#"{"destination": 1}"#,
            br#"{"destination": "", "to": ""}"#,
            b"\xff",
        ] {
            assert!(Body::read(wrong).is_err());
        }
    }
}
