//! The type of a webservice that nobody names. The original took PHP for whatever it found; old scripts rely on it
//! where there is PHP, and elsewhere the files of the home tell better.

use std::path::Path;

use crate::types::Types;

/// Files that give a type away, in the order in which they are looked for: what the original served comes first.
const SIGNS: [(&str, &str); 7] = [
    (".lighttpd.conf", "php"),
    ("public_html/index.php", "php"),
    ("public_html/index.html", "static"),
    ("public_html/index.htm", "static"),
    ("www/python/src/app.py", "python"),
    ("www/js/package.json", "node"),
    ("www/js/package.json", "nodejs"),
];

/// A type that was not said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guess {
    pub(crate) kind: String,
    /// The file that gave it away, below the home.
    pub(crate) because: &'static str,
}

impl Guess {
    /// What was assumed, for the maintainer to correct.
    pub(crate) fn sentence(&self) -> String {
        format!(
            "No type was given; taking {} because there is ~/{}",
            self.kind, self.because
        )
    }
}

/// The type that the files of a home look like, among those that the platform has.
pub(crate) fn guess(home: &Path, types: &Types) -> Option<Guess> {
    SIGNS
        .iter()
        .filter(|(file, _)| home.join(file).is_file())
        .find_map(|(file, family)| {
            let kind = newest(family, types)?;
            Some(Guess { kind, because: file })
        })
}

/// The type of this name, or the newest whose name is this one and a version.
fn newest(family: &str, types: &Types) -> Option<String> {
    if types.find(family).is_ok() {
        return Some(family.to_owned());
    }
    let names = types.names();
    let versions = names.iter().filter_map(|name| {
        let version = name.strip_prefix(family)?;
        let parts: Result<Vec<u32>, _> = version.split('.').map(str::parse).collect();
        Some((parts.ok()?, name))
    });
    versions.max().map(|(_, name)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::parse_types;

    const YAML: &str = "\
php7.4: { variants: { webservice: { image: a } } }
php8.2: { variants: { webservice: { image: a } } }
php8.10: { variants: { webservice: { image: a } } }
php9: { state: deprecated, variants: { webservice: { image: a } } }
static: { variants: { webservice: { image: a } } }
python3.11: { aliases: [python], variants: { webservice: { image: a } } }
";

    #[test]
    fn files_of_the_home_tell_the_type() {
        let types = parse_types(YAML).unwrap();
        let home = tempfile::tempdir().unwrap();
        let found = || guess(home.path(), &types).map(|guess| guess.kind);
        let put = |file: &str| {
            let path = home.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        assert_eq!(found(), None);
        put("www/js/package.json");
        assert_eq!(found(), None, "the platform has no such type");
        put("www/python/src/app.py");
        assert_eq!(found().as_deref(), Some("python"));
        put("public_html/index.html");
        assert_eq!(found().as_deref(), Some("static"));
        put("public_html/index.php");
        assert_eq!(found().as_deref(), Some("php8.10"));
        let sentence = guess(home.path(), &types).unwrap().sentence();
        assert!(
            sentence.contains("php8.10") && sentence.contains("index.php"),
            "{sentence}"
        );
    }
}
