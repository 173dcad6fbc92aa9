//! From a token to its user: the token must be ours, in time and for us, and what it is bound to must still be there.

use jiff::Timestamp;
use serde_json::Value;

use super::claims::{Bound, LEEWAY_SECONDS, Reference, Subject, Ties, Untimely};
use super::{Claims, Tokens};
use crate::authn::User;
use crate::metadata;
use crate::store::{Key, Resource, Store};

/// Why nobody stands behind a token, in Kubernetes' words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("invalid bearer token")]
    Unknown,
    #[error(transparent)]
    Untimely(#[from] Untimely),
    #[error("token audiences {found:?} is invalid for the target audiences {wanted:?}")]
    Audience { found: Vec<String>, wanted: Vec<String> },
    #[error("serviceaccounts {0:?} not found")]
    NoAccount(String),
    #[error("service account UID ({found}) does not match claim ({claimed})")]
    OtherAccount { found: String, claimed: String },
    #[error("service account {0} has been deleted")]
    Deleted(String),
    #[error("service account token has been invalidated")]
    Invalidated,
    #[error("{kind} UID ({found}) does not match service account {kind} ref claim ({claimed})")]
    Other {
        kind: &'static str,
        found: String,
        claimed: String,
    },
}

/// Who stands behind a token.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) user: User,
    /// Those of the audiences that were asked for that the token is meant for.
    pub(crate) audiences: Vec<String>,
    /// For the audit log: the token should have been replaced by a newer one so many seconds ago.
    pub(crate) stale_seconds: Option<i64>,
}

impl Tokens {
    /// The user behind a token that is meant for one of `wanted`.
    pub(crate) fn owner(&self, token: &str, wanted: &[String], store: &Store) -> Result<Owner, Refused> {
        let claims = self.open_token(token).ok_or(Refused::Unknown)?;
        let (subject, ties) = claims.read().ok_or(Refused::Unknown)?;
        let own = Self::audiences();
        // Tokens of Secrets name no audience: they are for this API.
        let meant_for = if claims.audiences.is_empty() {
            &own
        } else {
            &claims.audiences
        };
        let audiences: Vec<String> = meant_for
            .iter()
            .filter(|audience| wanted.contains(audience))
            .cloned()
            .collect();
        if audiences.is_empty() {
            return Err(Refused::Audience {
                found: meant_for.clone(),
                wanted: wanted.to_vec(),
            });
        }
        let now = Timestamp::now();
        claims.check_time(now.as_second())?;
        let world = World { store, now };
        world.check_account(&subject)?;
        match &ties {
            Ties::Bound(bound) => world.check_bound(&subject.namespace, bound)?,
            Ties::InSecret(secret) => world.check_secret(&subject.namespace, secret, token)?,
        }
        Ok(Owner {
            user: user(&subject, &ties, &claims),
            audiences,
            stale_seconds: claims.stale_seconds(now.as_second()),
        })
    }
}

fn user(subject: &Subject, ties: &Ties, claims: &Claims) -> User {
    let groups = [
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{}", subject.namespace),
    ];
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let mut user = User::authenticated(&subject.username(), &groups);
    user.uid.clone_from(&subject.account.uid);
    let mut tell = |what: &str, value: &str| {
        if !value.is_empty() {
            let name = format!("authentication.kubernetes.io/{what}");
            user.extra.push((name, vec![value.to_owned()]));
        }
    };
    if let Some(id) = claims.credential_id() {
        tell("credential-id", &id);
    }
    if let Ties::Bound(bound) = ties {
        for (what, reference) in [("node", &bound.node), ("pod", &bound.pod)] {
            if let Some(reference) = reference {
                tell(&format!("{what}-name"), &reference.name);
                tell(&format!("{what}-uid"), &reference.uid);
            }
        }
    }
    user
}

struct World<'a> {
    store: &'a Store,
    now: Timestamp,
}

impl World<'_> {
    fn find(
        &self,
        plural: &'static str,
        namespace: Option<&str>,
        name: &str,
    ) -> Option<std::sync::Arc<Value>> {
        let resource = Resource { group: "", plural };
        let found = self.store.get(&Key::new(resource, namespace, name))?;
        Some(found.value())
    }

    /// Whether something was to be gone a while ago: what ends may use its token until then.
    fn has_ended(&self, object: &Value) -> bool {
        let time: Option<Timestamp> = metadata::text(object, "deletionTimestamp").parse().ok();
        time.is_some_and(|time| time.as_second() < self.now.as_second() - LEEWAY_SECONDS)
    }

    fn check_account(&self, subject: &Subject) -> Result<(), Refused> {
        let name = &subject.account.name;
        let account = self
            .find("serviceaccounts", Some(&subject.namespace), name)
            .ok_or_else(|| Refused::NoAccount(name.clone()))?;
        let found = metadata::text(&account, "uid");
        if found != subject.account.uid {
            return Err(Refused::OtherAccount {
                found: found.to_owned(),
                claimed: subject.account.uid.clone(),
            });
        }
        if self.has_ended(&account) {
            return Err(Refused::Deleted(format!("{}/{name}", subject.namespace)));
        }
        Ok(())
    }

    fn check_bound(&self, namespace: &str, bound: &Bound) -> Result<(), Refused> {
        if let Some(secret) = &bound.secret {
            self.check_reference("secret", "secrets", Some(namespace), secret)?;
        }
        if let Some(pod) = &bound.pod {
            // The node of a Pod is told, not checked.
            return self.check_reference("pod", "pods", Some(namespace), pod);
        }
        match &bound.node {
            Some(node) => self.check_reference("node", "nodes", None, node),
            None => Ok(()),
        }
    }

    fn check_reference(
        &self,
        kind: &'static str,
        plural: &'static str,
        namespace: Option<&str>,
        wanted: &Reference,
    ) -> Result<(), Refused> {
        let object = self
            .find(plural, namespace, &wanted.name)
            .ok_or(Refused::Invalidated)?;
        let found = metadata::text(&object, "uid");
        if found != wanted.uid {
            return Err(Refused::Other {
                kind,
                found: found.to_owned(),
                claimed: wanted.uid.clone(),
            });
        }
        if self.has_ended(&object) {
            return Err(Refused::Invalidated);
        }
        Ok(())
    }

    /// A token of a Secret is worth what the Secret still says.
    fn check_secret(&self, namespace: &str, name: &str, token: &str) -> Result<(), Refused> {
        let secret = self
            .find("secrets", Some(namespace), name)
            .ok_or(Refused::Invalidated)?;
        let kept = secret.pointer("/data/token").and_then(Value::as_str);
        if self.has_ended(&secret) || kept != Some(&super::secrets::encode(token)) {
            return Err(Refused::Invalidated);
        }
        Ok(())
    }
}
