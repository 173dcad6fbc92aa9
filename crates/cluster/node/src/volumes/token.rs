//! Tokens of service accounts: asked for in the Pod's name, and again before they run out.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{Pod, ServiceAccount, ServiceAccountTokenProjection},
};
use kube::{Api, Client, api::PostParams};

use super::payload::{Problem, TokenKey, token_key};

/// How long a token lives when the volume does not say, in seconds; the API's default.
pub(super) const LIFE_SECONDS: i64 = 3600;
/// A token is renewed after this part of its life, and at the latest after [`OLDEST`]; both as kubelet does.
const RENEWED_AFTER_PERCENT: i64 = 80;
const OLDEST: SignedDuration = SignedDuration::from_hours(24);
/// The account of Pods that name none.
const DEFAULT: &str = "default";

struct Held {
    text: String,
    expires: Timestamp,
    renew: Timestamp,
}

/// The tokens of one Pod.
#[derive(Default)]
pub(super) struct Tokens {
    held: HashMap<TokenKey, Held>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({})", self.held.len())
    }
}

impl Tokens {
    /// Asks for a token where there is none or it gets old. One that still holds outlives a failure to renew it.
    pub(super) async fn renew(
        &mut self,
        client: &Client,
        pod: &Pod,
        projection: &ServiceAccountTokenProjection,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let key = token_key(projection);
        if self.held.get(&key).is_some_and(|held| now < held.renew) {
            return Ok(());
        }
        match request(client, pod, projection).await {
            Ok((text, expires)) => {
                let renew = renewal(now, expires);
                self.held.insert(key, Held { text, expires, renew });
                Ok(())
            }
            Err(error) => {
                if self.held.get(&key).is_some_and(|held| held.expires <= now) {
                    self.held.remove(&key);
                }
                Err(Problem::to_retry(format!("failed to fetch token: {error}")))
            }
        }
    }

    /// The tokens as volumes show them.
    pub(super) fn texts(&self) -> BTreeMap<TokenKey, String> {
        let held = self.held.iter();
        held.map(|(key, held)| (key.clone(), held.text.clone())).collect()
    }

    /// When the next one has to be renewed.
    pub(super) fn renew_at(&self) -> Option<Timestamp> {
        self.held.values().map(|held| held.renew).min()
    }
}

/// When a token that was made now and holds until `expires` is to be renewed.
fn renewal(now: Timestamp, expires: Timestamp) -> Timestamp {
    let life = expires.duration_since(now).max(SignedDuration::ZERO);
    let part = SignedDuration::from_millis(
        i64::try_from(life.as_millis() * i128::from(RENEWED_AFTER_PERCENT) / 100).unwrap_or(i64::MAX),
    );
    now + part.min(OLDEST)
}

async fn request(
    client: &Client,
    pod: &Pod,
    projection: &ServiceAccountTokenProjection,
) -> Result<(String, Timestamp), String> {
    let metadata = &pod.metadata;
    let account = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.service_account_name.as_deref());
    let account = account.filter(|name| !name.is_empty()).unwrap_or(DEFAULT);
    let accounts: Api<ServiceAccount> =
        Api::namespaced(client.clone(), metadata.namespace.as_deref().unwrap_or_default());
    let audience = projection.audience.as_ref().filter(|name| !name.is_empty());
    let wanted = TokenRequest {
        spec: Some(TokenRequestSpec {
            audiences: audience.map(|audience| vec![audience.clone()]),
            expiration_seconds: Some(projection.expiration_seconds.unwrap_or(LIFE_SECONDS)),
            bound_object_ref: Some(BoundObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: metadata.name.clone(),
                uid: metadata.uid.clone(),
            }),
            ..TokenRequestSpec::default()
        }),
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request(account, &PostParams::default(), &wanted)
        .await;
    let answer = answer.map_err(|error| error.to_string())?;
    let status = answer.status.unwrap_or_default();
    let token = status.token.filter(|token| !token.is_empty());
    match (token, status.expiration_timestamp) {
        (Some(token), Some(expires)) => Ok((token, expires.0)),
        _ => Err("the answer has no token".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_after_four_fifths_of_its_life_or_a_day() {
        let now = Timestamp::UNIX_EPOCH;
        let after = |hours: i64| renewal(now, now + SignedDuration::from_hours(hours)).as_second();
        assert_eq!(after(1), 48 * 60);
        assert_eq!(after(1000), 24 * 3600);
        assert_eq!(renewal(now, now - SignedDuration::from_hours(1)), now);
    }
}
