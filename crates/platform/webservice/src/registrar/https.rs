//! The API over HTTPS.

use reqwest::{Method, StatusCode, Url, redirect::Policy};
use serde_json::{Value, json};
use toolforge_model::ToolName;
use toolforge_pki::Identity;

use super::{PATIENCE, RegistrarError, away};
use crate::platform::Platform;

/// The authorities that everybody trusts, where Debian has them.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A client with the certificate of one tool.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    /// All of the tool's hosts, as `registerCanonical` of the original with `.*` claims them.
    claim: Url,
    /// HOST:PORT.
    place: String,
}

impl Client {
    pub(super) fn new(
        base: &str,
        platform: &Platform,
        tool: &ToolName,
        identity: Option<&Identity>,
    ) -> Result<Self, String> {
        let identity = identity.ok_or(
            "your kubeconfig has no client certificate, and the gateway takes registrations from those who show one",
        )?;
        let unusable =
            |reason: String| format!("the platform's register-url, {base}, cannot be used: {reason}");
        let claim = format!("{}/v1/tools/{tool}/patterns/.%2A", base.trim_end_matches('/'));
        let claim = Url::parse(&claim).map_err(|error| unusable(error.to_string()))?;
        let (Some(host), Some(port)) = (claim.host_str(), claim.port_or_known_default()) else {
            return Err(unusable("it has no host".to_owned()));
        };
        let authorities = match &platform.ca_pem {
            Some(pem) => pem.clone(),
            None => std::fs::read_to_string(SYSTEM_AUTHORITIES)
                .map_err(|error| format!("{SYSTEM_AUTHORITIES} cannot be read: {error}"))?,
        };
        let tls = toolforge_pki::client_config(&authorities, Some(identity))
            .map_err(|error| format!("the certificate of your kubeconfig cannot be used: {error}"))?;
        let mut builder = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .timeout(PATIENCE)
            .redirect(Policy::none())
            .no_proxy();
        let mut place = format!("{host}:{port}");
        if let Some(mut gateway) = platform.gateway {
            gateway.set_port(port);
            builder = builder.resolve(host, gateway);
            place = gateway.to_string();
        }
        let http = builder.build().map_err(|error| unusable(error.to_string()))?;
        Ok(Self { http, claim, place })
    }

    pub(super) fn place(&self) -> String {
        self.place.clone()
    }

    /// Where what is registered leads.
    pub(super) async fn destination(&self) -> Result<Option<String>, RegistrarError> {
        let (status, body) = self.ask(Method::GET, None).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => Ok(body["destination"].as_str().map(ToOwned::to_owned)),
            _ => Err(refused(status, &body)),
        }
    }

    pub(super) async fn register(&self, destination: &str) -> Result<(), RegistrarError> {
        let body = json!({ "destination": destination, "redirectSharedHosts": true });
        match self.ask(Method::PUT, Some(body)).await? {
            (status, _) if status.is_success() => Ok(()),
            (status, body) => Err(refused(status, &body)),
        }
    }

    pub(super) async fn unregister(&self) -> Result<(), RegistrarError> {
        match self.ask(Method::DELETE, None).await? {
            (status, _) if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            (status, body) => Err(refused(status, &body)),
        }
    }

    async fn ask(&self, method: Method, body: Option<Value>) -> Result<(StatusCode, Value), RegistrarError> {
        let mut request = self.http.request(method, self.claim.clone());
        if let Some(body) = body {
            request = request
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let away = |error: reqwest::Error| away(&self.place, &error.without_url());
        let answer = request.send().await.map_err(away)?;
        let status = answer.status();
        let text = answer.bytes().await.map_err(away)?;
        let body = serde_json::from_slice(&text).unwrap_or_default();
        if status.is_server_error() {
            return Err(RegistrarError::Away {
                place: self.place.clone(),
                reason: said(status, &body),
            });
        }
        Ok((status, body))
    }
}

fn refused(status: StatusCode, body: &Value) -> RegistrarError {
    RegistrarError::Refused(said(status, body))
}

/// What a refusal says (RFC 9457): its detail has each problem with the way out.
fn said(status: StatusCode, body: &Value) -> String {
    ["detail", "title"]
        .iter()
        .find_map(|name| body[name].as_str())
        .map_or_else(|| status.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_its_own_words() {
        let body =
            json!({ "title": "Broken rules", "detail": "destination: port 22 is one of the machine's own" });
        let text = said(StatusCode::UNPROCESSABLE_ENTITY, &body);
        assert_eq!(text, "destination: port 22 is one of the machine's own");
        assert_eq!(
            said(StatusCode::FORBIDDEN, &json!({ "title": "Not yours" })),
            "Not yours"
        );
        assert_eq!(said(StatusCode::CONFLICT, &Value::Null), "409 Conflict");
    }
}
