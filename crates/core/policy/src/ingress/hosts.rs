//! Which hosts an Ingress may claim: the tool's own whole, the shared ones of the legacy domain in part.

use toolforge_model::{Domain, ToolName};

use super::IngressPolicy;
use crate::verdict::{Law, Offences, quoted};

/// The hosts of one tool under a policy.
pub(super) struct Hosts<'a> {
    policy: &'a IngressPolicy,
    tool: &'a ToolName,
    own: Vec<String>,
}

impl<'a> Hosts<'a> {
    /// A shared host is nobody's own, also not of a tool that has its name: under the domain `wmflabs.org` the tool
    /// `tools` would otherwise have `tools.wmflabs.org` to itself.
    pub(super) fn of(policy: &'a IngressPolicy, tool: &'a ToolName) -> Self {
        let own = policy.domains.iter().map(|domain| domain.host_of(tool));
        let own = own.filter(|host| !is_among(&policy.legacy_hosts, host)).collect();
        Self { policy, tool, own }
    }

    /// Whether all tools share this host, each with a path of its own.
    pub(super) fn is_shared(&self, host: &str) -> bool {
        is_among(&self.policy.legacy_hosts, host)
    }

    /// Exactly the text of an own host name: other spellings of it (upper case, trailing dot) are read differently by
    /// different proxies, so they are not let through.
    pub(super) fn check_own(&self, host: &str, field: String, offences: &mut Offences) {
        if self.own.iter().any(|own| own == host) {
            return;
        }
        let law = self.host_law();
        if host.is_empty() {
            let found = format!("{field} is missing, which claims every host");
            offences.shown_as(&law, field, found);
        } else {
            offences.value(&law, field, &quoted(host));
        }
    }

    /// The rule for paths on shared hosts.
    pub(super) fn legacy_law(&self) -> Law {
        let (tool, hosts) = (self.tool, &self.policy.legacy_hosts);
        let hosts: Vec<&str> = hosts.iter().map(Domain::as_str).collect();
        Law::spoken(
            "ingress/legacy-path",
            format!("Ingress path incorrect: all tools share {}", hosts.join(" and ")),
            format!("use pathType Prefix with the path \"/{tool}\" or one below it"),
        )
    }

    fn host_law(&self) -> Law {
        let own = self
            .policy
            .domains
            .iter()
            .map(|domain| format!("<toolname>.{domain}"));
        let shared = self
            .policy
            .legacy_hosts
            .iter()
            .map(|host| format!("{host}/<toolname>"));
        let allowed: Vec<String> = own.chain(shared).collect();
        let own: Vec<String> = self.own.iter().map(|own| quoted(own)).collect();
        let remedy = if own.is_empty() {
            "choose another name for the tool".to_owned()
        } else {
            format!("use {}", own.join(" or "))
        };
        Law::spoken(
            "ingress/host",
            format!("Ingress host must be {}", allowed.join(" or ")),
            remedy,
        )
    }
}

fn is_among(hosts: &[Domain], host: &str) -> bool {
    hosts.iter().any(|one| one.as_str() == host)
}
