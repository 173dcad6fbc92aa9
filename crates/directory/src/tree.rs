//! The directory in memory: entries by name, and what every change does to them.
//!
//! A value: the server clones it, changes the clone, stores it, and only then shows it. Pure but for the time,
//! which is given. Sending, storing and who may do what are for others.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use ldap3_proto::proto::{LdapResultCode, LdapSearchScope};
use uuid::Uuid;

use crate::{
    change::Write,
    entry::{Entry, Fault, FaultKind},
    ldif::{LdifError, Record},
    name::Dn,
};

#[cfg(test)]
mod tests;

/// How many removals are remembered for clients that come back: a client that missed more gets a fuller answer.
const REMEMBERED_REMOVALS: usize = 4096;

/// A change that happened.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) csn: String,
    pub(crate) old: Option<Arc<Entry>>,
    pub(crate) new: Option<Arc<Entry>>,
}

/// An operation's answer other than success.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: LdapResultCode,
    pub(crate) matched: String,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: LdapResultCode, message: impl Into<String>) -> Self {
        Self {
            code,
            matched: String::new(),
            message: message.into(),
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let code = match fault.kind {
            FaultKind::ObjectClass => LdapResultCode::ObjectClassViolation,
            FaultKind::Naming => LdapResultCode::NamingViolation,
            FaultKind::Syntax => LdapResultCode::InvalidAttributeSyntax,
            FaultKind::Duplicate => LdapResultCode::AttributeOrValueExists,
        };
        Self::new(code, format!("{}: {}", fault.field, fault.rule))
    }
}

/// All entries below one base.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    base: Dn,
    entries: BTreeMap<Arc<str>, Arc<Entry>>,
    last_micros: i64,
    removed: VecDeque<(String, Uuid)>,
    /// Removals after this change are all in `removed`.
    remembers_since: String,
}

impl Tree {
    /// The tree of the given records, in any order; the base's own entry is made where there is none.
    pub(crate) fn load(base: &Dn, records: Vec<Record>, now: Timestamp) -> Result<Self, LdifError> {
        let mut tree = Self {
            base: base.clone(),
            entries: BTreeMap::new(),
            last_micros: 0,
            removed: VecDeque::new(),
            remembers_since: String::new(),
        };
        let last = records
            .iter()
            .filter_map(|record| csn_micros(record.entry.csn()))
            .max();
        tree.last_micros = last.unwrap_or(0);
        if !records.iter().any(|record| record.entry.dn == *base) {
            let entry = base_entry(base);
            tree.put_loaded(Record { line: 0, entry }, now)?;
        }
        let mut records = records;
        records.sort_by_key(|record| record.entry.dn.depth());
        for record in records {
            tree.put_loaded(record, now)?;
        }
        tree.remembers_since = tree.csn();
        Ok(tree)
    }

    fn put_loaded(&mut self, record: Record, now: Timestamp) -> Result<(), LdifError> {
        let Record { line, mut entry } = record;
        if !entry.dn.is_within(&self.base) {
            let rule = format!("{} is not below the directory's base, {}", entry.dn, self.base);
            return Err(LdifError::new(
                line,
                "dn",
                rule,
                "correct the name, or set the base with --base",
            ));
        }
        if entry.dn != self.base && !self.entries.contains_key(entry.dn.parent_key().unwrap_or("")) {
            let rule = format!("its parent {} is not in the file", entry.dn.parent_text());
            return Err(LdifError::new(
                line,
                "dn",
                rule,
                "add an entry for the parent, for example an organizationalUnit",
            ));
        }
        if self.entries.contains_key(entry.dn.key()) {
            let rule = format!("{} is in the file twice", entry.dn);
            return Err(LdifError::new(line, "dn", rule, "remove one of the two records"));
        }
        if let Some(fault) = entry.fault() {
            return Err(LdifError::new(
                line,
                &fault.field,
                fault.rule,
                format!("correct the record of {}", entry.dn),
            ));
        }
        if entry.uuid().is_nil() || entry.csn().is_empty() {
            let csn = self.next_csn(now);
            stamp_new(&mut entry, "", &csn, now);
        }
        self.entries.insert(entry.dn.key().clone(), Arc::new(entry));
        Ok(())
    }

    /// All entries, parents before their children.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// The base that all entries are below.
    pub(crate) fn base(&self) -> &Dn {
        &self.base
    }

    /// The identity of this directory: that of its base's entry.
    pub(crate) fn identity(&self) -> Uuid {
        self.entries
            .get(self.base.key())
            .map_or(Uuid::nil(), |entry| entry.uuid())
    }

    /// The number of the last change.
    pub(crate) fn csn(&self) -> String {
        csn_of(self.last_micros)
    }

    /// The entry of this name.
    pub(crate) fn find(&self, dn: &Dn) -> Result<&Arc<Entry>, Refusal> {
        self.entries.get(dn.key()).ok_or_else(|| Refusal {
            code: LdapResultCode::NoSuchObject,
            matched: self.nearest(dn),
            message: format!("there is no entry {dn}"),
        })
    }

