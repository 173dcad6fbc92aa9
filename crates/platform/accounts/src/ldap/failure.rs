//! Why the directory cannot be read or written, in words that name what to do about it.

use ldap3::{LdapError, LdapResult};
use toolforge_pki::PkiError;

/// Results that mean that a search was cut short (RFC 4511, 4.1.9): time, size, the administrator's limit.
const CUT_SHORT: [u32; 3] = [3, 4, 11];
/// The result that names another server.
const REFERRAL: u32 = 10;

/// Why the directory cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LdapFailure {
    /// The authority's certificate is not one.
    #[error("the directory's authority cannot be used")]
    Authority(#[source] PkiError),
    /// No server was named.
    #[error("no directory is configured: name at least one URL, such as ldaps://ldap.example.org")]
    NoUrl,
    /// A URL is not one, or would send the password in the clear.
    #[error("the directory's URL {url} {rule}")]
    Url {
        /// The URL.
        url: String,
        /// The rule, with the way out.
        rule: &'static str,
    },
    /// A filter of the configuration is not one.
    #[error(
        "{field}: {filter:?} is not a search filter; write it as RFC 4515 has it, such as (objectClass=posixAccount)"
    )]
    Filter {
        /// Which one.
        field: &'static str,
        /// The filter.
        filter: String,
    },
    /// A server cannot be reached.
    #[error("cannot reach the directory at {url}")]
    Connect {
        /// Its URL.
        url: String,
        /// What the library says.
        #[source]
        source: Box<LdapError>,
    },
    /// The server does not let us in, or an operation failed.
    #[error("the directory refused to {step} {target}")]
    Operation {
        /// What was asked.
        step: &'static str,
        /// Of what.
        target: String,
        /// What the server says.
        #[source]
        source: Box<LdapError>,
    },
    /// A search was not answered to its end. What came of it is not used.
    #[error(
        "the directory cut its answer about {base} short ({result}); raise the server's limits of size and time for the \
         account that is bound"
    )]
    CutShort {
        /// The base of the search.
        base: String,
        /// What the server says.
        result: String,
    },
    /// A part of the answer is on another server. What came of it is not used.
    #[error(
        "the directory refers to another server for a part of {base}; configure a server that has all of it"
    )]
    Referral {
        /// The base of the search.
        base: String,
    },
    /// What came is not LDAP as the RFCs have it.
    #[error("the directory's answer about {base} is damaged: {what}")]
    Damaged {
        /// The base of the search.
        base: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The server does not answer.
    #[error("the directory does not answer within {seconds} seconds")]
    Slow {
        /// The time it had.
        seconds: u64,
    },
    /// The server ended a stream of changes.
    #[error("the directory ended the stream of its changes")]
    StreamEnded,
    /// The server cannot say any more what changed since a cookie.
    #[error("the directory asks to be read anew")]
    RefreshRequired,
}

/// Turns an error of the library into one of an operation.
pub(crate) fn operation(step: &'static str, target: &str) -> impl FnOnce(LdapError) -> LdapFailure {
    let target = target.to_owned();
    move |source| match source {
        LdapError::LdapResult { result } => of_result(step, &target, result),
        source => LdapFailure::Operation {
            step,
            target,
            source: Box::new(source),
        },
    }
}

fn of_result(step: &'static str, target: &str, result: LdapResult) -> LdapFailure {
    let base = target.to_owned();
    match result.rc {
        REFERRAL => LdapFailure::Referral { base },
        code if CUT_SHORT.contains(&code) => LdapFailure::CutShort {
            base,
            result: result.to_string(),
        },
        _ => LdapFailure::Operation {
            step,
            target: base,
            source: Box::new(LdapError::LdapResult { result }),
        },
    }
}

impl LdapFailure {
    /// The result code, where the server gave one.
    pub(crate) fn code(&self) -> Option<u32> {
        match self {
            Self::Operation { source, .. } => match &**source {
                LdapError::LdapResult { result } => Some(result.rc),
                _ => None,
            },
            _ => None,
        }
    }
}
