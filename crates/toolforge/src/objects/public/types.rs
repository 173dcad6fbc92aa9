//! The types of webservice that a platform has when its operators name none (facts section 8): the names of
//! the original, each with the image of that name and the runtime of our runner.

use serde_json::{Map, Value, json};

/// A type: its name, other names that lead to it, the image's part of its name, the runtime.
type Type = (&'static str, &'static [&'static str], &'static str, &'static str);

/// What is offered.
const STABLE: [Type; 14] = [
    ("static", &[], "static", "static"),
    ("php8.2", &["php", "php82", "lighttpd"], "php82", "lighttpd"),
    ("php7.4", &["php74"], "php74", "lighttpd"),
    (
        "tcl8.6",
        &["tcl", "tcl86", "lighttpd-plain"],
        "tcl86",
        "lighttpd-plain",
    ),
    (
        "python3.11",
        &["python", "python3", "python311", "uwsgi-python"],
        "python311",
        "python",
    ),
    ("python3.9", &["python39"], "python39", "python"),
    ("uwsgi-plain", &[], "python311", "uwsgi-plain"),
    ("node20", &["node", "nodejs"], "node20", "nodejs"),
    ("node18", &[], "node18", "nodejs"),
    ("ruby3.1", &["ruby", "ruby31"], "ruby31", "ruby"),
    ("perl5.36", &["perl", "perl536"], "perl536", "perl"),
    ("jdk17", &["jdk", "java"], "jdk17", "jdk"),
    (
        "golang1.19",
        &["golang", "go", "golang119"],
        "golang119",
        "golang",
    ),
    ("generic", &[], "generic", "generic"),
];

/// What still runs for those who have it.
const DEPRECATED: [Type; 13] = [
    ("php7.3", &[], "php73", "lighttpd"),
    ("php7.2", &[], "php72", "lighttpd"),
    ("php5.6", &[], "php56", "lighttpd"),
    ("python3.7", &[], "python37", "python"),
    ("python3.5", &[], "python35", "python"),
    ("python2", &[], "python2", "python"),
    ("node16", &[], "node16", "nodejs"),
    ("node12", &[], "node12", "nodejs"),
    ("node10", &[], "node10", "nodejs"),
    ("ruby27", &["ruby25", "ruby2"], "ruby27", "ruby"),
    ("perl5.32", &[], "perl532", "perl"),
    ("jdk11", &["jdk8"], "jdk11", "jdk"),
    ("golang111", &[], "golang111", "golang"),
];

/// The image configuration, with images of this registry.
pub(super) fn built_in(registry: &str) -> Value {
    let stable = STABLE.iter().map(|known| (known, "stable"));
    let deprecated = DEPRECATED.iter().map(|known| (known, "deprecated"));
    let types: Map<String, Value> = stable
        .chain(deprecated)
        .map(|((name, aliases, image, runtime), state)| {
            let mut extra = json!({ "wstype": runtime });
            if *runtime == "jdk" {
                extra["resources"] = json!("jdk");
            }
            let entry = json!({
                "state": state,
                "aliases": aliases,
                "variants": { "webservice": {
                    "image": format!("{registry}/toolforge-{image}-sssd-web"),
                    "extra": extra,
                } },
            });
            ((*name).to_owned(), entry)
        })
        .collect();
    Value::Object(types)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, iter};

    use super::*;

    #[test]
    fn what_is_built_in_would_be_taken_from_a_file_too() {
        let text = built_in("registry.example").to_string();
        let problems = toolforge_webservice::problems_of_image_config(&text);
        assert!(problems.is_empty(), "{problems:#?}");
    }

    #[test]
    fn completion_offers_what_is_built_in_and_not_deprecated() {
        let command = toolforge_webservice::command();
        let start = command.find_subcommand("start").unwrap();
        let mut types = start
            .get_arguments()
            .filter(|argument| argument.get_id() == "kind");
        let offered: BTreeSet<String> = types
            .next()
            .unwrap()
            .get_possible_values()
            .iter()
            .map(|value| value.get_name().to_owned())
            .collect();
        let built_in = STABLE.iter().flat_map(|(name, aliases, ..)| {
            let short = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
            let short = aliases.iter().find(|alias| **alias == short);
            iter::once(*name).chain(short.copied())
        });
        let built_in: BTreeSet<String> = built_in.chain(["buildservice"]).map(ToOwned::to_owned).collect();
        assert_eq!(offered, built_in);
    }
}
