//! What would be done, as it is printed: for people and, in JSON, for programs.
//!
//! Pure data; the other files of this folder fill it.

use std::{fmt, path::PathBuf};

use serde::Serialize;

#[cfg(test)]
mod tests;

use super::changes::FieldChange;
use crate::{account::Account, plan::ObjectKey, standing::Standing as Stands};

/// What the service would do now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DryRun {
    /// The accounts about which there is something to do or to say, by name.
    pub accounts: Vec<AccountPlan>,
}

/// How an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It is in the directory, and should have everything.
    Active,
    /// The directory has locked it.
    Locked,
    /// It is gone from the directory, and is removed without asking, or because it was approved.
    Removed,
    /// It is gone from the directory, and nothing is done before an approval.
    Waiting,
    /// No namespace can have its name.
    Skipped,
}

/// What would be done about one account.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountPlan {
    /// `tool NAME` or `admin USER`.
    pub account: String,
    /// How it stands. What there is to do about one that waits is done only when it is approved.
    pub standing: Standing,
    /// In this order.
    pub steps: Vec<Step>,
    /// What is in the way, or cannot be read; nothing is done beyond that.
    pub problem: Option<String>,
}

/// What is done to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// It is made.
    Create,
    /// It is changed.
    Change,
    /// It is deleted and made anew, since what differs cannot be changed.
    Replace,
    /// It is deleted.
    Delete,
    /// It is scaled down or suspended.
    Stop,
    /// It is as it was before it was stopped.
    Start,
    /// The file or folder is written.
    Write,
    /// The file is removed.
    Remove,
    /// Key and certificate are made.
    Issue,
    /// It would be written, and has to be left as it is.
    Leave,
}

/// What something is done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// An object of the cluster.
    Object {
        /// Such as `ResourceQuota`.
        kind: String,
        /// Empty for what is in none.
        namespace: String,
        /// The name.
        name: String,
    },
    /// A file or folder.
    File(PathBuf),
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// What is done.
    pub verb: Verb,
    /// To what.
    pub target: Target,
    /// The fields that change, where there is one before and after.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// Why, or with what, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl DryRun {
    /// Whether nothing would be done to anything.
    pub fn is_settled(&self) -> bool {
        self.accounts.iter().all(AccountPlan::is_settled)
    }
}

impl AccountPlan {
    pub(super) fn new(account: &Account, stands: Stands) -> Self {
        let standing = match stands {
            Stands::Active | Stands::Unknown => Standing::Active,
            Stands::Locked => Standing::Locked,
            Stands::Gone => Standing::Removed,
            Stands::Held => Standing::Waiting,
        };
        Self {
            account: account.to_string(),
            standing,
            steps: Vec::new(),
            problem: None,
        }
    }

    pub(super) fn skipped(name: &str, rule: &str) -> Self {
        Self {
            account: format!("tool {name}"),
            standing: Standing::Skipped,
            steps: Vec::new(),
            problem: Some(rule.to_owned()),
        }
    }

    fn is_settled(&self) -> bool {
        self.steps.iter().all(|step| step.verb == Verb::Leave)
    }

    /// Whether somebody has to look at it: something is in the way, or has to be left as it is.
    fn is_bad(&self) -> bool {
        self.problem.is_some() || self.steps.iter().any(|step| step.verb == Verb::Leave)
    }

    pub(super) fn says_nothing(&self) -> bool {
        self.steps.is_empty() && self.problem.is_none()
    }
}

impl Step {
    pub(super) fn object(verb: Verb, key: &ObjectKey) -> Self {
        let ObjectKey {
            kind,
            namespace,
            name,
        } = key.clone();
        Self::of(
            verb,
            Target::Object {
                kind,
                namespace,
                name,
            },
        )
    }

    pub(super) fn file(verb: Verb, path: PathBuf) -> Self {
        Self::of(verb, Target::File(path))
    }

    fn of(verb: Verb, target: Target) -> Self {
        Self {
            verb,
            target,
            fields: Vec::new(),
            note: None,
        }
    }

    pub(super) fn with_fields(mut self, fields: Vec<FieldChange>) -> Self {
        self.fields = fields;
        self
    }

    pub(super) fn because(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for account in &self.accounts {
            write!(f, "{account}")?;
        }
        write!(f, "{}", self.summary())
    }
}

impl DryRun {
    /// The last line: how many accounts there is something to do about, and how many somebody has to look at.
    fn summary(&self) -> String {
        let count = |is: fn(&AccountPlan) -> bool| self.accounts.iter().filter(|account| is(account)).count();
        let bad = match count(AccountPlan::is_bad) {
            0 => String::new(),
            1 => "1 account has a problem".to_owned(),
            several => format!("{several} accounts have a problem"),
        };
        if self.is_settled() {
            return match bad.as_str() {
                "" => "nothing to do\n".to_owned(),
                bad => format!("nothing would be done; {bad}, as is said above\n"),
            };
        }
        let unsettled = count(|account| !account.is_settled());
        let accounts = if unsettled == 1 {
            "1 account"
        } else {
            &format!("{unsettled} accounts")
        };
        let removed = count(|account| account.standing == Standing::Removed && !account.is_settled());
        let waiting = count(|account| account.standing == Standing::Waiting && !account.is_settled());
        let bad = if bad.is_empty() { bad } else { format!("; {bad}") };
        format!(
            "{accounts}, of which {removed} would be removed and {waiting} would wait for an approval{bad}; \
             nothing has been changed\n"
        )
    }
}

impl fmt::Display for AccountPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stands = match self.standing {
            Standing::Active => "",
            Standing::Locked => " (locked in the directory)",
            Standing::Removed => " (gone from the directory)",
            Standing::Waiting => {
                " (gone from the directory; its removal waits for an approval, and only then would follow)"
            }
            Standing::Skipped => " (left aside)",
        };
        writeln!(f, "{}{stands}", self.account)?;
        for step in &self.steps {
            write!(f, "{step}")?;
        }
        match &self.problem {
            Some(problem) => writeln!(f, "  problem: {problem}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In lower case, as in JSON.
        let verb = format!("{:?}", self.verb).to_lowercase();
        write!(f, "  {verb:8}{}", self.target)?;
        if let Some(note) = &self.note {
            write!(f, " ({note})")?;
        }
        writeln!(f)?;
        self.fields
            .iter()
            .try_for_each(|field| writeln!(f, "            {field}"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object {
                kind,
                namespace,
                name,
            } if namespace.is_empty() => write!(f, "{kind} {name}"),
            Self::Object {
                kind,
                namespace,
                name,
            } => write!(f, "{kind} {namespace}/{name}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}
