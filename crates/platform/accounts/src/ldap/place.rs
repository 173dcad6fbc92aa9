//! From what the configuration calls things to what `picture.rs` calls them: which search finds the entries of a kind,
//! and which attribute of them is which.
//!
//! Pure.

use super::access::{Attributes, LdapAccess, Place};
use crate::{
    picture::{Id, Kind},
    snapshot::Record,
};

/// The attribute that tells what an entry is whatever its name is (RFC 4530).
const ENTRY_UUID: &str = "entryUUID";
/// When an entry was last changed (RFC 4512, 3.4.2).
const MODIFY_TIMESTAMP: &str = "modifyTimestamp";
/// The two attributes of the password policy, which keep their names.
const POLICY: [&str; 2] = ["pwdaccountlockedtime", "pwdpolicysubentry"];

/// How the entries of a kind are found and read.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    /// What is asked for.
    pub(crate) attributes: Vec<String>,
    names: Attributes,
}

impl Search {
    /// The four searches that make a picture.
    pub(crate) fn all(access: &LdapAccess) -> [Self; 4] {
        Kind::ALL.map(|kind| Self::of(access, kind))
    }

    fn of(access: &LdapAccess, kind: Kind) -> Self {
        let (shape, names) = (&access.shape, &access.shape.attributes);
        let (place, wanted): (&Place, Vec<&String>) = match kind {
            Kind::Tool => (&shape.tools, vec![&names.name, &names.uid_number, &names.home]),
            Kind::Group => (&shape.service_groups, vec![&names.name, &names.member]),
            Kind::Admins => (&shape.admins, vec![&names.name, &names.member]),
            Kind::Person => (
                &shape.people,
                vec![
                    &names.user,
                    &names.name,
                    &names.uid_number,
                    &names.gid_number,
                    &names.home,
                ],
            ),
        };
        let mut attributes: Vec<String> = wanted.into_iter().cloned().collect();
        if matches!(kind, Kind::Tool | Kind::Person) {
            attributes.extend(names.locked.iter().cloned());
        }
        Self {
            kind,
            place: place.clone(),
            attributes,
            names: names.clone(),
        }
    }

    /// What is asked for, with what tells entries apart and when they changed.
    pub(crate) fn with_identity(&self) -> Vec<String> {
        let more = [ENTRY_UUID, MODIFY_TIMESTAMP].map(str::to_owned);
        self.attributes.iter().cloned().chain(more).collect()
    }

    /// An entry under the names that `snapshot.rs` reads.
    pub(crate) fn canonical(&self, found: Record) -> Record {
        let mut record = Record {
            dn: found.dn,
            ..Record::default()
        };
        for (name, values) in found.values {
            if let Some((name, values)) = self.rename(name, values) {
                record.values.entry(name).or_default().extend(values);
            }
        }
        record
    }

    fn rename(&self, name: String, values: Vec<String>) -> Option<(String, Vec<String>)> {
        let is = |configured: &String| configured.eq_ignore_ascii_case(&name);
        let names = &self.names;
        if names.locked.iter().any(is) {
            // Some servers say FALSE instead of nothing.
            let said: Vec<String> = values
                .into_iter()
                .filter(|value| !value.eq_ignore_ascii_case("false"))
                .collect();
            let name = if POLICY.contains(&name.as_str()) {
                name
            } else {
                POLICY[0].to_owned()
            };
            return (!said.is_empty()).then_some((name, said));
        }
        let canonical = [
            (&names.user, "uid"),
            (&names.name, "cn"),
            (&names.uid_number, "uidnumber"),
            (&names.gid_number, "gidnumber"),
            (&names.home, "homedirectory"),
        ];
        if let Some((_, canonical)) = canonical.iter().find(|(configured, _)| is(configured)) {
            return Some(((*canonical).to_owned(), values));
        }
        if is(&names.member) {
            let members = values.into_iter().map(|dn| self.member(dn)).collect();
            return Some(("member".to_owned(), members));
        }
        None
    }

    /// A member's name, with the usual attribute in its first part.
    fn member(&self, dn: String) -> String {
        match dn.split_once('=') {
            Some((attribute, rest)) if attribute.trim().eq_ignore_ascii_case(&self.names.user) => {
                format!("uid={rest}")
            }
            _ => dn,
        }
    }
}

/// The identity of an entry: what the server gave it, else its name.
pub(crate) fn identity(record: &Record) -> Id {
    match record.first("entryuuid") {
        Some(uuid) => uuid.to_ascii_lowercase().into_bytes(),
        None => by_name(&record.dn),
    }
}

/// The identity of an entry on a server that gives none.
pub(crate) fn by_name(dn: &str) -> Id {
    dn.to_lowercase().into_bytes()
}

/// When an entry was last changed, in the server's own words.
pub(crate) fn changed_at(record: &Record) -> Option<&str> {
    record.first("modifytimestamp")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(values: &[(&str, &str)]) -> Record {
        let mut record = Record::default();
        for (name, value) in values {
            record
                .values
                .entry((*name).to_owned())
                .or_default()
                .push((*value).to_owned());
        }
        record
    }

    #[test]
    fn configured_names_are_read_as_the_usual_ones() {
        let mut access = LdapAccess::new(vec![], "dc=org", "tools");
        let names = &mut access.shape.attributes;
        names.user = "sAMAccountName".to_owned();
        names.home = "unixHomeDirectory".to_owned();
        names.locked = vec!["nsAccountLock".to_owned(), "pwdPolicySubentry".to_owned()];
        let [_, group, _, person] = Search::all(&access);
        assert!(person.attributes.contains(&"unixHomeDirectory".to_owned()));
        let read = person.canonical(record(&[
            ("samaccountname", "ada"),
            ("unixhomedirectory", "/home/ada"),
            ("nsaccountlock", "TRUE"),
            ("entryuuid", "x"),
        ]));
        let names: Vec<&str> = read.values.keys().map(String::as_str).collect();
        assert_eq!(names, ["homedirectory", "pwdaccountlockedtime", "uid"]);
        let open = person.canonical(record(&[("nsaccountlock", "FALSE")]));
        assert!(open.values.is_empty(), "{open:?}");
        let group = group.canonical(record(&[("member", "sAMAccountName=ada,ou=people")]));
        assert_eq!(group.first("member"), Some("uid=ada,ou=people"));
    }

    #[test]
    fn the_defaults_are_those_of_the_original() {
        let access = LdapAccess::new(vec![], "dc=wikimedia,dc=org", "tools");
        let [tools, _, admins, people] = Search::all(&access);
        assert_eq!(
            (tools.place.base.as_str(), tools.place.filter.as_str()),
            (
                "ou=people,ou=servicegroups,dc=wikimedia,dc=org",
                "(&(objectClass=posixAccount)(cn=tools.*))"
            )
        );
        assert_eq!(admins.place.filter, "(&(objectClass=posixGroup)(cn=tools.admin))");
        assert_eq!(people.place.base, "ou=people,dc=wikimedia,dc=org");
        assert!(tools.attributes.contains(&"pwdPolicySubentry".to_owned()));
    }
}
