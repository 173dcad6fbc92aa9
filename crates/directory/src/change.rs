//! The operations that change the directory: what each makes of an entry, or why it does not.
//!
//! Pure: a write and a tree go in, the old and the new entry come out. `tree.rs` puts them in place.

use std::sync::Arc;

use ldap3_proto::proto::{LdapAttribute, LdapModify, LdapModifyType, LdapResultCode};

use crate::{
    entry::Entry,
    name::{Dn, NameError},
    schema,
    tree::{Refusal, Tree},
};

/// One write.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Add {
        dn: Dn,
        attributes: Vec<LdapAttribute>,
    },
    Delete {
        dn: Dn,
    },
    Modify {
        dn: Dn,
        changes: Vec<LdapModify>,
    },
    Rename {
        dn: Dn,
        to: String,
        drop_old: bool,
        below: Option<Dn>,
    },
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        Self::new(LdapResultCode::InvalidDNSyntax, error.to_string())
    }
}

type Outcome = Result<(Option<Arc<Entry>>, Option<Entry>), Refusal>;

impl Write {
    /// The entry before and after.
    pub(crate) fn outcome(&self, tree: &Tree) -> Outcome {
        match self {
            Self::Add { dn, attributes } => add(tree, dn, attributes),
            Self::Delete { dn } => delete(tree, dn),
            Self::Modify { dn, changes } => modify(tree, dn, changes),
            Self::Rename {
                dn,
                to,
                drop_old,
                below,
            } => rename(tree, dn, to, *drop_old, below.as_ref()),
        }
    }
}

fn add(tree: &Tree, dn: &Dn, attributes: &[LdapAttribute]) -> Outcome {
    must_be_free(tree, dn)?;
    let mut entry = Entry::new(dn.clone());
    for attribute in attributes {
        check_attribute(&attribute.atype)?;
        if attribute.vals.is_empty() {
            return Err(Refusal::new(
                LdapResultCode::InvalidAttributeSyntax,
                format!("{}: an attribute has at least one value", attribute.atype),
            ));
        }
        for value in &attribute.vals {
            entry.push(&attribute.atype, value.clone());
        }
    }
    checked(entry).map(|entry| (None, Some(entry)))
}

fn delete(tree: &Tree, dn: &Dn) -> Outcome {
    let old = tree.find(dn)?.clone();
    must_be_leaf(tree, dn)?;
    Ok((Some(old), None))
}

fn modify(tree: &Tree, dn: &Dn, changes: &[LdapModify]) -> Outcome {
    let old = tree.find(dn)?.clone();
    let mut entry = Entry::clone(&old);
    for change in changes {
        check_attribute(&change.modification.atype)?;
        modify_one(&mut entry, change)?;
    }
    if entry
        .dn
        .rdn()
        .iter()
        .any(|(name, value)| !entry.has_value(name, value))
    {
        return Err(Refusal::new(
            LdapResultCode::NotALlowedOnRDN,
            "a value in the entry's name stays; rename the entry instead",
        ));
    }
    checked(entry).map(|entry| (Some(old), Some(entry)))
}

fn modify_one(entry: &mut Entry, change: &LdapModify) -> Result<(), Refusal> {
    let name = change.modification.atype.as_str();
    let values = &change.modification.vals;
    match change.operation {
        LdapModifyType::Add => {
            for value in values {
                if entry.has_value(name, value) {
                    let message = format!("{name}: the value is there already");
                    return Err(Refusal::new(LdapResultCode::AttributeOrValueExists, message));
                }
                entry.push(name, value.clone());
            }
        }
        LdapModifyType::Replace => {
            entry.attributes.remove(&schema::canonical(name));
            for value in values {
                entry.push(name, value.clone());
            }
        }
        LdapModifyType::Delete => remove_values(entry, name, values)?,
        LdapModifyType::Increment => increment(entry, name, values)?,
    }
    Ok(())
}

fn remove_values(entry: &mut Entry, name: &str, values: &[Vec<u8>]) -> Result<(), Refusal> {
    let key = schema::canonical(name);
    let missing = |what: &str| Refusal::new(LdapResultCode::NoSuchAttribute, format!("{name}: {what}"));
    let attribute = entry
        .attributes
        .get_mut(&key)
        .ok_or_else(|| missing("the entry does not have it"))?;
    if values.is_empty() {
        attribute.values.clear();
    }
    for value in values {
        let wanted = schema::normalise(&key, value);
        let at = attribute
            .values
            .iter()
            .position(|value| schema::normalise(&key, value) == wanted);
        attribute
            .values
            .remove(at.ok_or_else(|| missing("it does not have this value"))?);
    }
    if attribute.values.is_empty() {
        entry.attributes.remove(&key);
    }
    Ok(())
}

