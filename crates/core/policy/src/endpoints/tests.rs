use serde_json::{Value, json};

use super::{EndpointsPolicy, Writer, admit_endpoint_slice, admit_endpoints};
use crate::Verdict;

const TOOL: Writer<'_> = Writer {
    user: "alpha",
    groups: &[],
};

fn policy(networks: &[&str]) -> EndpointsPolicy {
    EndpointsPolicy {
        networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
        ..EndpointsPolicy::default()
    }
}

fn verdict(policy: &EndpointsPolicy, writer: Writer<'_>, subsets: &Value) -> Verdict {
    let endpoints = serde_json::from_value(json!({ "subsets": subsets })).unwrap();
    admit_endpoints(policy, "tool-alpha", writer, &endpoints)
}

#[test]
fn a_tool_leads_its_service_nowhere_by_hand() {
    let subsets =
        json!([{"addresses": [{"ip": "127.64.0.9"}], "notReadyAddresses": [{"ip": "169.254.169.254"}]}]);
    let verdict = verdict(&policy(&[]), TOOL, &subsets);
    assert_eq!(
        verdict.message(),
        "Services of tools must lead to the tool's own Pods: subsets[0].addresses[0].ip is \"127.64.0.9\", \
         subsets[0].notReadyAddresses[0].ip is \"169.254.169.254\"; use spec.selector of the Service, and let the \
         cluster write its endpoints"
    );
}

#[test]
fn the_controllers_and_operators_do() {
    let subsets = json!([{"addresses": [{"ip": "127.64.0.9"}]}]);
    let masters = ["system:masters".to_owned()];
    for writer in [
        Writer {
            user: "system:kube-controller-manager",
            groups: &[],
        },
        Writer {
            user: "admin",
            groups: &masters,
        },
    ] {
        assert!(verdict(&policy(&[]), writer, &subsets).is_allowed());
    }
    let own = [
        "system:serviceaccounts".to_owned(),
        "system:serviceaccounts:tool-alpha".to_owned(),
    ];
    let account = Writer {
        user: "system:serviceaccount:tool-alpha:default",
        groups: &own,
    };
    assert!(!verdict(&policy(&[]), account, &subsets).is_allowed());
}

#[test]
fn a_network_that_is_configured_may_be_led_to() {
    let policy = policy(&["172.16.0.0/21"]);
    let to = |address: &str| verdict(&policy, TOOL, &json!([{"addresses": [{"ip": address}]}]));
    assert!(to("172.16.1.2").is_allowed());
    for address in ["172.16.8.1", "172.16.1.2.", "", "0xac100102", "grid.example.org"] {
        assert!(
            to(address).message().contains("or into 172.16.0.0/21"),
            "{address}"
        );
    }
}

#[test]
fn slices_are_held_to_the_same() {
    let slice = json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]});
    let slice = serde_json::from_value(slice).unwrap();
    let verdict = admit_endpoint_slice(&policy(&[]), "tool-alpha", TOOL, &slice);
    assert_eq!(verdict.offences()[0].field, "endpoints[0].addresses[0]");
    assert!(admit_endpoint_slice(&policy(&[]), "default", TOOL, &slice).is_allowed());
}

#[test]
fn endpoints_without_addresses_are_harmless() {
    assert!(verdict(&policy(&[]), TOOL, &json!([])).is_allowed());
}
