//! One connection that may write, with the searches and names that all edits need.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ldap3::{Ldap, LdapError, LdapResult, Mod, Scope, ldap_escape};
use toolforge_model::ToolName;

use super::error::EditError;
use crate::{
    ldap::{self, Attributes, LdapAccess, LdapFailure, Query},
    near::near,
    snapshot::Record,
};

/// LDAP's answers that mean that whoever is bound may not do this.
const NOT_ALLOWED: [u32; 2] = [8, 50];
/// LDAP's answer when an entry exists already.
pub(super) const ENTRY_ALREADY_EXISTS: u32 = 68;
/// LDAP's answer when there is no such entry.
pub(super) const NO_SUCH_OBJECT: u32 = 32;
/// LDAP's answer when a value that is to go is not there.
pub(super) const NO_SUCH_ATTRIBUTE: u32 = 16;
/// LDAP's answer when a value that is to come is there.
pub(super) const VALUE_EXISTS: u32 = 20;

/// A connection that may write.
pub(super) struct Session<'a> {
    pub(super) access: &'a LdapAccess,
    ldap: Ldap,
}

impl<'a> Session<'a> {
    pub(super) async fn open(access: &'a LdapAccess) -> Result<Self, EditError> {
        let ldap = ldap::connect(access).await.map_err(EditError::Directory)?;
        Ok(Self { access, ldap })
    }

    pub(super) async fn close(mut self) {
        // The server may have gone first; all that was asked is done.
        let _ = self.ldap.unbind().await;
    }

