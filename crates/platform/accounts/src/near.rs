//! "Did you mean": names that are like one that nobody has.
//!
//! Pure. Used by the errors of what edits the directory.

/// How many names are proposed.
const MOST_PROPOSALS: usize = 3;

/// The names that are most like `wanted`, at most two changes away or with the same beginning.
pub(crate) fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut found: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = distance(&wanted, &lower);
            let begins = wanted.len() >= 3 && (lower.starts_with(&wanted) || wanted.starts_with(&lower));
            (distance <= 2 || begins).then_some((distance, name))
        })
        .collect();
    found.sort_unstable();
    found
        .into_iter()
        .take(MOST_PROPOSALS)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// The end of a sentence that proposes names.
pub(crate) fn proposals(near: &[String]) -> String {
    if near.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", near.join(" or "))
    }
}

/// How many letters have to be added, removed or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_proposed_nearest_first() {
        let names = ["ada", "adam", "grace", "linus"];
        assert_eq!(near("adda", names.into_iter()), ["ada", "adam"]);
        assert_eq!(near("GRAC", names.into_iter()), ["grace"]);
        assert!(near("zzzzzz", names.into_iter()).is_empty());
        assert_eq!(
            proposals(&near("adda", names.into_iter())),
            "; did you mean ada or adam?"
        );
    }
}
