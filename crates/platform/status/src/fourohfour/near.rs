//! Which names somebody may have meant who typed another one.

use toolforge_model::ToolName;

/// How many names are suggested: enough to help, too few to list the platform.
const MOST_SUGGESTIONS: usize = 3;
/// Up to this length in bytes one typing error is forgiven; in longer names two are.
const SHORT: usize = 3;

/// The names nearest to `asked`, nearest first. Every visit of an unknown tool looks at every name, so what cannot be near
/// is passed over by its letters, which come with it, and its length.
pub(crate) fn near_misses<'a>(
    asked: &str,
    names: impl Iterator<Item = (Letters, &'a ToolName)>,
) -> Vec<&'a ToolName> {
    let forgiven = if asked.len() <= SHORT { 1 } else { 2 };
    let letters = Letters::of(asked);
    let mut rows = Rows::default();
    let mut near: Vec<(usize, &ToolName)> = names
        .filter(|(of_name, _)| letters.least_errors(*of_name) <= forgiven)
        .map(|(_, name)| name)
        .filter(|name| name.as_str().len().abs_diff(asked.len()) <= forgiven)
        .map(|name| (rows.distance(asked.as_bytes(), name.as_str().as_bytes()), name))
        .filter(|(distance, _)| *distance <= forgiven)
        .collect();
    near.sort();
    near.into_iter()
        .take(MOST_SUGGESTIONS)
        .map(|(_, name)| name)
        .collect()
}

/// Which bytes a name has, a bit each; some share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Letters(u64);

impl Letters {
    pub(crate) fn of(name: &str) -> Self {
        Self(name.bytes().fold(0, |bits, byte| bits | 1 << (byte % 64)))
    }

    /// At least so many errors lie between two names: one brings at most one letter, and takes at most one away.
    fn least_errors(self, other: Self) -> usize {
        let missing = (self.0 & !other.0)
            .count_ones()
            .max((other.0 & !self.0).count_ones());
        usize::try_from(missing).unwrap_or(usize::MAX)
    }
}

/// The three rows of the table that are needed at a time, used again for each name.
#[derive(Default)]
struct Rows {
    before_last: Vec<usize>,
    last: Vec<usize>,
    row: Vec<usize>,
}

impl Rows {
    /// How many typing errors lie between two names: a byte too many, too few or wrong, or two neighbours swapped.
    fn distance(&mut self, a: &[u8], b: &[u8]) -> usize {
        let Self {
            before_last,
            last,
            row,
        } = self;
        before_last.clear();
        before_last.resize(b.len() + 1, 0);
        last.clear();
        last.extend(0..=b.len());
        row.clear();
        row.resize(b.len() + 1, 0);
        for i in 1..=a.len() {
            row[0] = i;
            for j in 1..=b.len() {
                let wrong = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
                row[j] = wrong.min(last[j] + 1).min(row[j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    row[j] = row[j].min(before_last[j - 2] + 1);
                }
            }
            std::mem::swap(before_last, last);
            std::mem::swap(last, row);
        }
        last[b.len()]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toolforge_model::ToolName;

    use super::{Letters, Rows, near_misses};

    fn distance(a: &[u8], b: &[u8]) -> usize {
        Rows::default().distance(a, b)
    }

    fn suggested(asked: &str, names: &[&str]) -> Vec<String> {
        let names: Vec<ToolName> = names.iter().map(|name| name.parse().unwrap()).collect();
        near_misses(asked, names.iter().map(|name| (Letters::of(name.as_str()), name)))
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

        #[test]
        fn letters_never_rule_out_what_is_near(a in "[a-z0-9-]{0,8}", b in "[a-z0-9-]{0,8}") {
            let least = Letters::of(&a).least_errors(Letters::of(&b));
            prop_assert!(least <= distance(a.as_bytes(), b.as_bytes()), "{} {}", a, b);
        }

        #[test]
        fn rows_are_used_again(a in "[a-c]{0,6}", b in "[a-c]{0,6}", c in "[a-c]{0,6}") {
            let mut rows = Rows::default();
            rows.distance(a.as_bytes(), b.as_bytes());
            prop_assert_eq!(rows.distance(b.as_bytes(), c.as_bytes()), distance(b.as_bytes(), c.as_bytes()));
        }
    }
}
