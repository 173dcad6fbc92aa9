//! Who asks: from the client certificate, or from the in-process client that the roof made.
//!
//! The certificate was verified against the client authority by the TLS layer; here it is only read. There are no
//! service-account tokens in this version: a request with a bearer token and no certificate is 401.

use http::Extensions;
use serde_json::{Value, json};
use toolforge_serve::Peer;

/// The group of everybody with a valid identity.
pub(crate) const AUTHENTICATED: &str = "system:authenticated";
/// The group of everybody else.
pub(crate) const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The user name of everybody else.
pub(crate) const ANONYMOUS: &str = "system:anonymous";
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

/// The identity behind a request; `None` when it presents a certificate that cannot be read.
pub(crate) fn authenticate(extensions: &Extensions) -> Option<User> {
    if let Some(InProcess(user)) = extensions.get::<InProcess>() {
        return Some(user.clone());
    }
    let Some(certificate) = extensions
        .get::<Peer>()
        .and_then(|peer| peer.certificate.as_ref())
    else {
        return Some(User::anonymous());
    };
    match toolforge_pki::read_certificate_der(certificate) {
        Ok(found) if !found.common_name.is_empty() => {
            let groups: Vec<&str> = found.organizations.iter().map(String::as_str).collect();
            Some(User::authenticated(&found.common_name, &groups))
        }
        Ok(_) => None,
        Err(problem) => {
            tracing::warn!(
                problem = &problem as &dyn std::error::Error,
                "client certificate cannot be read"
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(certificate: Option<Vec<u8>>) -> Extensions {
        let mut extensions = Extensions::new();
        extensions.insert(Peer {
            address: ([127, 0, 0, 1], 1).into(),
            certificate,
        });
        extensions
    }

    #[test]
    fn names_and_groups_come_from_the_certificate() {
        let authority = toolforge_pki::Authority::create("test").unwrap();
        let identity = authority.issue_client("ada", &["toolforge", "admins"]).unwrap();
        let certificate =
            rustls_pki_types::pem::PemObject::from_pem_slice(identity.certificate_pem.as_bytes());
        let certificate: rustls_pki_types::CertificateDer<'_> = certificate.unwrap();
        let user = authenticate(&peer(Some(certificate.to_vec()))).unwrap();
        assert_eq!(user.name, "ada");
        assert_eq!(user.groups, ["toolforge", "admins", AUTHENTICATED]);
    }

    #[test]
    fn without_a_certificate_one_is_nobody() {
        assert!(authenticate(&peer(None)).unwrap().is_anonymous());
        assert!(authenticate(&Extensions::new()).unwrap().is_anonymous());
    }

    #[test]
    fn what_is_no_certificate_is_no_identity() {
        assert_eq!(authenticate(&peer(Some(b"nonsense".to_vec()))), None);
    }
}
