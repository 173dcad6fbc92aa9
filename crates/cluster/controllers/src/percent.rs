//! Numbers of Pods that may be written as a percentage: `maxSurge`, `maxUnavailable` and their like.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Whether a part of a Pod counts as a whole one or as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// As a whole one.
    Up,
    /// As none.
    Down,
}

/// `value` as a number, a percentage of `total`; what does not parse (the API lets nothing such in) is 0.
pub(crate) fn resolve(value: &IntOrString, total: i32, round: Round) -> i32 {
    let text = match value {
        IntOrString::Int(number) => return (*number).max(0),
        IntOrString::String(text) => text,
    };
    let Some(percent) = text
        .strip_suffix('%')
        .and_then(|number| number.parse::<u32>().ok())
    else {
        return 0;
    };
    let product = i64::from(percent) * i64::from(total.max(0));
    let pods = match round {
        Round::Up => (product + 99) / 100,
        Round::Down => product / 100,
    };
    i32::try_from(pods).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_as_asked() {
        let table = [
            (IntOrString::Int(3), 10, Round::Up, 3),
            (IntOrString::String("25%".into()), 1, Round::Up, 1),
            (IntOrString::String("25%".into()), 1, Round::Down, 0),
            (IntOrString::String("50%".into()), 5, Round::Down, 2),
            (IntOrString::String("100%".into()), 7, Round::Down, 7),
            (IntOrString::String("many".into()), 7, Round::Up, 0),
            (IntOrString::Int(-3), 10, Round::Up, 0),
        ];
        for (value, total, round, expected) in table {
            assert_eq!(resolve(&value, total, round), expected, "{value:?} of {total}");
        }
    }
}
