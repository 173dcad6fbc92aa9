//! The schema as an entry (RFC 4512, 4.2), for clients that ask what attributes and classes there are.
//!
//! A table. The directory takes attributes and classes that are not in it, as text that ignores case: this is what
//! an administrator's tools need to show and edit what accounts have (RFC 4519, RFC 2307, RFC 4530).

use crate::{entry::Entry, name::Dn};

/// The name of the entry.
pub(crate) const NAME: &str = "cn=Subschema";

const TEXT: &str =
    "EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15";
const EXACT: &str = "EQUALITY caseExactIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26";
const IA5: &str =
    "EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.26";
const NUMBER: &str =
    "EQUALITY integerMatch ORDERING integerOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27";
const DN: &str = "EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12";
const OID: &str = "EQUALITY objectIdentifierMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.38";
const TIME: &str = "EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24";
const BYTES: &str = "EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40";
const UUID: &str = "EQUALITY UUIDMatch ORDERING UUIDOrderingMatch SYNTAX 1.3.6.1.1.16.1";

/// Marks what only the server writes.
const OPERATIONAL: &str = "SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation";
const ONE: &str = "SINGLE-VALUE";
const MANY: &str = "";
const SETTABLE: &str = "SINGLE-VALUE USAGE directoryOperation";

const ATTRIBUTES: &[(&str, &str, &str, &str)] = &[
    ("2.5.4.0", "'objectClass'", OID, MANY),
    ("2.5.4.3", "( 'cn' 'commonName' )", TEXT, MANY),
    ("2.5.4.4", "( 'sn' 'surname' )", TEXT, MANY),
    ("2.5.4.42", "( 'givenName' 'gn' )", TEXT, MANY),
    ("2.5.4.10", "( 'o' 'organizationName' )", TEXT, MANY),
    ("2.5.4.11", "( 'ou' 'organizationalUnitName' )", TEXT, MANY),
    ("2.5.4.13", "'description'", TEXT, MANY),
    ("2.5.4.31", "'member'", DN, MANY),
    ("2.5.4.32", "'owner'", DN, MANY),
    ("2.5.4.35", "'userPassword'", BYTES, MANY),
    ("0.9.2342.19200300.100.1.1", "( 'uid' 'userid' )", TEXT, MANY),
    (
        "0.9.2342.19200300.100.1.3",
        "( 'mail' 'rfc822Mailbox' )",
        IA5,
        MANY,
    ),
    (
        "0.9.2342.19200300.100.1.25",
        "( 'dc' 'domainComponent' )",
        IA5,
        ONE,
    ),
    ("1.3.6.1.1.1.1.0", "'uidNumber'", NUMBER, ONE),
    ("1.3.6.1.1.1.1.1", "'gidNumber'", NUMBER, ONE),
    ("1.3.6.1.1.1.1.2", "'gecos'", IA5, ONE),
    ("1.3.6.1.1.1.1.3", "'homeDirectory'", EXACT, ONE),
    ("1.3.6.1.1.1.1.4", "'loginShell'", EXACT, ONE),
    ("1.3.6.1.1.1.1.12", "'memberUid'", EXACT, MANY),
    ("1.3.6.1.1.16.4", "'entryUUID'", UUID, OPERATIONAL),
    ("1.3.6.1.1.20", "'entryDN'", DN, OPERATIONAL),
    ("2.5.18.1", "'createTimestamp'", TIME, OPERATIONAL),
    ("2.5.18.2", "'modifyTimestamp'", TIME, OPERATIONAL),
    ("2.5.18.3", "'creatorsName'", DN, OPERATIONAL),
    ("2.5.18.4", "'modifiersName'", DN, OPERATIONAL),
    (
        "2.5.18.9",
        "'hasSubordinates'",
        "EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7",
        OPERATIONAL,
    ),
    ("2.5.18.10", "'subschemaSubentry'", DN, OPERATIONAL),
    ("1.3.6.1.4.1.4203.666.1.7", "'entryCSN'", BYTES, OPERATIONAL),
    ("1.3.6.1.4.1.4203.666.1.25", "'contextCSN'", BYTES, OPERATIONAL),
    (
        "1.3.6.1.4.1.42.2.27.8.1.17",
        "'pwdAccountLockedTime'",
        TIME,
        SETTABLE,
    ),
    ("1.3.6.1.4.1.42.2.27.8.1.23", "'pwdPolicySubentry'", DN, SETTABLE),
];

const CLASSES: &[&str] = &[
    "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )",
    "( 2.5.6.4 NAME 'organization' SUP top STRUCTURAL MUST o MAY description )",
    "( 2.5.6.5 NAME 'organizationalUnit' SUP top STRUCTURAL MUST ou MAY description )",
    "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( userPassword $ description ) )",
    "( 2.5.6.7 NAME 'organizationalPerson' SUP person STRUCTURAL MAY ou )",
    "( 2.16.840.1.113730.3.2.2 NAME 'inetOrgPerson' SUP organizationalPerson STRUCTURAL MAY ( givenName $ mail $ uid ) )",
    "( 2.5.6.9 NAME 'groupOfNames' SUP top STRUCTURAL MUST ( member $ cn ) MAY ( owner $ description ) )",
    "( 0.9.2342.19200300.100.4.5 NAME 'account' SUP top STRUCTURAL MUST uid MAY description )",
    "( 0.9.2342.19200300.100.4.13 NAME 'domain' SUP top STRUCTURAL MUST dc MAY description )",
    "( 1.3.6.1.4.1.1466.344 NAME 'dcObject' SUP top AUXILIARY MUST dc )",
    "( 1.3.6.1.1.1.2.0 NAME 'posixAccount' SUP top AUXILIARY MUST ( cn $ uid $ uidNumber $ gidNumber $ homeDirectory ) \
     MAY ( userPassword $ loginShell $ gecos $ description ) )",
    "( 1.3.6.1.1.1.2.2 NAME 'posixGroup' SUP top AUXILIARY MUST ( cn $ gidNumber ) MAY ( userPassword $ memberUid $ \
     description ) )",
    "( 1.3.6.1.4.1.1466.101.120.111 NAME 'extensibleObject' SUP top AUXILIARY )",
    "( 2.5.20.1 NAME 'subschema' AUXILIARY MAY ( attributeTypes $ objectClasses ) )",
];

/// Whether a search's base is the schema.
pub(crate) fn is_schema(base: &str) -> bool {
    Dn::parse(base).is_ok_and(|base| Dn::parse(NAME).is_ok_and(|name| base == name))
}

/// The entry; none is impossible, since its name is one.
pub(crate) fn entry() -> Option<Entry> {
    let mut entry = Entry::new(Dn::parse(NAME).ok()?);
    for class in ["top", "subentry", "subschema", "extensibleObject"] {
        entry.push("objectClass", class);
    }
    entry.push("cn", "Subschema");
    for (oid, names, syntax, rest) in ATTRIBUTES {
        let text = format!("( {oid} NAME {names} {syntax} {rest} )").replace("  ", " ");
        entry.push("attributeTypes", text);
    }
    for class in CLASSES {
        entry.push("objectClasses", *class);
    }
    Some(entry)
}