/// RFC 4525: adds a number to each value.
fn increment(entry: &mut Entry, name: &str, values: &[Vec<u8>]) -> Result<(), Refusal> {
    let number = |value: &[u8]| std::str::from_utf8(value).ok().and_then(schema::integer);
    let refuse = |code| {
        Refusal::new(
            code,
            format!("{name}: increment takes one whole number and works on whole numbers"),
        )
    };
    let by = match values {
        [value] => number(value),
        _ => None,
    }
    .ok_or_else(|| refuse(LdapResultCode::ProtocolError))?;
    let attribute = entry
        .attributes
        .get_mut(&schema::canonical(name))
        .ok_or_else(|| refuse(LdapResultCode::NoSuchAttribute))?;
    for value in &mut attribute.values {
        let sum = number(value).and_then(|value| value.checked_add(by));
        *value = sum
            .ok_or_else(|| refuse(LdapResultCode::ConstraintViolation))?
            .to_string()
            .into_bytes();
    }
    Ok(())
}

fn rename(tree: &Tree, dn: &Dn, to: &str, drop_old: bool, below: Option<&Dn>) -> Outcome {
    let old = tree.find(dn)?.clone();
    must_be_leaf(tree, dn)?;
    let parent = below.map_or_else(|| dn.parent_text().to_owned(), ToString::to_string);
    let target = Dn::parse(&format!("{to},{parent}"))?;
    if Dn::parse(to)?.depth() != 1 {
        return Err(Refusal::new(
            LdapResultCode::InvalidDNSyntax,
            "the new name has to be one relative name",
        ));
    }
    if target != *dn {
        must_be_free(tree, &target)?;
    }
    let mut entry = Entry::clone(&old);
    entry.dn = target.clone();
    if drop_old {
        for (name, value) in dn.rdn() {
            remove_values(&mut entry, name, std::slice::from_ref(value))?;
        }
    }
    for (name, value) in target.rdn() {
        if !entry.has_value(name, value) {
            entry.push(name, value.clone());
        }
    }
    checked(entry).map(|entry| (Some(old), Some(entry)))
}

fn must_be_free(tree: &Tree, dn: &Dn) -> Result<(), Refusal> {
    if tree.find(dn).is_ok() {
        return Err(Refusal::new(
            LdapResultCode::EntryAlreadyExists,
            format!("{dn} exists already"),
        ));
    }
    let missing = tree.find(dn).err();
    let parent = Dn::parse(dn.parent_text())?;
    if tree.find(&parent).is_err() {
        return Err(Refusal {
            code: LdapResultCode::NoSuchObject,
            matched: missing.map(|refusal| refusal.matched).unwrap_or_default(),
            message: format!("the parent {parent} does not exist; add it first"),
        });
    }
    Ok(())
}

fn must_be_leaf(tree: &Tree, dn: &Dn) -> Result<(), Refusal> {
    if tree.has_children(dn) {
        return Err(Refusal::new(
            LdapResultCode::NotAllowedOnNonLeaf,
            format!("{dn} has entries below it"),
        ));
    }
    if dn == tree.base() {
        return Err(Refusal::new(
            LdapResultCode::UnwillingToPerform,
            "the base of the directory stays",
        ));
    }
    Ok(())
}

fn check_attribute(name: &str) -> Result<(), Refusal> {
    if !schema::is_attribute_name(name) {
        let message = format!("{name:?} is not an attribute's name: letters, digits and hyphens");
        return Err(Refusal::new(LdapResultCode::UndefinedAttributeType, message));
    }
    if schema::is_server_owned(&schema::canonical(name)) {
        let message = format!("{name}: only the server writes this attribute");
        return Err(Refusal::new(LdapResultCode::ConstraintViolation, message));
    }
    Ok(())
}

fn checked(entry: Entry) -> Result<Entry, Refusal> {
    match entry.fault() {
        Some(fault) => Err(fault.into()),
        None => Ok(entry),
    }
}
