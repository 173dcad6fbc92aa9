//! `$(NAME)` in commands, arguments and variables, by the rules of Kubernetes. Pure.

/// Replaces each `$(NAME)` by what `value` knows; what it does not know stays as it is, `$$` is one dollar sign.
pub(crate) fn expand(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        if let Some(after) = behind.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some((name, after)) = behind.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match value(name) {
                Some(value) => result.push_str(&value),
                None => result.push_str(&rest[at..rest.len() - after.len()]),
            }
            rest = after;
        } else {
            result.push('$');
            rest = behind;
        }
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_values_and_everything_else_stays() {
        let cases = [
            ("plain", "plain"),
            ("$(A)", "one"),
            ("x$(A)y$(A)", "xoneyone"),
            ("$(B)", "$(B)"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$one"),
            ("$A $", "$A $"),
            ("$(A", "$(A"),
            ("$()", "$()"),
            ("ä$(A)ö", "äoneö"),
        ];
        for (text, expected) in cases {
            let expanded = expand(text, |name| (name == "A").then(|| "one".to_owned()));
            assert_eq!(expanded, expected, "{text}");
        }
    }
}
