//! The bounds of one item of a limit range, with the messages of Kubernetes.

use serde_json::Value;
use toolforge_model::Quantity;

use crate::amounts::Amounts;

/// How much may be asked for.
#[derive(Debug)]
pub(crate) struct Bounds {
    least: Amounts,
    most: Amounts,
    ratio: Amounts,
}

impl Bounds {
    pub(crate) fn read(item: &Value) -> Self {
        Self {
            least: Amounts::read(item.get("min")),
            most: Amounts::read(item.get("max")),
            ratio: Amounts::read(item.get("maxLimitRequestRatio")),
        }
    }

    /// Checks requests and limits of a container or Pod.
    pub(crate) fn check(&self, per: &str, requests: &Amounts, limits: &Amounts, problems: &mut Vec<String>) {
        for (name, least) in self.least.iter() {
            problems.extend(check_least(
                name,
                per,
                least,
                requests.get(name),
                limits.get(name),
            ));
        }
        for (name, most) in self.most.iter() {
            problems.extend(check_most(name, per, most, requests.get(name), limits.get(name)));
        }
        for (name, ratio) in self.ratio.iter() {
            problems.extend(check_ratio(
                name,
                per,
                ratio,
                requests.get(name),
                limits.get(name),
            ));
        }
    }

    /// Checks what knows no limits, only requests.
    pub(crate) fn check_requests(&self, per: &str, requests: &Amounts, problems: &mut Vec<String>) {
        for (name, least) in self.least.iter() {
            problems.extend(check_least(name, per, least, requests.get(name), None));
        }
        for (name, most) in self.most.iter() {
            let problem = match requests.get(name) {
                None => Some("  No request is specified".to_owned()),
                Some(request) if request > most => Some(format!(", but request is {request}")),
                Some(_) => None,
            };
            problems.extend(problem.map(|problem| bound("maximum", name, per, most, &problem)));
        }
    }
}

/// `maximum memory usage per Container is 4Gi, but limit is 5Gi`.
fn bound(which: &str, name: &str, per: &str, amount: Quantity, problem: &str) -> String {
    let stop = if problem.starts_with(',') { "" } else { "." };
    format!("{which} {name} usage per {per} is {amount}{stop}{problem}")
}

fn check_least(
    name: &str,
    per: &str,
    least: Quantity,
    request: Option<Quantity>,
    limit: Option<Quantity>,
) -> Option<String> {
    let problem = match (request, limit) {
        (None, _) => "  No request is specified".to_owned(),
        (Some(request), _) if request < least => format!(", but request is {request}"),
        (_, Some(limit)) if limit < least => format!(", but limit is {limit}"),
        _ => return None,
    };
    Some(bound("minimum", name, per, least, &problem))
}

fn check_most(
    name: &str,
    per: &str,
    most: Quantity,
    request: Option<Quantity>,
    limit: Option<Quantity>,
) -> Option<String> {
    let problem = match (request, limit) {
        (_, None) => "  No limit is specified".to_owned(),
        (_, Some(limit)) if limit > most => format!(", but limit is {limit}"),
        (Some(request), _) if request > most => format!(", but request is {request}"),
        _ => return None,
    };
    Some(bound("maximum", name, per, most, &problem))
}

fn check_ratio(
    name: &str,
    per: &str,
    ratio: Quantity,
    request: Option<Quantity>,
    limit: Option<Quantity>,
) -> Option<String> {
    let some = |amount: Option<Quantity>| amount.filter(|amount| !amount.is_zero());
    let problem = match (some(request), some(limit)) {
        (None, _) => "no request is specified or request is 0".to_owned(),
        (_, None) => "no limit is specified or limit is 0".to_owned(),
        (Some(request), Some(limit)) => {
            let provided = as_number(limit) / as_number(request);
            if provided <= as_number(ratio) {
                return None;
            }
            format!("provided ratio is {provided:.6}")
        }
    };
    Some(format!(
        "{name} max limit to request ratio per {per} is {ratio}, but {problem}"
    ))
}

/// Ratios are compared as floating-point numbers, as Kubernetes does.
#[expect(clippy::cast_precision_loss, reason = "a ratio needs no more than 15 digits")]
fn as_number(amount: Quantity) -> f64 {
    amount.nanos() as f64 / 1e9
}
