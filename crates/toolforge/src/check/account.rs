//! Whose objects these are: the account that the guards need to know, or what stands for it where nobody says.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde_json::Value;
use toolforge_model::{ToolAccount, ToolName};

use super::sources::Source;
use crate::rules::{HOMES, Rules, UNKNOWN_UID};

/// Fields that name a user or a group to run as.
const ID_FIELDS: [&str; 3] = ["runAsUser", "runAsGroup", "fsGroup"];
/// The field that lists further groups, of which the tool's own may be one.
const GROUPS_FIELD: &str = "supplementalGroups";

#[derive(Debug, Args)]
pub(super) struct AccountArgs {
    /// The user id of the tool [default: unknown; an id that an object names is taken for it, with a warning]
    #[arg(long, value_name = "N", requires = "as_tool", value_parser = clap::value_parser!(u32).range(1..i64::from(UNKNOWN_UID)))]
    uid: Option<u32>,
    /// The home of the tool [default: /data/project/NAME]
    #[arg(long, value_name = "DIR", requires = "as_tool", value_parser = absolute)]
    home: Option<String>,
}

fn absolute(text: &str) -> Result<String, String> {
    if text.starts_with('/') && !text.split('/').any(|part| part == "..") {
        Ok(text.to_owned())
    } else {
        Err("not an absolute path; begin it with / and leave .. out".to_owned())
    }
}

impl AccountArgs {
    /// What is known of the accounts: what is said here, over what the platform says when it is asked.
    pub(super) fn find(&self, rules: &Rules, tools: &BTreeSet<ToolName>) -> anyhow::Result<Accounts> {
        let known = match &rules.platform {
            Some(platform) => platform.accounts(tools)?,
            None => BTreeMap::new(),
        };
        Ok(Accounts {
            uid: self.uid,
            home: self.home.clone(),
            known,
        })
    }
}

/// The tools that the objects are of: the one that is named, or those whose namespaces they name.
pub(super) fn tools_of(sources: &[Source], named: Option<&ToolName>) -> BTreeSet<ToolName> {
    if let Some(tool) = named {
        return BTreeSet::from([tool.clone()]);
    }
    sources
        .iter()
        .flat_map(|source| source.content.iter().flatten())
        .filter_map(|manifest| manifest.object.pointer("/metadata/namespace")?.as_str())
        .filter_map(ToolName::of_namespace)
        .collect()
}

/// What is known of the accounts of tools.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    uid: Option<u32>,
    home: Option<String>,
    known: BTreeMap<ToolName, ToolAccount>,
}

/// An account to judge by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Whose {
    pub(super) tool: ToolName,
    pub(super) account: ToolAccount,
    pub(super) uid: Uid,
}

/// How the user id of an account is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uid {
    /// Somebody said it.
    Known,
    /// The object names it, and is right only if it is the tool's own.
    Named,
    /// Nobody knows; nothing depends on it.
    Unknown,
}

impl Accounts {
    /// The account of a tool, as far as it is known, for this object of it.
    ///
    /// An unknown user id is the first that the object names: if the object is right at all, it is right with that one.
    pub(super) fn of(&self, tool: &ToolName, object: &Value) -> Whose {
        let known = self.known.get(tool);
        let said = self.uid.or_else(|| known.map(|account| account.uid));
        let (number, uid) = match said {
            Some(number) => (number, Uid::Known),
            None => match named_id(object).or_else(|| named_group(object)) {
                Some(number) => (number, Uid::Named),
                None => (UNKNOWN_UID, Uid::Unknown),
            },
        };
        let home = self
            .home
            .clone()
            .or_else(|| known.map(|account| account.home.clone()));
        let home = home.unwrap_or_else(|| format!("{HOMES}/{}", tool.as_str()));
        Whose {
            tool: tool.clone(),
            account: ToolAccount { uid: number, home },
            uid,
        }
    }
}

/// The first id that an object names, which is not root's.
fn named_id(value: &Value) -> Option<u32> {
    match value {
        Value::Object(map) => {
            let named = ID_FIELDS.iter().find_map(|field| id(map.get(*field)?));
            named.or_else(|| map.values().find_map(named_id))
        }
        Value::Array(items) => items.iter().find_map(named_id),
        _ => None,
    }
}

/// The first further group that an object names.
fn named_group(value: &Value) -> Option<u32> {
    match value {
        Value::Object(map) => {
            let groups = map.get(GROUPS_FIELD).and_then(Value::as_array);
            let named = groups.and_then(|groups| groups.iter().find_map(id));
            named.or_else(|| map.values().find_map(named_group))
        }
        Value::Array(items) => items.iter().find_map(named_group),
        _ => None,
    }
}

fn id(value: &Value) -> Option<u32> {
    let number = u32::try_from(value.as_u64()?).ok()?;
    (1..UNKNOWN_UID).contains(&number).then_some(number)
}

/// The fields of an object that name this id.
pub(super) fn fields_naming(value: &Value, number: u32) -> Vec<String> {
    let mut fields = Vec::new();
    collect(value, number, "", &mut fields);
    fields
}

fn collect(value: &Value, number: u32, field: &str, fields: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let field = if field.is_empty() {
                    key.clone()
                } else {
                    format!("{field}.{key}")
                };
                if ID_FIELDS.contains(&key.as_str()) && id(value) == Some(number) {
                    fields.push(field);
                } else if let (GROUPS_FIELD, Value::Array(groups)) = (key.as_str(), value) {
                    let own = groups
                        .iter()
                        .enumerate()
                        .filter(|(_, group)| id(group) == Some(number));
                    fields.extend(own.map(|(i, _)| format!("{field}[{i}]")));
                } else {
                    collect(value, number, &field, fields);
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                collect(item, number, &format!("{field}[{i}]"), fields);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool() -> ToolName {
        "alpha".parse().unwrap()
    }

    #[test]
    fn an_id_that_the_object_names_stands_for_one_that_nobody_knows() {
        let accounts = Accounts::default();
        let of = |object: &Value| {
            let found = accounts.of(&tool(), object);
            (found.account.uid, found.uid)
        };
        let named =
            json!({"spec": {"containers": [{"securityContext": {"runAsUser": 0, "runAsGroup": 1000}}]}});
        assert_eq!(of(&named), (1000, Uid::Named));
        assert_eq!(
            of(&json!({"spec": {"runAsUser": "x"}})),
            (UNKNOWN_UID, Uid::Unknown)
        );
        assert_eq!(accounts.of(&tool(), &named).account.home, "/data/project/alpha");
        assert_eq!(
            fields_naming(&named, 1000),
            ["spec.containers[0].securityContext.runAsGroup"]
        );
    }

    #[test]
    fn what_is_said_wins_over_what_the_platform_says_and_that_over_guesses() {
        let account = ToolAccount {
            uid: 52_001,
            home: "/homes/alpha".to_owned(),
        };
        let mut accounts = Accounts {
            known: BTreeMap::from([(tool(), account.clone())]),
            ..Accounts::default()
        };
        let named = json!({"runAsUser": 7});
        let found = accounts.of(&tool(), &named);
        assert_eq!((found.account, found.uid), (account, Uid::Known));
        accounts.uid = Some(9);
        assert_eq!(accounts.of(&tool(), &named).account.uid, 9);
    }
}
