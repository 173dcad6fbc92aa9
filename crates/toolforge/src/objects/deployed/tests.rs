use clap::Parser as _;

use super::*;
use crate::cli::{Cli, Command};

fn set(signer: Option<&str>, authority: Option<&str>) -> Vec<Value> {
    set_with(signer, authority, "tools: {}\n", "requireUserAgent: true\n")
}

fn set_with(signer: Option<&str>, authority: Option<&str>, overrides: &str, settings: &str) -> Vec<Value> {
    deployed(&Deployed {
        image: "r.example/toolforge:1".to_owned(),
        domain: "tools.example".to_owned(),
        policy: PolicySettings::with("tools.example", "r.example"),
        certificate: Certificate {
            signer: signer.map(str::to_owned),
            authority: authority.map(str::to_owned),
        },
        directory: Some("urls: [ldaps://ldap.example]\n".to_owned()),
        overrides: Some(overrides.to_owned()),
        gateway_settings: Some(settings.to_owned()),
        published: Some("192.0.2.1".to_owned()),
    })
}

fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

fn containers(objects: &[Value]) -> Vec<&Value> {
    of_kind(objects, "Deployment")
        .map(|deployment| &deployment["spec"]["template"]["spec"]["containers"][0])
        .collect()
}

fn words(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
}

#[test]
fn the_command_lines_are_those_of_this_program() {
    let signer = toolforge_admission::DEFAULT_SIGNER;
    let own = "example.org/webhooks";
    for (signer, authority) in [
        (Some(signer), None),
        (Some(own), None),
        (Some(own), Some("PEM")),
        (None, Some("PEM")),
    ] {
        let objects = set(signer, authority);
        let containers = containers(&objects);
        assert_eq!(containers.len(), 5);
        for container in containers {
            let line: Vec<&str> = words(&container["command"])
                .chain(words(&container["args"]))
                .collect();
            let parsed = Cli::try_parse_from(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
            let is_right = match parsed.command {
                Command::Admission(_) => container["name"] == "admission",
                Command::Accounts(accounts) => {
                    let has_overrides = accounts.overrides.is_some();
                    container["name"] == "accounts" && accounts.command.is_none() && has_overrides
                }
                Command::Gateway(gateway) => {
                    let is_told = gateway.settings.is_some() && gateway.publish.is_some();
                    container["name"] == "gateway" && is_told
                }
                Command::Fourohfour(_) => container["name"] == "fourohfour",
                Command::K8sStatus(_) => container["name"] == "k8s-status",
                _ => false,
            };
            assert!(is_right, "{line:?}");
        }
    }
}

#[test]
fn files_on_command_lines_are_mounted() {
    let objects = set(None, Some("PEM"));
    for container in containers(&objects) {
        let mounts = container["volumeMounts"].as_array();
        for file in words(&container["args"]).filter(|word| word.starts_with('/')) {
            let is_mounted = mounts
                .into_iter()
                .flatten()
                .any(|mount| std::path::Path::new(file).starts_with(mount["mountPath"].as_str().unwrap()));
            assert!(is_mounted, "{file} of {}", container["name"]);
        }
    }
}

#[test]
fn probes_and_services_lead_to_ports_of_the_container() {
    let objects = set(Some("example.org/webhooks"), None);
    for container in containers(&objects) {
        let ports: Vec<&Value> = container["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|port| &port["name"])
            .collect();
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            assert!(
                ports.contains(&&container[probe]["httpGet"]["port"]),
                "{probe} of {container}"
            );
        }
        let service =
            of_kind(&objects, "Service").find(|service| service["metadata"]["name"] == container["name"]);
        for port in service
            .into_iter()
            .flat_map(|service| service["spec"]["ports"].as_array().unwrap())
        {
            assert!(ports.contains(&&port["targetPort"]), "{port} of {container}");
        }
    }
    let called: Vec<&Value> = of_kind(&objects, "Service")
        .map(|service| &service["metadata"]["name"])
        .collect();
    assert_eq!(
        called,
        [
            "admission",
            "gateway",
            "gateway-figures",
            "fourohfour",
            "fourohfour-figures",
            "k8s-status",
            "k8s-status-figures",
            "accounts-figures"
        ]
    );
}

#[test]
fn only_the_account_service_is_root_and_nothing_keeps_a_capability_it_does_not_need() {
    for deployment in of_kind(&set(Some("example.org/webhooks"), None), "Deployment") {
        let pod = &deployment["spec"]["template"]["spec"];
        let security = &pod["containers"][0]["securityContext"];
        assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
        assert_eq!(security["allowPrivilegeEscalation"], false);
        assert_eq!(security["readOnlyRootFilesystem"], true);
        let is_accounts = deployment["metadata"]["name"] == "accounts";
        assert_eq!(
            pod["securityContext"]["runAsNonRoot"] == true,
            !is_accounts,
            "{pod}"
        );
        assert_eq!(security["capabilities"].get("add").is_some(), is_accounts);
    }
}

#[test]
fn another_policy_starts_the_components_anew() {
    let annotations = |objects: &[Value]| -> Vec<Value> {
        of_kind(objects, "Deployment")
            .map(|deployment| deployment["spec"]["template"]["metadata"]["annotations"].clone())
            .collect()
    };
    let (one, same) = (set(None, Some("PEM")), set(None, Some("PEM")));
    assert_eq!(annotations(&one), annotations(&same));
    assert_ne!(annotations(&one), annotations(&set(None, Some("OTHER"))));
    // Read again where it is mounted.
    let overrides = "tools: { alpha: { quota: { pods: 20 } } }\n";
    for (overrides, settings) in [(overrides, "requireUserAgent: true\n"), ("tools: {}\n", "{}\n")] {
        let other = set_with(None, Some("PEM"), overrides, settings);
        assert_eq!(annotations(&one), annotations(&other));
        assert_ne!(one, other);
    }
}

#[test]
fn gateway_is_told_only_what_is_said() {
    let objects = deployed(&Deployed {
        image: "r.example/toolforge:1".to_owned(),
        domain: "tools.example".to_owned(),
        policy: PolicySettings::with("tools.example", "r.example"),
        certificate: Certificate {
            signer: None,
            authority: None,
        },
        directory: None,
        overrides: None,
        gateway_settings: None,
        published: None,
    });
    let containers = containers(&objects);
    let gateway = containers.iter().find(|container| container["name"] == "gateway");
    let arguments: Vec<&str> = words(&gateway.unwrap()["args"]).collect();
    assert!(!arguments.contains(&"--settings") && !arguments.contains(&"--publish"));
    assert!(of_kind(&objects, "ConfigMap").all(|map| map["metadata"]["name"] != "gateway-settings"));
}
