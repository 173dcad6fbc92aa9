//! What a tool's namespace says about its account: written by the account service, read by admission, pages and shells.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::labels;

/// The unix side of a tool: whose id its processes have, and where its files are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ToolAccount {
    /// User id, equal to the group id; never 0.
    pub uid: u32,
    /// Home directory, an absolute path.
    pub home: String,
}

/// Somebody who looks after a tool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Maintainer {
    /// Login name.
    pub uid: String,
    /// Name as the directory has it, to be shown to people.
    pub name: String,
}

/// Why a namespace does not describe a tool's account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// An annotation is not there (yet).
    #[error("annotation {0} is missing")]
    Missing(&'static str),
    /// The user id is no number above 0.
    #[error("annotation toolforge.org/uid is {0:?}, not a user id above 0")]
    Uid(String),
    /// The home is no absolute path without `..`.
    #[error("annotation toolforge.org/home is {0:?}, not an absolute path")]
    Home(String),
}

impl ToolAccount {
    /// Reads the account out of a namespace's annotations.
    pub fn from_annotations(annotations: &BTreeMap<String, String>) -> Result<Self, AccountError> {
        let annotation = |key| annotations.get(key).ok_or(AccountError::Missing(key));
        let uid = annotation(labels::UID)?;
        let home = annotation(labels::HOME)?;
        let number = uid
            .parse::<u32>()
            .ok()
            .filter(|uid| *uid != 0 && *uid != u32::MAX);
        let absolute =
            home.starts_with('/') && !home.split('/').any(|part| part == "..") && !home.contains('\0');
        Ok(Self {
            uid: number.ok_or_else(|| AccountError::Uid(uid.clone()))?,
            home: absolute
                .then(|| home.clone())
                .ok_or_else(|| AccountError::Home(home.clone()))?,
        })
    }

    /// The annotations that say it, as [`ToolAccount::from_annotations`] reads them.
    pub fn to_annotations(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (labels::UID.to_owned(), self.uid.to_string()),
            (labels::HOME.to_owned(), self.home.clone()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{AccountError, ToolAccount};
    use crate::labels;

    fn read(uid: &str, home: &str) -> Result<ToolAccount, AccountError> {
        ToolAccount::from_annotations(&BTreeMap::from([
            (labels::UID.to_owned(), uid.to_owned()),
            (labels::HOME.to_owned(), home.to_owned()),
        ]))
    }

    #[test]
    fn is_read_from_what_it_writes() {
        let account = ToolAccount {
            uid: 52001,
            home: "/data/project/alpha".to_owned(),
        };
        assert_eq!(
            ToolAccount::from_annotations(&account.to_annotations()),
            Ok(account)
        );
    }

    #[test]
    fn is_never_root_and_never_relative() {
        for uid in ["0", "-1", "", "root", "4294967295", "4294967296"] {
            assert!(matches!(read(uid, "/home"), Err(AccountError::Uid(_))), "{uid}");
        }
        for home in ["", "home", "/data/../etc"] {
            assert!(matches!(read("1", home), Err(AccountError::Home(_))), "{home}");
        }
        assert_eq!(
            ToolAccount::from_annotations(&BTreeMap::new()),
            Err(AccountError::Missing("toolforge.org/uid"))
        );
    }
}
