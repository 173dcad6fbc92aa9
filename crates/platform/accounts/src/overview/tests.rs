use serde_json::json;

use super::*;

fn namespace(tool: &str, annotations: &Value) -> Value {
    json!({ "metadata": { "name": format!("tool-{tool}"), "annotations": annotations } })
}

fn map(namespace: &str, name: &str, data: &Value) -> Value {
    json!({ "metadata": { "namespace": namespace, "name": name }, "data": data })
}

fn states(found: &Found) -> Vec<(String, State)> {
    overview(found)
        .into_iter()
        .map(|line| (line.account, line.state))
        .collect()
}

#[test]
fn each_account_has_a_line_that_says_how_it_is() {
    let locked = json!({ "toolforge.org/withdrawn": "locked", "toolforge.org/withdrawn-since": "2026-11-26T03:00:00Z" });
    let waiting = json!({ "waiting": { "since": "2026-11-26T03:00:00Z", "accounts": ["tool gone"] }, "going": [], "recent": {} });
    let troubles = json!({
        "tool a_b": { "severity": "skipped", "reason": "its name", "since": "2026-11-26T03:00:00Z" },
        "tool bad": { "severity": "failing", "reason": "its home", "since": "2026-11-26T03:00:00Z" },
    });
    let found = Found {
        namespaces: vec![
            namespace("good", &json!({})),
            namespace("new", &json!({})),
            namespace("locked", &locked),
            namespace("gone", &json!({})),
            namespace("bad", &json!({})),
        ],
        maps: vec![
            map("tool-good", MARKER, &json!({ "expires": "2027-01-01T00:00:00" })),
            map(ADMIN_NAMESPACE, MARKER, &json!({ "ada": "2027-01-01T00:00:00" })),
            map(
                ADMIN_NAMESPACE,
                removals::REMOVALS,
                &json!({ "ledger": waiting.to_string() }),
            ),
            map(
                ADMIN_NAMESPACE,
                status::STATUS,
                &json!({ "troubles": troubles.to_string() }),
            ),
        ],
        bindings: vec![json!({
            "metadata": { "name": "ada-binding" },
            "roleRef": { "name": "k8s-admin" },
            "subjects": [{ "name": "ada" }],
        })],
    };
    let expected = [
        ("admin ada", State::Active),
        ("tool a_b", State::Skipped),
        ("tool bad", State::Failing),
        ("tool gone", State::Waiting),
        ("tool good", State::Active),
        ("tool locked", State::Locked),
        ("tool new", State::Pending),
    ];
    assert_eq!(
        states(&found),
        expected.map(|(account, state)| (account.to_owned(), state))
    );
    assert_eq!(overview(&found)[2].reason.as_deref(), Some("its home"));
}

#[test]
fn an_empty_cluster_has_no_accounts() {
    assert_eq!(overview(&Found::default()), []);
}
