//! The endpoints guard: a tool cannot say by hand where the traffic of its Service goes.
//!
//! Whoever writes Endpoints or an `EndpointSlice` points the gateway, every proxy of the cluster and the API's own
//! `services/proxy` at an address of their choice: another tool's Pod, a port of the machine, the cloud's metadata. The
//! role `tools-user` has allowed it since the days of the grid. Those whose work it is - the controllers - are let
//! through by who they are; a tool only with addresses of networks that the operator has named.

mod network;

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::is_of_tool;
use k8s_openapi::api::core::v1::Endpoints;
use k8s_openapi::api::discovery::v1::EndpointSlice;

pub use network::{IpNetwork, IpNetworkError};

use crate::Verdict;
use crate::verdict::{Law, Offences, quoted};

/// Users who write endpoints because it is their work.
const CONTROLLERS: [&str; 1] = ["system:kube-controller-manager"];
/// Groups of such users: operators, and the service accounts of Kubernetes itself.
const CONTROLLER_GROUPS: [&str; 2] = ["system:masters", "system:serviceaccounts:kube-system"];

/// What endpoints in the namespaces of tools are held to.
#[derive(Clone, Debug)]
pub struct EndpointsPolicy {
    /// Users whose endpoints are not looked at.
    pub trusted_users: BTreeSet<String>,
    /// Groups whose endpoints are not looked at.
    pub trusted_groups: BTreeSet<String>,
    /// Networks outside the cluster to which tools may lead their Services, such as that of a grid. None by default.
    pub networks: Vec<IpNetwork>,
    /// Namespaces whose endpoints are not looked at.
    pub safe_namespaces: BTreeSet<String>,
}

impl Default for EndpointsPolicy {
    fn default() -> Self {
        Self {
            trusted_users: CONTROLLERS.map(str::to_owned).into(),
            trusted_groups: CONTROLLER_GROUPS.map(str::to_owned).into(),
            networks: Vec::new(),
            safe_namespaces: BTreeSet::new(),
        }
    }
}

/// Who writes an object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Writer<'a> {
    /// The name of the user.
    pub user: &'a str,
    /// The groups of the user.
    pub groups: &'a [String],
}

impl EndpointsPolicy {
    /// Whether endpoints in this namespace are a matter of this guard at all.
    fn looks_at(&self, namespace: &str, writer: Writer<'_>) -> bool {
        let of_a_tool = is_of_tool(namespace);
        let trusted = self.trusted_users.contains(writer.user)
            || writer
                .groups
                .iter()
                .any(|group| self.trusted_groups.contains(group));
        of_a_tool && !trusted && !self.safe_namespaces.contains(namespace)
    }

    fn allows(&self, address: &str) -> bool {
        address
            .parse::<IpAddr>()
            .is_ok_and(|address| self.networks.iter().any(|network| network.holds(address)))
    }

    fn law(&self) -> Law {
        let sentence = "Services of tools must lead to the tool's own Pods";
        let remedy = "use spec.selector of the Service, and let the cluster write its endpoints";
        let networks: Vec<String> = self.networks.iter().map(ToString::to_string).collect();
        if networks.is_empty() {
            return Law::fixed("endpoints/address", sentence, remedy);
        }
        Law::spoken(
            "endpoints/address",
            format!("{sentence} or into {}", networks.join(", ")),
            remedy.to_owned(),
        )
    }
}

/// Whether this writer may give a Service of this namespace these endpoints.
pub fn admit_endpoints(
    policy: &EndpointsPolicy,
    namespace: &str,
    writer: Writer<'_>,
    endpoints: &Endpoints,
) -> Verdict {
    let mut offences = Offences::default();
    if !policy.looks_at(namespace, writer) {
        return Verdict::default();
    }
    for (i, subset) in endpoints.subsets.iter().flatten().enumerate() {
        for (list, addresses) in [
            ("addresses", &subset.addresses),
            ("notReadyAddresses", &subset.not_ready_addresses),
        ] {
            for (j, address) in addresses.iter().flatten().enumerate() {
                if !policy.allows(&address.ip) {
                    let field = format!("subsets[{i}].{list}[{j}].ip");
                    offences.value(&policy.law(), field, &quoted(&address.ip));
                }
            }
        }
    }
    offences.into_verdict()
}

/// The same for the slices that replace Endpoints.
pub fn admit_endpoint_slice(
    policy: &EndpointsPolicy,
    namespace: &str,
    writer: Writer<'_>,
    slice: &EndpointSlice,
) -> Verdict {
    let mut offences = Offences::default();
    if !policy.looks_at(namespace, writer) {
        return Verdict::default();
    }
    for (i, endpoint) in slice.endpoints.iter().flatten().enumerate() {
        for (j, address) in endpoint.addresses.iter().enumerate() {
            if !policy.allows(address) {
                let field = format!("endpoints[{i}].addresses[{j}]");
                offences.value(&policy.law(), field, &quoted(address));
            }
        }
    }
    offences.into_verdict()
}

#[cfg(test)]
mod tests;
