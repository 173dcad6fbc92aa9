//! Which names somebody may have meant who typed another one.

use toolforge_model::ToolName;

/// How many names are suggested: enough to help, too few to list the platform.
const MOST_SUGGESTIONS: usize = 3;
/// Up to this length in bytes one typing error is forgiven; in longer names two are.
const SHORT: usize = 3;

/// The names nearest to `asked`, nearest first.
pub(crate) fn near_misses<'a>(asked: &str, names: impl Iterator<Item = &'a ToolName>) -> Vec<&'a ToolName> {
    let forgiven = if asked.len() <= SHORT { 1 } else { 2 };
    let mut near: Vec<(usize, &ToolName)> = names
        .filter(|name| name.as_str().len().abs_diff(asked.len()) <= forgiven)
        .map(|name| (distance(asked.as_bytes(), name.as_str().as_bytes()), name))
        .filter(|(distance, _)| *distance <= forgiven)
        .collect();
    near.sort();
    near.into_iter()
        .take(MOST_SUGGESTIONS)
        .map(|(_, name)| name)
        .collect()
}

/// How many typing errors lie between two names: a byte too many, too few or wrong, or two neighbours swapped.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let wrong = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = wrong.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toolforge_model::ToolName;

    use super::{distance, near_misses};

    fn suggested(asked: &str, names: &[&str]) -> Vec<String> {
        let names: Vec<ToolName> = names.iter().map(|name| name.parse().unwrap()).collect();
        near_misses(asked, names.iter())
            .into_iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn counts_typing_errors() {
        for (a, b, errors) in [
            ("", "", 0),
            ("a", "", 1),
            ("alpha", "alpha", 0),
            ("alhpa", "alpha", 1),
            ("alph", "alpha", 1),
            ("ab", "cd", 2),
        ] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), errors, "{a} {b}");
        }
    }

    #[test]
    fn suggests_the_nearest_names_and_at_most_three() {
        assert_eq!(suggested("alhpa", &["beta", "alpha", "alpaca"]), ["alpha"]);
        let many = ["alpha1", "alpha2", "alpha3", "alpha4", "alpha"];
        assert_eq!(suggested("alpha", &many), ["alpha", "alpha1", "alpha2"]);
        assert_eq!(suggested("xy", &["ab"]), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn is_the_same_from_both_sides(a in "[a-c]{0,6}", b in "[a-c]{0,6}") {
            let there = distance(a.as_bytes(), b.as_bytes());
            prop_assert_eq!(there, distance(b.as_bytes(), a.as_bytes()));
            prop_assert_eq!(there == 0, a == b);
        }
    }
}
