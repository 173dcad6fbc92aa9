//! The directory in memory, kept up to date entry by entry, and what it says of accounts at each moment.
//!
//! Pure. The follower puts entries in and takes them out; a change costs what belongs to it - one tool, or the tools of
//! one maintainer - and not a look at all. **Invariant:** the order of changes does not matter, only what is there at
//! the end: a picture that was kept is the same as one that was read anew.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use toolforge_model::ToolName;

use crate::snapshot::{self, Record, Snapshot, Unusable};

#[cfg(test)]
mod tests;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An account of a tool.
    Tool,
    /// A group of a tool's maintainers.
    Group,
    /// A group of admins.
    Admins,
    /// A person.
    Person,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Tool, Self::Group, Self::Admins, Self::Person];
}

/// The identity of an entry: the server's own for it, or its name.
pub(crate) type Id = Vec<u8>;

/// Entries that go by the same name, by identity so that their order is always the same.
type Named = HashMap<String, BTreeSet<Id>>;

/// The directory in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture {
    prefix: String,
    entries: [HashMap<Id, Record>; 4],
    /// Accounts of tools by the name after the prefix.
    accounts: Named,
    /// Groups of tools by the name after the prefix.
    groups: Named,
    /// People by login name.
    people: Named,
    /// The names of groups that a login name is in.
    groups_of: HashMap<String, HashSet<String>>,
    skipped_tools: BTreeSet<String>,
    skipped_admins: BTreeSet<String>,
    snapshot: Snapshot,
    changed: bool,
}

impl Picture {
    /// A picture of nothing yet.
    pub(crate) fn new(project: &str) -> Self {
        Self {
            prefix: format!("{project}."),
            ..Self::default()
        }
    }

    /// What the directory says now.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Whether anything changed since the last time this was asked.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Whether anything changed since then, without asking.
    pub(crate) fn has_changed(&self) -> bool {
        self.changed
    }

    /// Takes the place of an older picture: only what they say differently counts as a change.
    pub(crate) fn follows(&mut self, older: &Self) {
        self.changed = older.changed || self.snapshot != older.snapshot;
    }

    /// An entry of this name is gone, whatever its identity was.
    pub(crate) fn remove_named(&mut self, kind: Kind, dn: &str) {
        let wanted = dn.to_lowercase();
        let found = self.entries[kind as usize]
            .iter()
            .find(|(_, record)| record.dn.to_lowercase() == wanted)
            .map(|(id, _)| id.clone());
        if let Some(id) = found {
            self.remove(kind, &id);
        }
    }

    /// The identities of all entries of a kind.
    pub(crate) fn ids(&self, kind: Kind) -> impl Iterator<Item = &Id> {
        self.entries[kind as usize].keys()
    }

    /// An entry is there, and this is what it is.
    pub(crate) fn put(&mut self, kind: Kind, id: &[u8], record: &Record) {
        let old = self.entries[kind as usize].insert(id.to_vec(), record.clone());
        if old.as_ref() != Some(record) {
            self.follow(kind, id, old.as_ref(), Some(record));
        }
    }

    /// An entry is gone.
    pub(crate) fn remove(&mut self, kind: Kind, id: &[u8]) {
        if let Some(old) = self.entries[kind as usize].remove(id) {
            self.follow(kind, id, Some(&old), None);
        }
    }

    /// Of the entries of a kind only these are there.
    pub(crate) fn retain(&mut self, kind: Kind, present: &HashSet<Id>) {
        let gone: Vec<Id> = self
            .ids(kind)
            .filter(|id| !present.contains(*id))
            .cloned()
            .collect();
        for id in gone {
            self.remove(kind, &id);
        }
    }

    fn follow(&mut self, kind: Kind, id: &[u8], old: Option<&Record>, new: Option<&Record>) {
        self.changed = true;
        let (before, after) = (self.name(kind, old), self.name(kind, new));
        let index = match kind {
            Kind::Tool => Some(&mut self.accounts),
            Kind::Group => Some(&mut self.groups),
            Kind::Person => Some(&mut self.people),
            Kind::Admins => None,
        };
        if let Some(index) = index {
            reindex(index, id, before.as_deref(), after.as_deref());
        }
        if kind == Kind::Group {
            self.reindex_members(before.as_deref(), old, after.as_deref(), new);
        }
        let names: BTreeSet<String> = before.into_iter().chain(after).collect();
        for name in &names {
            match kind {
                Kind::Tool | Kind::Group => self.derive_tool(name),
                Kind::Person => self.derive_person(name),
                Kind::Admins => {}
            }
        }
        if matches!(kind, Kind::Admins) || (kind == Kind::Person && self.is_admin(&names)) {
            self.derive_admins();
        }
        self.snapshot.skipped = &self.skipped_tools | &self.skipped_admins;
    }

