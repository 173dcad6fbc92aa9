//! Which names somebody may have meant who typed another one.

use toolforge_model::ToolName;

/// How many names are suggested: enough to help, too few to list the platform.
const MOST_SUGGESTIONS: usize = 3;
/// Up to this length in bytes one typing error is forgiven; in longer names two are.
const SHORT: usize = 3;
/// The most that are forgiven.
const MOST_ERRORS: usize = 2;

/// The names nearest to `asked`, nearest first. Every visit of an unknown tool looks at every name, so what cannot be near
/// is passed over by its outline; `outlines` has one for each of `names`.
pub(crate) fn near_misses<'a>(
    asked: &str,
    outlines: &[Outline],
    names: impl Fn(usize) -> &'a ToolName,
) -> Vec<&'a ToolName> {
    let forgiven = if asked.len() <= SHORT { 1 } else { MOST_ERRORS };
    let asked_outline = Outline::of(asked);
    let mut rows = Rows::default();
    let mut near: Vec<(usize, &ToolName)> = outlines
        .iter()
        .enumerate()
        .filter(|(_, outline)| asked_outline.may_be_near(**outline, forgiven))
        .filter_map(|(place, _)| {
            let name = names(place);
            let distance = rows.distance_within(forgiven, asked.as_bytes(), name.as_str().as_bytes())?;
            Some((distance, name))
        })
        .collect();
    near.sort();
    near.into_iter()
        .take(MOST_SUGGESTIONS)
        .map(|(_, name)| name)
        .collect()
}

/// As much of a name as rules out most of those that are not near. They lie side by side, apart from the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    letters: Letters,
    length: usize,
}

impl Outline {
    pub(crate) fn of(name: &str) -> Self {
        Self {
            letters: Letters::of(name),
            length: name.len(),
        }
    }

    fn may_be_near(self, other: Self, forgiven: usize) -> bool {
        self.length.abs_diff(other.length) <= forgiven && self.letters.may_be_near(other.letters)
    }
}

/// Which bytes a name has, a bit each, and which it has at least twice, another bit each; some share theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Letters(u64);

impl Letters {
    /// How many bits there are of each kind.
    const OF_A_KIND: u8 = 32;

    fn of(name: &str) -> Self {
        let (once, twice) = name.bytes().fold((0_u64, 0_u64), |(once, twice), byte| {
            let bit = 1 << (byte % Self::OF_A_KIND);
            (once | bit, twice | (once & bit))
        });
        Self(once | (twice << Self::OF_A_KIND))
    }

    /// Whether two names may be near: an error brings at most one bit, and takes at most one away. Asked about every name,
    /// so that bits are not counted: each step takes the lowest one away, and none may be left.
    fn may_be_near(self, other: Self) -> bool {
        let all_forgiven =
            |bits: u64| (0..MOST_ERRORS).fold(bits, |left, _| left & left.wrapping_sub(1)) == 0;
        all_forgiven(self.0 & !other.0) && all_forgiven(other.0 & !self.0)
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
    /// How many typing errors lie between two names - a byte too many, too few or wrong, or two neighbours swapped -
    /// if no more than `most` do.
    fn distance_within(&mut self, most: usize, a: &[u8], b: &[u8]) -> Option<usize> {
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
            let mut least = i;
            for j in 1..=b.len() {
                let wrong = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
                row[j] = wrong.min(last[j] + 1).min(row[j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    row[j] = row[j].min(before_last[j - 2] + 1);
                }
                least = least.min(row[j]);
            }
            // No row has less than the one before it; swaps, which come from two rows before, count one more than that.
            if least > most {
                return None;
            }
            std::mem::swap(before_last, last);
            std::mem::swap(last, row);
        }
        Some(last[b.len()]).filter(|distance| *distance <= most)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toolforge_model::ToolName;

    use super::{MOST_ERRORS, Outline, Rows, near_misses};

    fn distance(a: &[u8], b: &[u8]) -> usize {
        Rows::default().distance_within(usize::MAX, a, b).unwrap()
    }

    fn suggested(asked: &str, names: &[&str]) -> Vec<String> {
        let names: Vec<ToolName> = names.iter().map(|name| name.parse().unwrap()).collect();
        let outlines: Vec<Outline> = names.iter().map(|name| Outline::of(name.as_str())).collect();
        near_misses(asked, &outlines, |place| &names[place])
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
        fn outlines_never_rule_out_what_is_near(
            a in "[a-c0-9-]{0,8}", b in "[a-c0-9-]{0,8}", forgiven in 1..=MOST_ERRORS
        ) {
            let near = distance(a.as_bytes(), b.as_bytes()) <= forgiven;
            prop_assert!(!near || Outline::of(&a).may_be_near(Outline::of(&b), forgiven), "{} {}", a, b);
        }

        #[test]
        fn gives_up_on_those_that_are_too_far_only(a in "[a-c]{0,6}", b in "[a-c]{0,6}", most in 0_usize..4) {
            let within = Rows::default().distance_within(most, a.as_bytes(), b.as_bytes());
            let errors = distance(a.as_bytes(), b.as_bytes());
            prop_assert_eq!(within, (errors <= most).then_some(errors));
        }

        #[test]
        fn rows_are_used_again(a in "[a-c]{0,6}", b in "[a-c]{0,6}", c in "[a-c]{0,6}") {
            let mut rows = Rows::default();
            rows.distance_within(usize::MAX, a.as_bytes(), b.as_bytes());
            let again = rows.distance_within(usize::MAX, b.as_bytes(), c.as_bytes());
            prop_assert_eq!(again, Some(distance(b.as_bytes(), c.as_bytes())));
        }
    }
}
