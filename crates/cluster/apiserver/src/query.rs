//! The query of a request: names and decoded values, with Kubernetes' reading of booleans and numbers.
//!
//! Pure; a value that cannot be read is a 400 that names the parameter.

use percent_encoding::percent_decode_str;
use toolforge_kinds::Status;

/// A parsed query string.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query string; broken percent signs are taken literally.
    pub(crate) fn parse(text: &str) -> Self {
        let decode = |part: &str| {
            percent_decode_str(&part.replace('+', " "))
                .decode_utf8_lossy()
                .into_owned()
        };
        Self(
            text.split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// The first value of a parameter that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(found, value)| found == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0
            .iter()
            .filter(move |(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a switch is on: present without a value counts, as do `1` and `true`.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .is_some_and(|(_, value)| {
                !(value == "0" || value.eq_ignore_ascii_case("false") || value.eq_ignore_ascii_case("f"))
            })
    }

    /// A switch that may be absent.
    pub(crate) fn switch(&self, name: &str) -> Option<bool> {
        self.0
            .iter()
            .any(|(found, _)| found == name)
            .then(|| self.is_true(name))
    }

    /// A whole number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Status> {
        self.get(name)
            .map(|value| {
                value.parse().map_err(|_| {
                    Status::bad_request(format!(
                        "invalid query parameter {name}: {value:?} is not a whole number"
                    ))
                })
            })
            .transpose()
    }

    /// Whether nothing of the write is to be kept: `dryRun=All`.
    pub(crate) fn dry_run(&self) -> bool {
        self.all("dryRun").any(|value| value == "All")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_names_and_values() {
        let query = Query::parse("labelSelector=a%3Db%2Cc+in+%28d%29&watch&limit=5&x=");
        assert_eq!(query.get("labelSelector"), Some("a=b,c in (d)"));
        assert!(query.is_true("watch"));
        assert_eq!(query.number("limit").unwrap(), Some(5));
        assert_eq!(query.get("x"), None);
    }

    #[test]
    fn names_the_parameter_that_is_no_number() {
        let status = Query::parse("limit=many").number("limit").unwrap_err();
        assert!(status.message.contains("limit"), "{}", status.message);
    }

    #[test]
    fn knows_one_kind_of_dry_run() {
        assert!(Query::parse("dryRun=All").dry_run());
        assert!(!Query::parse("").dry_run());
    }
}