    fn name(&self, kind: Kind, record: Option<&Record>) -> Option<String> {
        let record = record?;
        let name = match kind {
            Kind::Person => record.first("uid")?,
            _ => record
                .all("cn")
                .iter()
                .find_map(|cn| cn.strip_prefix(&self.prefix))?,
        };
        Some(name.to_owned())
    }

    fn reindex_members(
        &mut self,
        before: Option<&str>,
        old: Option<&Record>,
        after: Option<&str>,
        new: Option<&Record>,
    ) {
        if let (Some(name), Some(old)) = (before, old) {
            // Another group of this name may have the member too.
            let others: HashSet<String> = self.members(name).into_iter().collect();
            for user in snapshot::users_of(old)
                .iter()
                .filter(|user| !others.contains(*user))
            {
                if let Some(groups) = self.groups_of.get_mut(user) {
                    groups.remove(name);
                    if groups.is_empty() {
                        self.groups_of.remove(user);
                    }
                }
            }
        }
        if let (Some(name), Some(new)) = (after, new) {
            for user in snapshot::users_of(new) {
                self.groups_of.entry(user).or_default().insert(name.to_owned());
            }
        }
    }

    /// The login names of everybody in the groups of a name.
    fn members(&self, name: &str) -> Vec<String> {
        let groups = self.groups.get(name).into_iter().flatten();
        groups
            .filter_map(|id| self.entries[Kind::Group as usize].get(id))
            .flat_map(snapshot::users_of)
            .collect()
    }

    fn person(&self, user: &str) -> Option<&Record> {
        let id = self.people.get(user)?.first()?;
        self.entries[Kind::Person as usize].get(id)
    }

    fn derive_tool(&mut self, text: &str) {
        let Some(ids) = self.accounts.get(text) else {
            self.skipped_tools.remove(&shortened(text));
            if let Ok(name) = text.parse::<ToolName>() {
                self.snapshot.tools.remove(&name);
            }
            return;
        };
        let Ok(name) = text.parse::<ToolName>() else {
            self.skipped_tools.insert(shortened(text));
            return;
        };
        let records: Vec<&Record> = ids
            .iter()
            .filter_map(|id| self.entries[Kind::Tool as usize].get(id))
            .collect();
        let tool = match records.as_slice() {
            [] => return,
            [record] => {
                let maintainers = snapshot::maintainers(&self.members(text), |user| self.person(user));
                snapshot::tool(name.clone(), record, maintainers)
            }
            [first, second, ..] => Err(twice(first, second)),
        };
        self.snapshot.tools.insert(name, tool);
    }

    fn derive_person(&mut self, user: &str) {
        if self.people.contains_key(user) {
            self.snapshot.users.insert(user.to_owned());
        } else {
            self.snapshot.users.remove(user);
        }
        let tools: Vec<String> = self.groups_of.get(user).into_iter().flatten().cloned().collect();
        for name in tools {
            if self.accounts.contains_key(&name) {
                self.derive_tool(&name);
            }
        }
    }

    fn admin_names(&self) -> BTreeSet<String> {
        self.entries[Kind::Admins as usize]
            .values()
            .flat_map(snapshot::users_of)
            .collect()
    }

    fn is_admin(&self, names: &BTreeSet<String>) -> bool {
        names.iter().any(|name| self.admin_names().contains(name))
    }

    /// There are few admins: all of them are looked at whenever one may have changed.
    fn derive_admins(&mut self) {
        let names = self.admin_names();
        self.skipped_admins.clear();
        let mut admins = BTreeMap::new();
        for user in names {
            // A member without an entry of its own has left; there is nothing to say about them.
            let Some(record) = self.person(&user) else {
                continue;
            };
            if snapshot::is_object_name(&user) {
                let admin = snapshot::admin(&user, record);
                admins.insert(user, admin);
            } else {
                self.skipped_admins.insert(shortened(&user));
            }
        }
        self.snapshot.admins = admins;
    }
}

fn reindex(index: &mut Named, id: &[u8], before: Option<&str>, after: Option<&str>) {
    if before == after {
        return;
    }
    if let Some(name) = before
        && let Some(ids) = index.get_mut(name)
    {
        ids.remove(id);
        if ids.is_empty() {
            index.remove(name);
        }
    }
    if let Some(name) = after {
        index.entry(name.to_owned()).or_default().insert(id.to_vec());
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(80).collect()
}

fn twice(first: &Record, second: &Record) -> Unusable {
    Unusable {
        dn: first.dn.clone(),
        attribute: "cn",
        rule: format!("has to be this account's alone, and {} has the same", second.dn),
        locked: first.locked() || second.locked(),
    }
}
