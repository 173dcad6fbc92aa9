//! What little of LDAP's schema matters here: names of attributes, how their values compare, which of them
//! are the server's own.
//!
//! A table and pure functions. It does not know entries: the checks on entries are in `entry.rs`.

use crate::name::Dn;

/// How values of an attribute are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matching {
    /// Text: case and runs of blanks do not matter.
    IgnoreCase,
    /// Text or bytes: everything matters.
    Exact,
    /// A whole number.
    Integer,
    /// A distinguished name.
    Name,
}

const INTEGERS: &[&str] = &[
    "uidnumber",
    "gidnumber",
    "shadowlastchange",
    "shadowmin",
    "shadowmax",
    "shadowwarning",
    "shadowinactive",
    "shadowexpire",
    "shadowflag",
    "maxentries",
];

const NAMES: &[&str] = &[
    "member",
    "uniquemember",
    "owner",
    "manager",
    "secretary",
    "seealso",
    "roleoccupant",
    "creatorsname",
    "modifiersname",
    "entrydn",
    "pwdpolicysubentry",
    "memberof",
    "subschemasubentry",
    "distinguishedname",
];

const EXACT: &[&str] = &[
    "homedirectory",
    "loginshell",
    "userpassword",
    "memberuid",
    "entrycsn",
    "jpegphoto",
    "usercertificate",
    "usercertificate;binary",
    "sshpublickey",
    "labeleduri",
    "pwdaccountlockedtime",
    "createtimestamp",
    "modifytimestamp",
];

/// Written by the server alone.
const SERVER_OWNED: &[&str] = &[
    "entryuuid",
    "entrycsn",
    "createtimestamp",
    "modifytimestamp",
    "creatorsname",
    "modifiersname",
    "entrydn",
    "hassubordinates",
    "structuralobjectclass",
    "subschemasubentry",
];

/// Sent only when asked for by name or with `+`; the password policy's two are writable.
const OPERATIONAL: &[&str] = &["pwdaccountlockedtime", "pwdpolicysubentry", "memberof"];

/// Other names of well-known attributes (RFC 4519), with their object identifiers.
const ALIASES: &[(&str, &str)] = &[
    ("commonname", "cn"),
    ("2.5.4.3", "cn"),
    ("surname", "sn"),
    ("2.5.4.4", "sn"),
    ("organizationalunitname", "ou"),
    ("2.5.4.11", "ou"),
    ("organizationname", "o"),
    ("2.5.4.10", "o"),
    ("userid", "uid"),
    ("0.9.2342.19200300.100.1.1", "uid"),
    ("domaincomponent", "dc"),
    ("0.9.2342.19200300.100.1.25", "dc"),
    ("rfc822mailbox", "mail"),
    ("2.5.4.31", "member"),
    ("2.5.4.0", "objectclass"),
    ("gn", "givenname"),
];

/// Whether `name` is an attribute description: a name or an OID, with options.
pub(crate) fn is_attribute_name(name: &str) -> bool {
    let mut parts = name.split(';');
    let base = parts.next().unwrap_or("");
    let keystring = base.starts_with(|c: char| c.is_ascii_alphabetic())
        && base.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let oid = !base.is_empty()
        && base
            .split('.')
            .all(|arc| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()));
    (keystring || oid)
        && name.len() <= 200
        && parts
            .all(|option| !option.is_empty() && option.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
}

/// The one spelling of an attribute's name under which it is stored and compared.
pub(crate) fn canonical(name: &str) -> String {
    let lower = name.trim().to_ascii_lowercase();
    ALIASES
        .iter()
        .find(|(alias, _)| *alias == lower)
        .map_or(lower, |(_, name)| (*name).to_owned())
}

/// How an attribute (by its canonical name) compares.
pub(crate) fn matching(attribute: &str) -> Matching {
    if INTEGERS.contains(&attribute) {
        Matching::Integer
    } else if NAMES.contains(&attribute) {
        Matching::Name
    } else if EXACT.contains(&attribute) {
        Matching::Exact
    } else {
        Matching::IgnoreCase
    }
}

/// Whether only the server writes this attribute.
pub(crate) fn is_server_owned(attribute: &str) -> bool {
    SERVER_OWNED.contains(&attribute)
}

/// Whether this attribute is sent only when asked for.
pub(crate) fn is_operational(attribute: &str) -> bool {
    is_server_owned(attribute) || OPERATIONAL.contains(&attribute)
}

/// Whether an attribute is for nobody's eyes but the administrator's.
pub(crate) fn is_secret(attribute: &str) -> bool {
    attribute.split(';').next() == Some("userpassword")
}

/// The form of a value in which equal values are the same bytes.
pub(crate) fn normalise(attribute: &str, value: &[u8]) -> Vec<u8> {
    normalise_by(matching(attribute), value)
}

/// As [`normalise`], under a rule that was asked for by name.
pub(crate) fn normalise_by(rule: Matching, value: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(value) else {
        return value.to_vec();
    };
    match rule {
        Matching::Exact => value.to_vec(),
        Matching::IgnoreCase => fold(text).into_bytes(),
        Matching::Integer => {
            integer(text).map_or_else(|| value.to_vec(), |number| number.to_string().into_bytes())
        }
        Matching::Name => {
            Dn::parse(text).map_or_else(|_| fold(text).into_bytes(), |dn| dn.key().as_bytes().to_vec())
        }
    }
}

/// A whole number as LDAP writes it.
pub(crate) fn integer(text: &str) -> Option<i128> {
    let text = text.trim();
    if text.starts_with('+') {
        None
    } else {
        text.parse().ok()
    }
}

fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    out
}
