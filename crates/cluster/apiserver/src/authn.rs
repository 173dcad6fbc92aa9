//! Who asks: from the client certificate, from a service account's token, or from the in-process client of the roof.
//!
//! The certificate was verified against the client authority by the TLS layer; here it is only read. Where there are
//! both, the certificate counts, as in Kubernetes. What is presented and not good is 401, never nobody in particular.

mod bearer;

use std::fmt::Write as _;
use std::time::SystemTime;

use http::{Extensions, HeaderMap};
use serde_json::{Value, json};
use toolforge_chain::Annotations;
use toolforge_serve::Peer;

use crate::store::Store;
use crate::tokens::Tokens;

pub(crate) use bearer::withhold as withhold_token;

/// The group of everybody with a valid identity.
pub(crate) const AUTHENTICATED: &str = "system:authenticated";
/// The group of everybody else.
pub(crate) const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The user name of everybody else.
pub(crate) const ANONYMOUS: &str = "system:anonymous";
/// The attribute that names the certificate or token that a user presented.
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";
/// The group that may do everything.
pub(crate) const MASTERS: &str = "system:masters";

/// An identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) groups: Vec<String>,
    /// Further attributes, by name.
    pub(crate) extra: Vec<(String, Vec<String>)>,
}

impl User {
    /// An authenticated identity in these groups.
    pub(crate) fn authenticated(name: &str, groups: &[&str]) -> Self {
        let mut groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        if name != ANONYMOUS && !groups.iter().any(|group| group == AUTHENTICATED) {
            groups.push(AUTHENTICATED.to_owned());
        }
        Self {
            name: name.to_owned(),
            groups,
            ..Self::default()
        }
    }

    /// Nobody in particular.
    pub(crate) fn anonymous() -> Self {
        Self {
            name: ANONYMOUS.to_owned(),
            groups: vec![UNAUTHENTICATED.to_owned()],
            ..Self::default()
        }
    }

    /// Whether nobody in particular asks.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.name == ANONYMOUS
    }

    /// Whether the identity belongs to a group.
    pub(crate) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|found| found == group)
    }

    /// The `UserInfo` of reviews and admission requests.
    pub(crate) fn to_value(&self) -> Value {
        let mut info = json!({ "username": self.name, "groups": self.groups });
        if !self.uid.is_empty() {
            info["uid"] = json!(self.uid);
        }
        if !self.extra.is_empty() {
            let extra = self
                .extra
                .iter()
                .map(|(name, values)| (name.clone(), json!(values)))
                .collect();
            info["extra"] = Value::Object(extra);
        }
        info
    }
}

/// Put into the extensions of a request by the in-process client; bytes from a socket cannot set it.
#[derive(Clone, Debug)]
pub(crate) struct InProcess(pub(crate) User);

/// An identity that was proven, or that of nobody.
#[derive(Clone, Debug)]
pub(crate) struct Identified {
    pub(crate) user: User,
    /// For the audit log: the token should have been replaced by a newer one so many seconds ago.
    pub(crate) stale_seconds: Option<i64>,
    /// What is to stand beside the request in the audit log.
    pub(crate) annotations: Annotations,
}

impl From<User> for Identified {
    fn from(user: User) -> Self {
        Self {
            user,
            stale_seconds: None,
            annotations: Annotations::default(),
        }
    }
}

/// The identity behind a request; `None` when what it presents is not good.
pub(crate) fn authenticate(
    extensions: &Extensions,
    headers: &HeaderMap,
    tokens: &Tokens,
    store: &Store,
) -> Option<Identified> {
    if let Some(InProcess(user)) = extensions.get::<InProcess>() {
        return Some(user.clone().into());
    }
    if let Some(peer) = extensions.get::<Peer>()
        && let Some(certificate) = &peer.certificate
    {
        // Reading it takes longer than a small answer, and it stays the same as long as the connection.
        let named = peer.learned(|| Named::read(certificate))?;
        return named.user_at(SystemTime::now()).map(Identified::from);
    }
    let Some(token) = bearer::token(headers) else {
        return Some(User::anonymous().into());
    };
    match tokens.owner(&token, &Tokens::audiences(), store) {
        Ok(owner) => Some(Identified {
            user: owner.user,
            stale_seconds: owner.stale_seconds,
            annotations: Annotations::default(),
        }),
        Err(refused) => {
            tracing::debug!(%refused, "a token is not good");
            None
        }
    }
}

/// Who is named in a client certificate, and until when.
#[derive(Debug)]
struct Named(Option<(User, SystemTime)>);

impl Named {
    fn read(certificate: &[u8]) -> Self {
        let found = match toolforge_pki::read_certificate_der(certificate) {
            Ok(found) if !found.common_name.is_empty() => found,
            Ok(_) => return Self(None),
            Err(problem) => {
                tracing::warn!(
                    problem = &problem as &dyn std::error::Error,
                    "client certificate cannot be read"
                );
                return Self(None);
            }
        };
        let groups: Vec<&str> = found.organizations.iter().map(String::as_str).collect();
        let mut user = User::authenticated(&found.common_name, &groups);
        user.extra
            .push((CREDENTIAL_ID.to_owned(), vec![fingerprint(certificate)]));
        Self(Some((user, found.not_after)))
    }

    /// The user, while the certificate is good: a connection may outlive it.
    fn user_at(&self, now: SystemTime) -> Option<User> {
        let (user, not_after) = self.0.as_ref()?;
        (now <= *not_after).then(|| user.clone())
    }
}

/// The name of a certificate in the attributes of its user, so that logs can tell credentials apart.
fn fingerprint(certificate: &[u8]) -> String {
    let mut text = "X509SHA256=".to_owned();
    for byte in toolforge_pki::sha256(certificate) {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(identity: &toolforge_pki::Identity) -> Vec<u8> {
        let certificate =
            rustls_pki_types::pem::PemObject::from_pem_slice(identity.certificate_pem.as_bytes());
        let certificate: rustls_pki_types::CertificateDer<'_> = certificate.unwrap();
        certificate.to_vec()
    }

    #[test]
    fn names_and_groups_come_from_the_certificate() {
        let authority = toolforge_pki::Authority::create("test").unwrap();
        let identity = authority.issue_client("ada", &["toolforge", "admins"]).unwrap();
        let user = Named::read(&der(&identity)).user_at(SystemTime::now()).unwrap();
        assert_eq!(user.name, "ada");
        assert_eq!(user.groups, ["toolforge", "admins", AUTHENTICATED]);
        let (name, values) = &user.extra[0];
        assert_eq!(name, CREDENTIAL_ID);
        assert!(
            values[0].starts_with("X509SHA256=") && values[0].len() == 75,
            "{values:?}"
        );
    }

    #[test]
    fn what_is_no_certificate_is_no_identity() {
        assert_eq!(Named::read(b"nonsense").user_at(SystemTime::now()), None);
    }

    #[test]
    fn a_certificate_that_has_expired_names_nobody_on_an_open_connection() {
        let authority = toolforge_pki::Authority::create("test").unwrap();
        let identity = authority.issue_client("ada", &[]).unwrap();
        let named = Named::read(&der(&identity));
        assert!(named.user_at(SystemTime::now()).is_some());
        let years = std::time::Duration::from_hours(40 * 365 * 24);
        assert_eq!(named.user_at(SystemTime::now() + years), None);
    }
}
