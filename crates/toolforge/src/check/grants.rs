//! Which Pod security policies count for an object: those that the platform grants, as it says itself or as files say, and
//! each tool's own. What roles and bindings mean is known in `toolforge-policy`, as the webhook asks it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::Value;
use toolforge_accounts::{Overrides, Tool};
use toolforge_model::ToolName;
use toolforge_policy::psp::{GrantIndex, Holder, KIND, PodSecurityPolicy, ServiceAccount, ToolClass};

use super::{account::Whose, sources};
use crate::rules::{Rules, Seen};

#[derive(Debug, Args)]
pub(super) struct GrantArgs {
    /// What the platform grants beside each tool's own: a file of Pod security policies, roles and their bindings, or a folder;
    /// can be given more than once
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "from_platform")]
    grants: Vec<PathBuf>,
}

/// What is known of the grants.
#[derive(Debug, Default)]
pub(super) struct Grants {
    index: GrantIndex,
    /// Whether that is all; else each tool has what the account service gives it besides.
    complete: bool,
    /// What is not known and could change a verdict, in words.
    unknown: Option<String>,
}

/// Who makes a Pod.
#[derive(Clone, Copy, Debug)]
pub(super) enum Maker {
    /// The tool, with what it may use itself.
    Tool,
    /// A controller, which may use nothing.
    Controller,
}

impl GrantArgs {
    /// Reads the files, or asks the platform.
    pub(super) fn find(&self, rules: &Rules, tools: &BTreeSet<ToolName>) -> anyhow::Result<Grants> {
        if let Some(platform) = &rules.platform {
            let found = platform.grants(tools)?;
            return Ok(Grants {
                index: found.index,
                complete: found.seen == Seen::Everything,
                unknown: in_words(&found.seen),
            });
        }
        let mut grants = Grants::default();
        for source in sources::read(&self.grants)? {
            let what = || format!("--grants: {}", source.name);
            let manifests = match &source.content {
                Ok(manifests) => manifests,
                Err(error) => bail!("{}: {}", what(), error.problem),
            };
            for manifest in manifests {
                grants.take_in(&manifest.object).with_context(what)?;
            }
        }
        Ok(grants)
    }

    /// What was named.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.grants.iter().map(PathBuf::as_path)
    }
}

impl Grants {
    fn take_in(&mut self, object: &Value) -> anyhow::Result<()> {
        let named = || {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
            let (version, kind) = (text("/apiVersion"), text("/kind"));
            format!("{kind} {} of {version}", text("/metadata/name"))
        };
        if !self.index.put(object).with_context(named)? {
            bail!(
                "{} grants nothing: it is no PodSecurityPolicy of policy.toolforge.org, no role and no binding",
                named()
            );
        }
        Ok(())
    }

    /// The policies that may be used for a Pod of this tool with this service account.
    pub(super) fn usable(
        &self,
        whose: &Whose,
        class: &ToolClass,
        service_account: &str,
        maker: Maker,
    ) -> Vec<Arc<PodSecurityPolicy>> {
        let namespace = whose.tool.namespace().to_string();
        let account = ServiceAccount::new(&namespace, service_account);
        let groups = ["toolforge", "system:authenticated"].map(str::to_owned);
        let tool = Holder {
            user: whose.tool.as_str(),
            groups: &groups,
        };
        let holders = match maker {
            Maker::Tool => vec![tool, account.holder()],
            Maker::Controller => vec![account.holder()],
        };
        if self.complete {
            return self.index.usable(&namespace, &holders);
        }
        let mut index = self.index.clone();
        put_own(&mut index, whose, class);
        index.usable(&namespace, &holders)
    }

    /// What is not known and could change a verdict, in words.
    pub(super) fn unknown(&self) -> Option<&str> {
        self.unknown.as_deref()
    }
}

fn in_words(seen: &Seen) -> Option<String> {
    let accounts = "which other Pod security policies its service accounts may use, only operators can read";
    match seen {
        Seen::Everything => None,
        Seen::OwnRights { hidden } if hidden.is_empty() => Some(accounts.to_owned()),
        Seen::OwnRights { hidden } => {
            let hidden = hidden.join(", ");
            Some(format!("the tool may use and cannot read {hidden}; {accounts}"))
        }
        Seen::Nothing => Some(
            "which Pod security policies were granted beside the tool's own, only the tool itself and operators can read"
                .to_owned(),
        ),
    }
}

/// What the account service gives each tool; a policy of the tool's name that is known already stays.
fn put_own(index: &mut GrantIndex, whose: &Whose, class: &ToolClass) {
    let tool = Tool {
        name: whose.tool.clone(),
        uid: whose.account.uid,
        home: PathBuf::from(&whose.account.home),
        maintainers: vec![],
        locked: false,
    };
    for object in toolforge_accounts::desired_tool_objects(&tool, class, &Overrides::default(), None) {
        let name = object.pointer("/metadata/name").and_then(Value::as_str);
        let known = object["kind"] == KIND && name.is_some_and(|name| index.has_policy(name));
        if !known {
            index
                .put(&object)
                .expect("the account service makes objects of their shape");
        }
    }
}
