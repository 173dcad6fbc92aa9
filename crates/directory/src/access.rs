//! Who may do what: nobody in particular reads the root entry, the reader reads, the administrator does all.
//!
//! Pure. Passwords are compared in constant time; they are never shown.

use std::fmt;

use ldap3_proto::proto::{LdapBindCred, LdapBindRequest, LdapResultCode};

use crate::{name::Dn, tree::Refusal};

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Anonymous,
    Reader,
    Admin,
}

impl Who {
    /// Whether everything but passwords may be read.
    pub(crate) fn reads(self) -> bool {
        self != Self::Anonymous
    }

    /// Whether passwords may be read, and anything may be written.
    pub(crate) fn is_admin(self) -> bool {
        self == Self::Admin
    }
}

/// The two accounts that may bind.
pub(crate) struct Accounts {
    pub(crate) admin: Dn,
    pub(crate) admin_password: String,
    pub(crate) reader: Dn,
    pub(crate) reader_password: String,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts")
            .field("admin", &self.admin)
            .field("reader", &self.reader)
            .finish_non_exhaustive()
    }
}

impl Accounts {
    /// Who a bind makes its sender.
    pub(crate) fn bind(&self, request: &LdapBindRequest) -> Result<Who, Refusal> {
        if request.version != 3 {
            return Err(Refusal::new(
                LdapResultCode::ProtocolError,
                "only LDAP version 3 is spoken here",
            ));
        }
        let LdapBindCred::Simple(password) = &request.cred else {
            let message = "only simple binds are accepted here; the connection is encrypted (ldapsearch -x)";
            return Err(Refusal::new(LdapResultCode::AuthMethodNotSupported, message));
        };
        if request.dn.is_empty() && password.is_empty() {
            return Ok(Who::Anonymous);
        }
        if password.is_empty() {
            let message = "a bind with a name needs a password";
            return Err(Refusal::new(LdapResultCode::UnwillingToPerform, message));
        }
        let dn = Dn::parse(&request.dn)?;
        // Both are compared, always: time must not tell which of the names exists.
        let admin = dn == self.admin && equal(password, &self.admin_password);
        let reader = dn == self.reader && equal(password, &self.reader_password);
        match (admin, reader) {
            (true, _) => Ok(Who::Admin),
            (_, true) => Ok(Who::Reader),
            _ => Err(Refusal::new(
                LdapResultCode::InvalidCredentials,
                "name or password is wrong",
            )),
        }
    }

    /// The name of somebody, as "who am I" and the entries' `modifiersName` say it.
    pub(crate) fn name(&self, who: Who) -> String {
        match who {
            Who::Anonymous => String::new(),
            Who::Reader => self.reader.to_string(),
            Who::Admin => self.admin.to_string(),
        }
    }
}

/// Whether two texts are equal, in a time that depends on their lengths only. An empty secret equals nothing.
fn equal(given: &str, secret: &str) -> bool {
    let differences = given
        .bytes()
        .zip(secret.bytes())
        .fold(0, |sum, (a, b)| sum | (a ^ b));
    given.len() == secret.len() && !secret.is_empty() && differences == 0
}
