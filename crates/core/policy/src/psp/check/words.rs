//! Rules with a policy's own values in them, as sentences.

use super::super::spec::{IdRange, IdStrategy};
use super::super::{HostPortRange, IdRule};

/// What an id is for.
#[derive(Clone, Copy)]
pub(super) enum Id {
    User,
    Group,
    Further,
    Files,
}

/// "Pods must run as user 52001".
pub(super) fn ids(of: Id, strategy: &IdStrategy) -> String {
    let ids = ranges(&strategy.ranges);
    match of {
        Id::User if strategy.rule == IdRule::MustRunAsNonRoot => {
            "Pods must not run as user 0 (root)".to_owned()
        }
        Id::User => format!("Pods must run as user {ids}"),
        Id::Group => format!("Pods must run as group {ids}"),
        Id::Further => format!("Pods may be in the groups {ids} only"),
        Id::Files => format!("The files of Pods must belong to group {ids}"),
    }
}

fn ranges(ranges: &[IdRange]) -> String {
    let one = |range: &IdRange| {
        if range.min == range.max {
            range.min.to_string()
        } else {
            format!("{} to {}", range.min, range.max)
        }
    };
    ranges.iter().map(one).collect::<Vec<_>>().join(" or ")
}

/// The same for ports.
pub(super) fn ports(ranges: &[HostPortRange]) -> String {
    let ids: Vec<IdRange> = ranges
        .iter()
        .map(|range| IdRange {
            min: range.min.into(),
            max: range.max.into(),
        })
        .collect();
    self::ranges(&ids)
}

/// "Pods may have volumes of the kinds a, b and c only", or "... none" when nothing is allowed.
pub(super) fn only(beginning: &str, allowed: &[String], none: &str) -> String {
    match allowed {
        [] => {
            let subject = beginning.split(' ').next().unwrap_or_default();
            format!("{subject} may have {none}")
        }
        [one] => format!("{beginning} {one} only"),
        [first @ .., last] => format!("{beginning} {} and {last} only", first.join(", ")),
    }
}
