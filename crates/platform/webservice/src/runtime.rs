//! The runtimes: what the runner can make of a tool's files. Each type of the image configuration names one
//! as its `wstype` (facts section 8). Pure.

use std::{fmt, str::FromStr};

/// How a tool is run inside its container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Runtime {
    /// The files of `~/public_html`.
    Static,
    /// The same with PHP, or lighttpd with the tool's own configuration.
    Php,
    /// lighttpd without PHP.
    Lighttpd,
    /// `app` of `~/www/python/src/app.py`.
    Python,
    /// uWSGI with `~/uwsgi.ini`.
    Uwsgi,
    /// `npm start` in `~/www/js`.
    Node,
    /// A Rack application.
    Ruby,
    /// A PSGI application.
    Perl,
    /// A jar.
    Jdk,
    /// A program in Go, built or not.
    Golang,
    /// Any program.
    Generic,
}

/// Each runtime with its names, its own first; the others are those of the original.
const NAMES: [(Runtime, &[&str]); 11] = [
    (Runtime::Static, &["static"]),
    (Runtime::Php, &["php", "lighttpd"]),
    (Runtime::Lighttpd, &["lighttpd-plain", "tcl"]),
    (Runtime::Python, &["python", "uwsgi-python"]),
    (Runtime::Uwsgi, &["uwsgi-plain"]),
    (Runtime::Node, &["nodejs", "node", "js"]),
    (Runtime::Ruby, &["ruby"]),
    (Runtime::Perl, &["perl"]),
    (Runtime::Jdk, &["jdk", "java"]),
    (Runtime::Golang, &["golang", "go"]),
    (Runtime::Generic, &["generic"]),
];

/// No runtime has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this platform's runner knows no runtime {0:?}; it knows {known}", known = known())]
pub(crate) struct UnknownRuntime(String);

impl Runtime {
    /// Its own name.
    pub(crate) fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(runtime, _)| *runtime == self)
            .map_or("generic", |(_, names)| names[0])
    }
}

impl FromStr for Runtime {
    type Err = UnknownRuntime;

    fn from_str(name: &str) -> Result<Self, UnknownRuntime> {
        NAMES
            .iter()
            .find(|(_, names)| names.contains(&name))
            .map(|(runtime, _)| *runtime)
            .ok_or_else(|| UnknownRuntime(name.to_owned()))
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn known() -> String {
    NAMES.map(|(_, names)| names[0]).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_its_runtime_and_no_other() {
        let mut seen = Vec::new();
        for (runtime, names) in NAMES {
            assert_eq!(runtime.to_string(), names[0]);
            for name in names {
                assert_eq!(name.parse::<Runtime>().unwrap(), runtime);
                assert!(!seen.contains(name), "{name} twice");
                seen.push(name);
            }
        }
        let error = "cobol".parse::<Runtime>().unwrap_err().to_string();
        assert!(error.contains("cobol") && error.contains("generic"), "{error}");
    }
}
