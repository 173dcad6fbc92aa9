use super::*;

fn tool(name: &str) -> ToolName {
    name.parse().unwrap()
}

fn problems(text: &str) -> Vec<(String, String)> {
    let error = Overrides::read(text).unwrap_err();
    error
        .0
        .iter()
        .map(|problem| (problem.field.clone(), problem.problem.clone()))
        .collect()
}

#[test]
fn one_tool_has_more_and_the_others_have_what_they_had() {
    let text = "tools:\n  alpha:\n    reason: T123\n    quota: { pods: 20, count/statefulsets.apps: \"2\", limits.memory: 16384Mi }\n    limits:\n      max: { memory: 8Gi }\n";
    let overrides = Overrides::read(text).unwrap();
    let alpha = overrides.quota(&tool("alpha"));
    assert_eq!(
        (&alpha["pods"], &alpha["count/statefulsets.apps"]),
        (&json!("20"), &json!("2"))
    );
    assert_eq!(alpha["services"], "1");
    assert_eq!(alpha["limits.memory"], "16Gi", "as the API writes it");
    assert_eq!(
        overrides.limits(&tool("alpha"))["max"],
        json!({ "cpu": "1", "memory": "8Gi" })
    );
    assert_eq!(
        overrides.quota(&tool("beta")),
        Overrides::default().quota(&tool("beta"))
    );
    assert_eq!(overrides.quota(&tool("beta"))["pods"], "10");
    assert_eq!(overrides.limits(&tool("beta"))["max"]["memory"], "4Gi");
}

#[test]
fn an_empty_file_overrides_nothing() {
    for text in ["", "# nothing yet\n", "tools: {}\n"] {
        assert_eq!(Overrides::read(text), Ok(Overrides::default()), "{text:?}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_place() {
    let text = "tools:\n  alpha:\n    quota: { pod: 20, pods: many, secrets: \"-1\" }\n    limits:\n      most: { cpu: 1 }\n      max: { disk: 1Gi }\n  A_b: {}\n";
    let found = problems(text);
    let places: Vec<&str> = found.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(
        places,
        [
            "tools.A_b",
            "tools.alpha.quota.pod",
            "tools.alpha.quota.pods",
            "tools.alpha.quota.secrets",
            "tools.alpha.limits.max.disk",
            "tools.alpha.limits.most",
        ]
    );
    assert!(found[1].1.contains("requests.cpu"), "{}", found[1].1);
}

#[test]
fn bounds_that_no_container_could_keep_are_refused() {
    let found = problems("tools:\n  alpha:\n    limits:\n      default: { memory: 6Gi }\n");
    assert_eq!(found.len(), 1);
    assert!(
        found[0].1.contains("default.memory") && found[0].1.contains("max.memory"),
        "{}",
        found[0].1
    );
}

#[test]
fn a_key_that_is_not_known_is_an_error() {
    assert!(problems("tool: {}\n")[0].1.contains("tool"));
    assert!(
        problems("tools:\n  alpha: { qouta: {} }\n")[0]
            .1
            .contains("qouta")
    );
}

#[test]
fn a_network_policy_is_for_all_but_those_that_have_another_or_none() {
    let text = "networkPolicy:\n  podSelector: {}\n  policyTypes: [Ingress]\ntools:\n  open: { networkPolicy: false }\n  own:\n    networkPolicy: { podSelector: { matchLabels: { a: b } } }\n";
    let overrides = Overrides::read(text).unwrap();
    assert_eq!(
        overrides.network_policy(&tool("any")).unwrap()["policyTypes"],
        json!(["Ingress"])
    );
    assert_eq!(overrides.network_policy(&tool("open")), None);
    assert_eq!(
        overrides.network_policy(&tool("own")).unwrap()["podSelector"]["matchLabels"]["a"],
        "b"
    );
    assert_eq!(Overrides::default().network_policy(&tool("any")), None);
    assert!(!problems("networkPolicy: { podSelector: 5 }\n").is_empty());
}
