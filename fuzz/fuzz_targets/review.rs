//! A body as whoever reaches the admission server can send it, through every guard to the answer.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use toolforge_admission::fuzzing::Guards;
use toolforge_policy::PolicySettings;

static GUARDS: LazyLock<Guards> = LazyLock::new(|| {
    let policies = PolicySettings::with("toolforge.org", "registry.example").resolve();
    let known = serde_json::from_value(serde_json::json!({
        "metadata": {"name": "tool-alpha", "annotations": {
            "toolforge.org/uid": "52001", "toolforge.org/home": "/data/project/alpha",
        }},
    }));
    Guards::new(policies.expect("a policy"), known.expect("a namespace")).expect("a runtime")
});

fuzz_target!(|data: &[u8]| {
    GUARDS.ask(data);
});
