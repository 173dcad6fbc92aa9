//! From `--mem` and `--cpu` to limits and requests (facts section 8, "Resources").

use serde_json::{Value, json};
use toolforge_model::Quantity;

/// The limits of a webservice that says nothing, and whose type says nothing.
pub(crate) const DEFAULT_MEMORY: &str = "512Mi";
pub(crate) const DEFAULT_CPU: &str = "0.5";
/// What is requested under a default limit.
const DEFAULT_MEMORY_REQUEST: &str = "256Mi";
const DEFAULT_CPU_REQUEST: &str = "0.125";
/// A request is half of its limit, unless the limit is below these.
const SMALL_MEMORY: &str = "256Mi";
const SMALL_CPU: &str = "250m";

/// Limits: those that were asked for, or those that a type has by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limits<'a> {
    pub(crate) mem: Option<&'a str>,
    pub(crate) cpu: Option<&'a str>,
}

/// The resources of a webservice: what was asked for, over the defaults of its type, over those of all. What
/// is no quantity is passed over; `settings` has refused it before.
pub(crate) fn resources(asked: Limits<'_>, of_type: Limits<'_>) -> Value {
    let memory = amount(
        asked.mem,
        of_type.mem,
        [DEFAULT_MEMORY, DEFAULT_MEMORY_REQUEST, SMALL_MEMORY],
    );
    let cpu = amount(
        asked.cpu,
        of_type.cpu,
        [DEFAULT_CPU, DEFAULT_CPU_REQUEST, SMALL_CPU],
    );
    json!({
        "limits": { "memory": memory.0.to_string(), "cpu": cpu.0.to_string() },
        "requests": { "memory": memory.1.to_string(), "cpu": cpu.1.to_string() },
    })
}

/// Limit and request.
fn amount(
    asked: Option<&str>,
    of_type: Option<&str>,
    [limit, request, small]: [&str; 3],
) -> (Quantity, Quantity) {
    let read = |text: &str| text.parse::<Quantity>().ok();
    let known = |text: &str| read(text).unwrap_or_default();
    if let Some(limit) = asked.and_then(read) {
        return (limit, half(limit, known(small)));
    }
    let limit = of_type.and_then(read).unwrap_or_else(|| known(limit));
    (limit, known(request).min(limit))
}

fn half(limit: Quantity, small: Quantity) -> Quantity {
    if limit < small {
        return limit;
    }
    // In bytes or thousandths of a CPU; a halved odd number loses one of them, as in the original.
    let unit = if limit.nanos() % 1_000_000_000 == 0 && limit.units() > 1 << 20 {
        return Quantity::from_bytes(i64::try_from(limit.units() / 2).unwrap_or(i64::MAX));
    } else {
        limit.millis() / 2
    };
    Quantity::from_millis(i64::try_from(unit).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(made: &Value, key: &str) -> (String, String) {
        let text = |name: &str| made[key][name].as_str().unwrap().to_owned();
        (text("memory"), text("cpu"))
    }

    fn owned(pair: (&str, &str)) -> (String, String) {
        (pair.0.to_owned(), pair.1.to_owned())
    }

    #[test]
    fn limits_and_requests_are_those_of_the_original() {
        for (mem, cpu, limits, requests) in [
            (None, None, ("512Mi", "500m"), ("256Mi", "125m")),
            (None, Some("1"), ("512Mi", "1"), ("256Mi", "500m")),
            (Some("1Gi"), Some("1"), ("1Gi", "1"), ("512Mi", "500m")),
            (Some("100Mi"), Some("200m"), ("100Mi", "200m"), ("100Mi", "200m")),
            (Some("256Mi"), Some("250m"), ("256Mi", "250m"), ("128Mi", "125m")),
        ] {
            let made = resources(Limits { mem, cpu }, Limits::default());
            assert_eq!(pair(&made, "limits"), owned(limits), "{mem:?} {cpu:?}");
            assert_eq!(pair(&made, "requests"), owned(requests), "{mem:?} {cpu:?}");
        }
    }

    #[test]
    fn a_type_may_have_limits_of_its_own() {
        let jdk = Limits {
            mem: Some("1Gi"),
            cpu: None,
        };
        let made = resources(Limits::default(), jdk);
        assert_eq!(pair(&made, "limits"), owned(("1Gi", "500m")));
        assert_eq!(pair(&made, "requests"), owned(("256Mi", "125m")));
        let asked = Limits {
            mem: Some("600Mi"),
            cpu: None,
        };
        assert_eq!(pair(&resources(asked, jdk), "limits"), owned(("600Mi", "500m")));
        let tiny = Limits {
            mem: Some("64Mi"),
            cpu: Some("50m"),
        };
        let made = resources(Limits::default(), tiny);
        assert_eq!(pair(&made, "requests"), owned(("64Mi", "50m")));
    }
}
