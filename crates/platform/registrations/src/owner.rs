//! Who asks the API: what the certificate says that the cluster has issued. Pure.

use toolforge_model::ToolName;

/// The group in the certificates of tools.
const TOOLS: &str = "toolforge";

/// Somebody with a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A tool, which sees and changes what is its own.
    Tool(ToolName),
    /// An operator, who sees and removes everything.
    Operator,
    /// Neither.
    Nobody(String),
}

impl Owner {
    /// Reads a certificate that TLS has verified. `None` when it cannot be read.
    pub(crate) fn of(certificate: &[u8], operator_groups: &[String]) -> Option<Self> {
        let certified = toolforge_pki::read_certificate_der(certificate).ok()?;
        let has = |group: &str| certified.organizations.iter().any(|own| own == group);
        Some(if operator_groups.iter().any(|group| has(group)) {
            Self::Operator
        } else if has(TOOLS)
            && let Ok(tool) = certified.common_name.parse()
        {
            Self::Tool(tool)
        } else {
            Self::Nobody(certified.common_name)
        })
    }

    /// Whether this is somebody who may see what is a tool's.
    pub(crate) fn may_see(&self, tool: &ToolName) -> bool {
        match self {
            Self::Tool(own) => own == tool,
            Self::Operator => true,
            Self::Nobody(_) => false,
        }
    }
}
