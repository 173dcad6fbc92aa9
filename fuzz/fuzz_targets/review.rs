//! A body as whoever reaches the admission server can send it, through every guard to the answer.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use toolforge_admission::fuzzing::Guards;
use toolforge_model::ToolAccount;
use toolforge_policy::PolicySettings;
use toolforge_policy::psp::{GrantIndex, tool_policy};

static GUARDS: LazyLock<Guards> = LazyLock::new(|| {
    let policies = PolicySettings::with("toolforge.org", "registry.example").resolve();
    let policies = policies.expect("a policy");
    let known = serde_json::from_value(json!({
        "metadata": {"name": "tool-alpha", "annotations": {
            "toolforge.org/uid": "52001", "toolforge.org/home": "/data/project/alpha",
        }},
    }));
    let account = ToolAccount {
        uid: 52_001,
        home: "/data/project/alpha".to_owned(),
    };
    let policy = tool_policy(&"alpha".parse().expect("a name"), &account, &policies.pod);
    let grants = granted(&policy.to_object());
    Guards::new(policies, known.expect("a namespace"), grants).expect("a runtime")
});

/// The policy of the tool, and who may use it.
fn granted(policy: &Value) -> GrantIndex {
    let metadata = json!({"name": "alpha-psp", "namespace": "tool-alpha"});
    let rbac = "rbac.authorization.k8s.io";
    let role = json!({
        "apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": metadata,
        "rules": [{
            "apiGroups": ["policy.toolforge.org"], "resources": ["podsecuritypolicies"], "verbs": ["use"],
        }],
    });
    let binding = json!({
        "apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "alpha-psp"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "tool-alpha"}],
    });
    let mut grants = GrantIndex::default();
    for object in [policy, &role, &binding] {
        assert!(grants.put(object).expect("a grant"));
    }
    grants
}

fuzz_target!(|data: &[u8]| {
    GUARDS.ask(data);
});
