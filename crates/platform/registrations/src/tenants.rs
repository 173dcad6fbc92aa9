//! Which tools there are, and which may do nothing any more: what the cluster says of their accounts. Pure.

use std::collections::BTreeSet;

use toolforge_model::ToolName;

use crate::Fault;

/// The tools of the cluster. Nothing known keeps nobody out: a gateway that never heard the cluster knows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenants {
    /// Those with an account.
    pub active: BTreeSet<ToolName>,
    /// Those whose access has been withdrawn: locked, or about to be removed.
    pub withdrawn: BTreeSet<ToolName>,
}

impl Tenants {
    /// Whether a tool may have registrations.
    pub(crate) fn judge(&self, tool: &ToolName) -> Result<(), Fault> {
        if self.withdrawn.contains(tool) {
            let problem = format!("the account of {tool} is locked or being removed, and has no access");
            let way_out = "ask the platform's operators, or have it unlocked in the directory";
            return Err(Fault::new("tool", "account", problem, way_out));
        }
        // Where there is no tool at all, the cluster has rather lost its memory.
        let is_known = self.active.is_empty() || self.active.contains(tool);
        if is_known {
            return Ok(());
        }
        let problem = format!("there is no tool {tool} on the platform");
        let way_out =
            "register with the certificate of a tool that is there; a new one is there within a minute";
        Err(Fault::new("tool", "account", problem, way_out))
    }
}

#[cfg(test)]
mod tests {
    use super::Tenants;

    #[test]
    fn who_is_locked_or_unknown_is_refused_and_who_knows_nothing_refuses_nobody() {
        let tool = |name: &str| name.parse().unwrap();
        let mut tenants = Tenants::default();
        assert!(tenants.judge(&tool("alpha")).is_ok());
        tenants.withdrawn.insert(tool("beta"));
        assert!(tenants.judge(&tool("alpha")).is_ok());
        assert!(tenants.judge(&tool("beta")).is_err());
        tenants.active.insert(tool("alpha"));
        assert!(tenants.judge(&tool("alpha")).is_ok());
        assert!(tenants.judge(&tool("gone")).is_err());
    }
}
