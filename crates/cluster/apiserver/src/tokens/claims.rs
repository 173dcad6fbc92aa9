//! What a token says: Kubernetes' claims. Pure.
//!
//! Two forms are in use. Bound tokens, from the subresource `token`, name an audience, end, and may be tied to a Pod,
//! Secret or Node. Tokens in Secrets are of the older form: they have no end but that of their Secret.

use serde::{Deserialize, Serialize};

use super::ISSUER;

/// The issuer in tokens of Secrets, as in Kubernetes.
const SECRET_ISSUER: &str = "kubernetes/serviceaccount";

/// An object by its name and the identity that no later object has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reference {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) uid: String,
}

/// The account that a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) namespace: String,
    pub(crate) account: Reference,
}

impl Subject {
    /// An account.
    pub(crate) fn new(namespace: &str, name: &str, uid: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            account: Reference {
                name: name.to_owned(),
                uid: uid.to_owned(),
            },
        }
    }

    /// The name that the account goes by as a user.
    pub(crate) fn username(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.account.name)
    }
}

/// What a token is tied to. A Pod brings the node along that it runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) pod: Option<Reference>,
    pub(crate) secret: Option<Reference>,
    pub(crate) node: Option<Reference>,
}

/// The claims of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    #[serde(default, skip_serializing_if = "Vec::is_empty", rename = "aud")]
    pub(super) audiences: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "exp")]
    expiry: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "iat")]
    issued_at: Option<i64>,
    #[serde(rename = "iss")]
    issuer: String,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "jti")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "kubernetes.io")]
    kubernetes: Option<Kubernetes>,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "nbf")]
    not_before: Option<i64>,
    #[serde(rename = "sub")]
    subject: String,
    #[serde(flatten)]
    in_secret: InSecret,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kubernetes {
    namespace: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pod: Option<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<Reference>,
    serviceaccount: Reference,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warnafter: Option<i64>,
}

/// What tokens of Secrets say instead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct InSecret {
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        rename = "kubernetes.io/serviceaccount/namespace"
    )]
    namespace: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        rename = "kubernetes.io/serviceaccount/secret.name"
    )]
    secret: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        rename = "kubernetes.io/serviceaccount/service-account.name"
    )]
    account: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        rename = "kubernetes.io/serviceaccount/service-account.uid"
    )]
    uid: Option<String>,
}

/// What ties a token to the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ties {
    /// A bound token.
    Bound(Bound),
    /// A token that stands in the Secret of this name, and is worth as long as it does.
    InSecret(String),
}

/// Why the time of a token is not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Untimely {
    #[error("service account token has expired")]
    Expired,
    #[error("service account token is not valid yet")]
    Early,
    #[error("service account token is issued in the future")]
    FromTheFuture,
}

/// How far clocks may differ, in seconds.
pub(crate) const LEEWAY_SECONDS: i64 = 60;

impl Claims {
    /// A token for `audiences` from `now` on for `seconds`; from `warn_after` seconds on its use is told in the audit log.
    pub(crate) fn bound(
        subject: &Subject,
        bound: &Bound,
        audiences: Vec<String>,
        now: i64,
        seconds: i64,
        warn_after: Option<i64>,
    ) -> Self {
        Self {
            audiences,
            expiry: Some(now.saturating_add(seconds)),
            issued_at: Some(now),
            issuer: ISSUER.to_owned(),
            id: Some(uuid::Uuid::new_v4().to_string()),
            not_before: Some(now),
            subject: subject.username(),
            kubernetes: Some(Kubernetes {
                namespace: subject.namespace.clone(),
                node: bound.node.clone(),
                pod: bound.pod.clone(),
                secret: bound.secret.clone(),
                serviceaccount: subject.account.clone(),
                warnafter: warn_after.map(|seconds| now.saturating_add(seconds)),
            }),
            in_secret: InSecret::default(),
        }
    }

    /// A token that stands in the Secret of this name.
    pub(crate) fn in_secret(subject: &Subject, secret: &str) -> Self {
        Self {
            issuer: SECRET_ISSUER.to_owned(),
            subject: subject.username(),
            in_secret: InSecret {
                namespace: Some(subject.namespace.clone()),
                secret: Some(secret.to_owned()),
                account: Some(subject.account.name.clone()),
                uid: Some(subject.account.uid.clone()),
            },
            ..Self::default()
        }
    }

