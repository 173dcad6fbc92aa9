//! What somebody meant who made a slip. Pure.

/// Slips of more letters than this are other words.
const MOST: usize = 2;

/// The name that differs from what was said by a letter or two, if there is one: the first of the nearest.
pub(crate) fn nearest<'a>(said: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = MOST.min(said.chars().count() / 2);
    names
        .into_iter()
        .map(|name| (strsim::osa_distance(said, name), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The question behind a sentence that says what is wrong.
pub(crate) fn did_you_mean(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

#[cfg(test)]
mod tests {
    use super::{did_you_mean, nearest};

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let names = ["generic", "python", "python3.11", "static", "start", "stop"];
        for (said, meant) in [
            ("pyton", Some("python")),
            ("strat", Some("start")),
            ("statc", Some("static")),
            ("cobol", None),
            ("p", None),
        ] {
            assert_eq!(nearest(said, names), meant, "{said}");
        }
        assert_eq!(did_you_mean(Some("stop")), "; did you mean stop?");
        assert_eq!(did_you_mean(None), "");
    }
}