    pub(super) fn names(&self) -> &'a Attributes {
        &self.access.shape.attributes
    }

    /// What an account and a group of a tool are called.
    pub(super) fn full_name(&self, name: &ToolName) -> String {
        format!("{}.{name}", self.access.project)
    }

    /// The login name in an entry of a person.
    pub(super) fn user_of<'r>(&self, record: &'r Record) -> Option<&'r str> {
        record.first(&self.names().user.to_ascii_lowercase())
    }

    pub(super) async fn search(
        &mut self,
        base: &str,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Vec<Record>, EditError> {
        let attributes: Vec<String> = attributes.iter().map(|name| (*name).to_owned()).collect();
        let query = Query {
            base,
            scope: Scope::Subtree,
            filter,
            attributes: &attributes,
        };
        ldap::all(&mut self.ldap, &self.access.pace, query)
            .await
            .map_err(|failure| self.explained(failure))
    }

    fn explained(&self, failure: LdapFailure) -> EditError {
        if failure.code().is_some_and(|code| NOT_ALLOWED.contains(&code)) {
            return EditError::NotAllowed {
                bind_dn: self.access.bind_dn.clone(),
                source: failure,
            };
        }
        EditError::Directory(failure)
    }

    fn settled(
        &self,
        answer: Result<LdapResult, LdapError>,
        (step, dn): (&'static str, &str),
        tolerated: u32,
    ) -> Result<bool, EditError> {
        match answer {
            Ok(result) if result.rc == tolerated => Ok(false),
            answer => answer
                .and_then(LdapResult::success)
                .map(|_| true)
                .map_err(|error| self.explained(ldap::operation(step, dn)(error))),
        }
    }

    /// Adds an entry; false when it exists already.
    pub(super) async fn add(
        &mut self,
        dn: &str,
        attributes: Vec<(&str, HashSet<&str>)>,
    ) -> Result<bool, EditError> {
        let answer = self
            .ldap
            .with_timeout(self.access.pace.receive)
            .add(dn, attributes)
            .await;
        self.settled(answer, ("add", dn), ENTRY_ALREADY_EXISTS)
    }

    /// Changes an entry; false when the server answers with `tolerated`.
    pub(super) async fn modify(
        &mut self,
        dn: &str,
        changes: Vec<Mod<&str>>,
        tolerated: u32,
    ) -> Result<bool, EditError> {
        let answer = self
            .ldap
            .with_timeout(self.access.pace.receive)
            .modify(dn, changes)
            .await;
        self.settled(answer, ("change", dn), tolerated)
    }

    /// Deletes an entry; false when there is none.
    pub(super) async fn delete(&mut self, dn: &str) -> Result<bool, EditError> {
        let answer = self.ldap.with_timeout(self.access.pace.receive).delete(dn).await;
        self.settled(answer, ("delete", dn), NO_SUCH_OBJECT)
    }

    /// The account of a tool.
    pub(super) async fn account(&mut self, name: &ToolName) -> Result<Option<Record>, EditError> {
        let place = &self.access.shape.tools;
        self.called(&place.base, &place.filter, &self.full_name(name))
            .await
    }

    /// The account of a tool that has to be there.
    pub(super) async fn known_account(&mut self, name: &ToolName) -> Result<Record, EditError> {
        if let Some(found) = self.account(name).await? {
            return Ok(found);
        }
        let place = &self.access.shape.tools;
        let attribute = self.names().name.to_ascii_lowercase();
        let all = self.search(&place.base, &place.filter, &[&attribute]).await?;
        let prefix = format!("{}.", self.access.project);
        let names = all
            .iter()
            .flat_map(|record| record.all(&attribute))
            .filter_map(|name| name.strip_prefix(&prefix));
        Err(EditError::UnknownTool {
            name: name.clone(),
            near: near(name.as_str(), names),
        })
    }

    /// The group of a tool's maintainers.
    pub(super) async fn group(&mut self, name: &ToolName) -> Result<Option<Record>, EditError> {
        let place = &self.access.shape.service_groups;
        self.called(&place.base, &place.filter, &self.full_name(name))
            .await
    }

    async fn called(&mut self, base: &str, filter: &str, name: &str) -> Result<Option<Record>, EditError> {
        let names = self.names();
        let filter = format!("(&{filter}({}={}))", names.name, ldap_escape(name));
        let mut asked = vec![names.name.as_str(), names.member.as_str()];
        asked.extend(names.locked.iter().map(String::as_str));
        Ok(self.search(base, &filter, &asked).await?.into_iter().next())
    }

    /// Everybody, by login name.
    pub(super) async fn people(&mut self) -> Result<BTreeMap<String, Record>, EditError> {
        let names = self.names();
        let place = &self.access.shape.people;
        let mut asked = vec![
            names.user.as_str(),
            names.name.as_str(),
            names.uid_number.as_str(),
            names.home.as_str(),
        ];
        asked.extend(names.locked.iter().map(String::as_str));
        let found = self.search(&place.base, &place.filter, &asked).await?;
        let people = found
            .into_iter()
            .filter_map(|record| Some((self.user_of(&record)?.to_owned(), record)));
        Ok(people.collect())
    }

    /// The entries of users that have to be there.
    pub(super) async fn known_people(&mut self, users: &[String]) -> Result<Vec<Record>, EditError> {
        let people = self.people().await?;
        let users: BTreeSet<&String> = users.iter().collect();
        users
            .into_iter()
            .map(|user| {
                people.get(user).cloned().ok_or_else(|| EditError::UnknownUser {
                    user: user.clone(),
                    near: near(user, people.keys().map(String::as_str)),
                })
            })
            .collect()
    }

    /// The first id that neither a user nor a group has.
    pub(super) async fn free_uid(&mut self, (first, last): (u32, u32)) -> Result<u32, EditError> {
        let names = self.names();
        let filter = format!("(|({}=*)({}=*))", names.uid_number, names.gid_number);
        let base = self.access.base.clone();
        let taken: HashSet<u32> = self
            .search(&base, &filter, &[&names.uid_number, &names.gid_number])
            .await?
            .iter()
            .flat_map(|record| record.values.values().flatten())
            .filter_map(|value| value.parse().ok())
            .collect();
        (first..=last)
            .find(|uid| !taken.contains(uid))
            .ok_or(EditError::NoFreeUid { first, last })
    }
}