    /// Whether an entry has children.
    pub(crate) fn has_children(&self, dn: &Dn) -> bool {
        self.below(dn.key()).nth(1).is_some()
    }

    /// The entries in a scope, in the order of their keys, after the key `after` where one is given.
    pub(crate) fn scope<'a>(
        &'a self,
        base: &Dn,
        scope: &LdapSearchScope,
        after: Option<&str>,
    ) -> Result<impl Iterator<Item = &'a Arc<Entry>> + use<'a>, Refusal> {
        self.find(base)?;
        let key = base.key().clone();
        let scope = scope.clone();
        let after = after.map(str::to_owned);
        Ok(self.below(&key).filter(move |entry| {
            let own = entry.dn.key();
            let in_scope = match scope {
                LdapSearchScope::Base => *own == key,
                LdapSearchScope::OneLevel => entry.dn.parent_key() == Some(&*key),
                LdapSearchScope::Subtree => true,
                LdapSearchScope::Children => *own != key,
            };
            in_scope && after.as_deref().is_none_or(|after| **own > *after)
        }))
    }

    /// The removals after a change, where all of them are known.
    pub(crate) fn removed_since(&self, csn: &str) -> Option<Vec<Uuid>> {
        (csn >= self.remembers_since.as_str()).then(|| {
            self.removed
                .iter()
                .filter(|(at, _)| at.as_str() > csn)
                .map(|(_, uuid)| *uuid)
                .collect()
        })
    }

    /// Does one write, or says why not and leaves everything as it was.
    pub(crate) fn apply(&mut self, write: &Write, by: &str, now: Timestamp) -> Result<Changed, Refusal> {
        let (old, new) = write.outcome(self)?;
        let csn = self.next_csn(now);
        let new = new.map(|mut entry| {
            if old.is_some() {
                stamp_changed(&mut entry, by, &csn, now);
            } else {
                stamp_new(&mut entry, by, &csn, now);
            }
            Arc::new(entry)
        });
        if let Some(old) = &old {
            self.entries.remove(old.dn.key());
        }
        match &new {
            Some(new) => {
                self.entries.insert(new.dn.key().clone(), new.clone());
            }
            None => self.remember_removal(&csn, old.as_deref()),
        }
        Ok(Changed { csn, old, new })
    }

    fn remember_removal(&mut self, csn: &str, old: Option<&Entry>) {
        let uuid = old.map_or(Uuid::nil(), Entry::uuid);
        self.removed.push_back((csn.to_owned(), uuid));
        if self.removed.len() > REMEMBERED_REMOVALS
            && let Some((forgotten, _)) = self.removed.pop_front()
        {
            self.remembers_since = forgotten;
        }
    }

    fn below<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a Arc<Entry>> + use<'a> {
        let prefix = key.to_owned();
        self.entries
            .range::<str, _>((std::ops::Bound::Included(key), std::ops::Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(&prefix))
            .map(|(_, entry)| entry)
    }

    /// The name of the nearest ancestor that exists, for `matchedDN`.
    fn nearest(&self, dn: &Dn) -> String {
        let mut key = dn.parent_key();
        while let Some(current) = key {
            if let Some(entry) = self.entries.get(current) {
                return entry.dn.to_string();
            }
            key = crate::name::parent_key(current);
        }
        String::new()
    }

    fn next_csn(&mut self, now: Timestamp) -> String {
        self.last_micros = now.as_microsecond().max(self.last_micros + 1);
        csn_of(self.last_micros)
    }
}

/// A change number in the form that LDAP servers use; text order is time order.
fn csn_of(micros: i64) -> String {
    let at = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{}#000000#000#000000", at.strftime("%Y%m%d%H%M%S.%6fZ"))
}

fn csn_micros(csn: &str) -> Option<i64> {
    let (time, _) = csn.split_once('#')?;
    let at = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S.%fZ", time).ok()?;
    Some(
        at.to_zoned(jiff::tz::TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_microsecond(),
    )
}

fn stamp_new(entry: &mut Entry, by: &str, csn: &str, now: Timestamp) {
    entry.set("entryUUID", Uuid::new_v4().to_string());
    if entry.text("createtimestamp").is_none() {
        entry.set("createTimestamp", now.strftime("%Y%m%d%H%M%SZ").to_string());
    }
    if !by.is_empty() {
        entry.set("creatorsName", by);
    }
    stamp_changed(entry, by, csn, now);
}

fn stamp_changed(entry: &mut Entry, by: &str, csn: &str, now: Timestamp) {
    entry.set("entryCSN", csn);
    entry.set("modifyTimestamp", now.strftime("%Y%m%d%H%M%SZ").to_string());
    if !by.is_empty() {
        entry.set("modifiersName", by);
    }
}

fn base_entry(base: &Dn) -> Entry {
    let mut entry = Entry::new(base.clone());
    entry.push("objectClass", "top");
    for (name, value) in base.rdn() {
        entry.push(name, value.clone());
        entry.push(
            "objectClass",
            match name.as_str() {
                "dc" => "domain",
                "o" => "organization",
                "ou" => "organizationalUnit",
                _ => "extensibleObject",
            },
        );
    }
    entry
}