    /// The name of the user.
    #[cfg(test)]
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    /// Whom the token speaks for and what it is tied to; nothing when it is none of ours.
    pub(crate) fn read(&self) -> Option<(Subject, Ties)> {
        let (subject, ties) = match (self.issuer.as_str(), &self.kubernetes) {
            (ISSUER, Some(found)) => {
                let account = &found.serviceaccount;
                let bound = Bound {
                    pod: found.pod.clone(),
                    secret: found.secret.clone(),
                    node: found.node.clone(),
                };
                let subject = Subject::new(&found.namespace, &account.name, &account.uid);
                (subject, Ties::Bound(bound))
            }
            (SECRET_ISSUER, None) => {
                let found = &self.in_secret;
                let (namespace, account) = (found.namespace.as_deref()?, found.account.as_deref()?);
                let subject = Subject::new(namespace, account, found.uid.as_deref()?);
                (subject, Ties::InSecret(found.secret.clone()?))
            }
            _ => return None,
        };
        (subject.username() == self.subject).then_some((subject, ties))
    }

    /// The name of the token in the attributes of its user, so that logs can tell tokens apart.
    pub(crate) fn credential_id(&self) -> Option<String> {
        self.id.as_ref().map(|id| format!("JTI={id}"))
    }

    /// Whether the token is to be used at `now`.
    pub(crate) fn check_time(&self, now: i64) -> Result<(), Untimely> {
        let early = |time: Option<i64>| time.is_some_and(|time| time > now + LEEWAY_SECONDS);
        if self.expiry.is_some_and(|expiry| expiry < now - LEEWAY_SECONDS) {
            Err(Untimely::Expired)
        } else if early(self.not_before) {
            Err(Untimely::Early)
        } else if early(self.issued_at) {
            Err(Untimely::FromTheFuture)
        } else {
            Ok(())
        }
    }

    /// For how many seconds a client has used the token beyond the time at which it should have taken a new one.
    pub(crate) fn stale_seconds(&self, now: i64) -> Option<i64> {
        let warn_after = self.kubernetes.as_ref()?.warnafter?;
        (now > warn_after).then(|| now - warn_after)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn subject() -> Subject {
        Subject::new("ns", "robot", "u1")
    }

    #[test]
    fn a_bound_token_has_kubernetes_claims() {
        let bound = Bound {
            pod: Some(Reference {
                name: "p".into(),
                uid: "u2".into(),
            }),
            ..Bound::default()
        };
        let claims = Claims::bound(&subject(), &bound, vec!["a".into()], 1000, 3600, Some(607));
        let mut value = serde_json::to_value(&claims).unwrap();
        assert!(value.as_object_mut().unwrap().remove("jti").is_some());
        assert_eq!(
            value,
            json!({"aud":["a"],"exp":4600,"iat":1000,"nbf":1000,"iss":ISSUER,"sub":"system:serviceaccount:ns:robot",
                "kubernetes.io":{"namespace":"ns","serviceaccount":{"name":"robot","uid":"u1"},
                    "pod":{"name":"p","uid":"u2"},"warnafter":1607}})
        );
        let (found, ties) = claims.read().unwrap();
        assert_eq!((found, ties), (subject(), Ties::Bound(bound)));
    }

    #[test]
    fn a_token_of_a_secret_has_the_older_claims() {
        let claims = Claims::in_secret(&subject(), "s");
        assert_eq!(
            serde_json::to_value(&claims).unwrap(),
            json!({"iss":"kubernetes/serviceaccount","sub":"system:serviceaccount:ns:robot",
                "kubernetes.io/serviceaccount/namespace":"ns","kubernetes.io/serviceaccount/secret.name":"s",
                "kubernetes.io/serviceaccount/service-account.name":"robot",
                "kubernetes.io/serviceaccount/service-account.uid":"u1"})
        );
        assert_eq!(claims.read(), Some((subject(), Ties::InSecret("s".into()))));
    }

    #[test]
    fn a_subject_that_contradicts_the_rest_is_nobody() {
        let mut claims = Claims::bound(&subject(), &Bound::default(), vec![], 0, 1, None);
        claims.subject = "system:serviceaccount:ns:admin".into();
        assert_eq!(claims.read(), None);
        let strange: Claims = serde_json::from_value(json!({"iss":"https://elsewhere","sub":"x"})).unwrap();
        assert_eq!(strange.read(), None);
        assert!(serde_json::from_value::<Claims>(Value::Null).is_err());
    }

    #[test]
    fn a_token_has_its_time_with_a_minute_of_grace() {
        let claims = Claims::bound(&subject(), &Bound::default(), vec![], 1000, 600, Some(300));
        for (now, expected) in [
            (930, Err(Untimely::Early)),
            (940, Ok(())),
            (1600, Ok(())),
            (1660, Ok(())),
            (1661, Err(Untimely::Expired)),
        ] {
            assert_eq!(claims.check_time(now), expected, "{now}");
        }
        assert_eq!(claims.stale_seconds(1300), None);
        assert_eq!(claims.stale_seconds(1310), Some(10));
    }
}
