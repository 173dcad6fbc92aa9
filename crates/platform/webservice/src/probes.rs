//! How the cluster tells whether a webservice is well: by its port, or by a path that it names itself.

use serde_json::{Value, json};

/// How often a webservice that serves is asked, in seconds: often enough to take one out soon, seldom enough to
/// cost nothing.
const PERIOD_SECONDS: u32 = 5;
/// How long an answer may take, in seconds; a busy tool is not an ill one.
const TIMEOUT_SECONDS: u32 = 5;
/// Failures in a row after which visitors are sent elsewhere.
const UNREADY_AFTER: u32 = 3;
/// The same for starting it anew, which helps a hung program and costs a slow one its visitors: half a minute.
const DEAD_AFTER: u32 = 6;
/// How long a program may take to start, in seconds: interpreters with large programs need a minute or two.
const STARTUP_SECONDS: u32 = 180;

/// The probes of the container by the names of their fields.
pub(crate) fn probes(health_check_path: Option<&str>) -> Vec<(&'static str, Value)> {
    let Some(path) = health_check_path else {
        // A program that does not listen any more has ended, or is for its maintainer to look at.
        let listens = json!({
            "tcpSocket": { "port": "http" },
            "periodSeconds": PERIOD_SECONDS,
            "failureThreshold": UNREADY_AFTER,
        });
        return vec![("readinessProbe", listens)];
    };
    let asked = |period: u32, failures: u32| {
        json!({
            "httpGet": { "path": path, "port": "http", "scheme": "HTTP" },
            "periodSeconds": period,
            "timeoutSeconds": TIMEOUT_SECONDS,
            "failureThreshold": failures,
        })
    };
    vec![
        // While it starts nobody else asks, so a slow start is no failure.
        ("startupProbe", asked(1, STARTUP_SECONDS)),
        ("readinessProbe", asked(PERIOD_SECONDS, UNREADY_AFTER)),
        ("livenessProbe", asked(PERIOD_SECONDS, DEAD_AFTER)),
    ]
}
