//! The policy of a namespace, read from its labels.

use std::fmt;

use serde_json::Value;
use toolforge_kinds::FieldError;

use super::LevelVersion;

/// What Pods may ask for; later levels are stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Level {
    /// Everything.
    #[default]
    Privileged,
    /// Nothing that leads out of the Pod in known ways.
    Baseline,
    /// As hardened as can be asked of any program.
    Restricted,
}

impl Level {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Privileged, Self::Baseline, Self::Restricted]
            .into_iter()
            .find(|level| level.name() == text)
    }
}

/// The Kubernetes whose checks are meant: the minor version of 1, or the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Version {
    Minor(u32),
    #[default]
    Latest,
}

impl Version {
    /// Whether checks of this minor version hold.
    pub(super) fn is_from(self, minor: u32) -> bool {
        self >= Self::Minor(minor)
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "latest" {
            return Some(Self::Latest);
        }
        let minor = text.strip_prefix("v1.")?;
        let plain =
            minor.bytes().all(|byte| byte.is_ascii_digit()) && (minor == "0" || !minor.starts_with('0'));
        minor.parse().ok().filter(|_| plain).map(Self::Minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minor(minor) => write!(f, "v1.{minor}"),
            Self::Latest => f.write_str("latest"),
        }
    }
}

/// What a namespace refuses, tells the log, and tells authors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) enforce: LevelVersion,
    pub(super) audit: LevelVersion,
    pub(super) warn: LevelVersion,
}

impl Default for Policy {
    fn default() -> Self {
        let open = LevelVersion {
            level: Level::default(),
            version: Version::default(),
        };
        Self {
            enforce: open,
            audit: open,
            warn: open,
        }
    }
}

impl Policy {
    /// Whether nothing is checked.
    pub(super) fn is_privileged(&self) -> bool {
        [self.enforce, self.audit, self.warn]
            .iter()
            .all(|mode| mode.level == Level::Privileged)
    }

    /// The policy of a namespace, and what is wrong with its labels. A wrong level to enforce counts as the strictest.
    pub(super) fn of(namespace: &Value) -> (Self, Vec<FieldError>) {
        let mut errors = Vec::new();
        let mut read = |mode: &str, fallback: Level| LevelVersion {
            level: label(namespace, mode, Level::parse, fallback, LEVELS, &mut errors),
            version: label(
                namespace,
                &format!("{mode}-version"),
                Version::parse,
                Version::Latest,
                VERSIONS,
                &mut errors,
            ),
        };
        let policy = Self {
            enforce: read("enforce", Level::Restricted),
            audit: read("audit", Level::Privileged),
            warn: read("warn", Level::Privileged),
        };
        (policy, errors)
    }
}

const LEVELS: &str = "must be one of privileged, baseline, restricted";
const VERSIONS: &str = "must be \"latest\" or \"v1.x\"";

fn label<T: Default>(
    namespace: &Value,
    name: &str,
    parse: impl Fn(&str) -> Option<T>,
    fallback: T,
    rule: &str,
    errors: &mut Vec<FieldError>,
) -> T {
    let name = format!("pod-security.kubernetes.io/{name}");
    let labels = namespace.pointer("/metadata/labels");
    let Some(text) = labels.and_then(|labels| labels.get(&name)?.as_str()) else {
        return T::default();
    };
    parse(text).unwrap_or_else(|| {
        errors.push(FieldError::invalid(
            &format!("metadata.labels[{name}]"),
            text,
            rule,
        ));
        fallback
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_latest_or_of_one() {
        for (text, expected) in [
            ("latest", Some(Version::Latest)),
            ("v1.0", Some(Version::Minor(0))),
            ("v1.34", Some(Version::Minor(34))),
            ("v1.034", None),
            ("v1.", None),
            ("v1.+4", None),
            ("1.34", None),
            ("v2.0", None),
            ("v1.99999999999", None),
        ] {
            assert_eq!(Version::parse(text), expected, "{text}");
        }
        assert!(
            Version::Latest.is_from(99) && Version::Minor(19).is_from(19) && !Version::Minor(18).is_from(19)
        );
    }
}
