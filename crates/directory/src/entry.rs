//! One entry of the directory, and the rules that every entry obeys.
//!
//! Made by the LDIF reader and by the operations of `change.rs`; read by searches. Values keep their bytes;
//! names of attributes keep their spelling and are found by their canonical form.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{name::Dn, schema};

/// The values of one attribute, with its name as it was first written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The name as written.
    pub name: String,
    /// The values, in the order in which they came.
    pub values: Vec<Vec<u8>>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub dn: Dn,
    /// Its attributes by canonical name.
    pub attributes: BTreeMap<String, Attribute>,
}

/// Why an entry may not be as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) field: String,
    pub(crate) rule: String,
    pub(crate) kind: FaultKind,
}

/// Which of LDAP's answers fits a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    ObjectClass,
    Naming,
    Syntax,
    Duplicate,
}

impl Entry {
    /// An entry without attributes.
    pub fn new(dn: Dn) -> Self {
        Self {
            dn,
            attributes: BTreeMap::new(),
        }
    }

    /// Adds one value, without a look at what is there.
    pub fn push(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.attributes
            .entry(schema::canonical(name))
            .or_insert_with(|| Attribute {
                name: name.trim().to_owned(),
                values: Vec::new(),
            })
            .values
            .push(value.into());
    }

    /// Puts one value in the place of all.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.attributes.insert(
            schema::canonical(name),
            Attribute {
                name: name.to_owned(),
                values: vec![value.into()],
            },
        );
    }

    /// The values of an attribute, by any of its names.
    pub fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes
            .get(&schema::canonical(name))
            .map_or(&[], |attribute| &attribute.values)
    }

    /// The first value of an attribute as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values(name)
            .first()
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Whether one of the attribute's values equals `value` by the attribute's rule.
    pub fn has_value(&self, name: &str, value: &[u8]) -> bool {
        let attribute = schema::canonical(name);
        let wanted = schema::normalise(&attribute, value);
        self.values(&attribute)
            .iter()
            .any(|value| schema::normalise(&attribute, value) == wanted)
    }

    /// The entry's identity, which outlives changes of its name; nil where there is none yet.
    pub fn uuid(&self) -> Uuid {
        self.text("entryuuid")
            .and_then(|text| text.parse().ok())
            .unwrap_or(Uuid::nil())
    }

    /// The number of the change that made the entry what it is.
    pub fn csn(&self) -> &str {
        self.text("entrycsn").unwrap_or("")
    }

    /// The first rule that the entry breaks.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.class_fault().or_else(|| self.naming_fault()).or_else(|| {
            self.attributes
                .iter()
                .find_map(|(name, attribute)| attribute_fault(name, attribute))
        })
    }

    fn class_fault(&self) -> Option<Fault> {
        self.values("objectclass").is_empty().then(|| Fault {
            field: "objectClass".to_owned(),
            rule: "every entry has at least one object class".to_owned(),
            kind: FaultKind::ObjectClass,
        })
    }

    fn naming_fault(&self) -> Option<Fault> {
        self.dn
            .rdn()
            .iter()
            .find(|(name, value)| !self.has_value(name, value))
            .map(|(name, value)| Fault {
                field: name.clone(),
                rule: format!(
                    "the entry's name says {name}={}, so this has to be one of the attribute's values",
                    String::from_utf8_lossy(value)
                ),
                kind: FaultKind::Naming,
            })
    }
}

fn attribute_fault(name: &str, attribute: &Attribute) -> Option<Fault> {
    let fault = |rule: String, kind| {
        Some(Fault {
            field: attribute.name.clone(),
            rule,
            kind,
        })
    };
    if attribute.values.is_empty() {
        return fault(
            "an attribute has at least one value".to_owned(),
            FaultKind::Syntax,
        );
    }
    if attribute.values.iter().any(Vec::is_empty) {
        return fault("a value must not be empty".to_owned(), FaultKind::Syntax);
    }
    let mut seen: Vec<Vec<u8>> = attribute
        .values
        .iter()
        .map(|value| schema::normalise(name, value))
        .collect();
    let count = seen.len();
    seen.sort();
    seen.dedup();
    if seen.len() < count {
        return fault(
            "the same value may not be there twice".to_owned(),
            FaultKind::Duplicate,
        );
    }
    match schema::matching(name) {
        schema::Matching::Integer => {
            let bad = attribute.values.iter().find(|value| !is_number(value))?;
            let shown = String::from_utf8_lossy(bad).into_owned();
            fault(
                format!("it has to be a whole number, not {shown:?}"),
                FaultKind::Syntax,
            )
        }
        schema::Matching::Name => {
            let bad = attribute.values.iter().find(|value| !is_name(value))?;
            let shown = String::from_utf8_lossy(bad).into_owned();
            fault(
                format!("it has to be a distinguished name, not {shown:?}"),
                FaultKind::Syntax,
            )
        }
        schema::Matching::IgnoreCase | schema::Matching::Exact => None,
    }
}

fn is_number(value: &[u8]) -> bool {
    std::str::from_utf8(value)
        .ok()
        .and_then(schema::integer)
        .is_some()
}

fn is_name(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| Dn::parse(text).is_ok())
}
