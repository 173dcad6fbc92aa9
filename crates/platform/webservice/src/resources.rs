//! From `--mem` and `--cpu` to limits and requests (facts section 8, "Resources").

use serde_json::{Value, json};
use toolforge_model::Quantity;

use crate::error::WebserviceError;

/// A request is half of its limit, unless the limit is below these: 256Mi and 250m (facts section 8).
const SMALL_MEMORY_BYTES: i64 = 256 << 20;
const SMALL_CPU_MILLIS: i64 = 250;

/// The resources of a webservice: what was asked for, over these defaults.
pub(crate) fn resources(mem: Option<&str>, cpu: Option<&str>) -> Result<Value, WebserviceError> {
    let (memory, memory_request) = match mem {
        None => (
            Quantity::from_bytes(512 << 20),
            Quantity::from_bytes(SMALL_MEMORY_BYTES),
        ),
        Some(text) => {
            let limit = quantity(text, "--mem")?;
            (limit, half(limit, Quantity::from_bytes(SMALL_MEMORY_BYTES)))
        }
    };
    let (cpu, cpu_request) = match cpu {
        None => (Quantity::from_millis(500), Quantity::from_millis(125)),
        Some(text) => {
            let limit = quantity(text, "--cpu")?;
            (limit, half(limit, Quantity::from_millis(SMALL_CPU_MILLIS)))
        }
    };
    Ok(json!({
        "limits": { "memory": memory.to_string(), "cpu": cpu.to_string() },
        "requests": { "memory": memory_request.to_string(), "cpu": cpu_request.to_string() },
    }))
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

fn quantity(text: &str, option: &str) -> Result<Quantity, WebserviceError> {
    match text.parse::<Quantity>() {
        Ok(quantity) if quantity > Quantity::ZERO => Ok(quantity),
        _ => Err(WebserviceError::Usage(format!(
            "{option}: {text} is not a valid Kubernetes quantity; say for example 512Mi or 1Gi of memory, 500m or 1 of CPU"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_requests_are_those_of_the_original() {
        for (mem, cpu, limits, requests) in [
            (None, None, ("512Mi", "500m"), ("256Mi", "125m")),
            (None, Some("1"), ("512Mi", "1"), ("256Mi", "500m")),
            (Some("1Gi"), Some("1"), ("1Gi", "1"), ("512Mi", "500m")),
            (Some("100Mi"), Some("200m"), ("100Mi", "200m"), ("100Mi", "200m")),
            (Some("256Mi"), Some("250m"), ("256Mi", "250m"), ("128Mi", "125m")),
        ] {
            let made = resources(mem, cpu).unwrap();
            let pair = |key: &str| {
                (
                    made[key]["memory"].as_str().unwrap().to_owned(),
                    made[key]["cpu"].as_str().unwrap().to_owned(),
                )
            };
            assert_eq!(
                pair("limits"),
                (limits.0.to_owned(), limits.1.to_owned()),
                "{mem:?} {cpu:?}"
            );
            assert_eq!(
                pair("requests"),
                (requests.0.to_owned(), requests.1.to_owned()),
                "{mem:?} {cpu:?}"
            );
        }
    }

    #[test]
    fn what_is_no_quantity_is_named() {
        let error = resources(Some("lots"), None).unwrap_err();
        assert_eq!(error.code(), 2);
        assert!(
            error
                .to_string()
                .contains("--mem: lots is not a valid Kubernetes quantity")
        );
        assert!(resources(None, Some("0")).is_err());
    }
}
