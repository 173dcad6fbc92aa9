//! What each runtime must find in a tool's home (facts section 8, "Preconditions per runtime"): asked by the
//! command before it makes anything, and by the runner before it runs anything.

use std::path::Path;

use crate::{runner::SiteArgs, runtime::Runtime};

/// Whether the home has what the runtime needs; otherwise what is missing and the way out.
pub(crate) fn check(runtime: Runtime, home: &Path, extra: &[String]) -> Result<(), String> {
    match runtime {
        Runtime::Static => site_of_its_own(home, extra),
        Runtime::Php | Runtime::Lighttpd => public_html_or_lighttpd(home),
        Runtime::Python => python(home),
        Runtime::Uwsgi => uwsgi(home),
        Runtime::Node => node(home),
        Runtime::Ruby if extra.is_empty() => ruby(home),
        Runtime::Perl if extra.is_empty() => perl(home),
        Runtime::Jdk if extra.is_empty() => jar(home),
        Runtime::Golang if extra.is_empty() => golang(home),
        Runtime::Ruby | Runtime::Perl | Runtime::Jdk | Runtime::Golang => Ok(()),
        Runtime::Generic => command(extra),
    }
}

fn site_of_its_own(home: &Path, extra: &[String]) -> Result<(), String> {
    SiteArgs::read(extra)?;
    let folder = home.join("public_html");
    require(folder.is_dir(), || {
        format!(
            "Could not find a public_html folder in your tool home; make {} and put an index.html there.",
            folder.display()
        )
    })
}

fn public_html_or_lighttpd(home: &Path) -> Result<(), String> {
    let there = home.join("public_html").is_dir() || home.join(".lighttpd.conf").is_file();
    require(there, || {
        "Could not find a public_html folder or a .lighttpd.conf file in your tool home.".to_owned()
    })
}

fn python(home: &Path) -> Result<(), String> {
    let source = home.join("www/python/src");
    require(source.is_dir(), || {
        format!(
            "Could not find {}; put an app.py there that has a callable `app`.",
            source.display()
        )
    })?;
    // A uwsgi.ini may name another module.
    let app = source.join("app.py");
    let there = app.is_file() || source.join("app").is_dir() || home.join("www/python/uwsgi.ini").is_file();
    require(there, || {
        format!(
            "Could not find {}; it must have a callable `app` (WSGI or ASGI).",
            app.display()
        )
    })
}

fn uwsgi(home: &Path) -> Result<(), String> {
    require(home.join("uwsgi.ini").is_file(), || {
        format!(
            "Could not find {}; it is what uWSGI runs by.",
            home.join("uwsgi.ini").display()
        )
    })
}

fn node(home: &Path) -> Result<(), String> {
    let path = home.join("www/js/package.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Err(format!(
            "Could not find {}; it must be there, with a script `start`.",
            path.display()
        ));
    };
    start_script(&text)
        .map(drop)
        .map_err(|what| format!("{} {what}", path.display()))
}

/// `scripts.start` of a package.json.
pub(crate) fn start_script(package: &str) -> Result<String, String> {
    let package: serde_json::Value =
        serde_json::from_str(package).map_err(|error| format!("is not JSON: {error}."))?;
    package
        .pointer("/scripts/start")
        .and_then(|script| script.as_str())
        .map(str::to_owned)
        .ok_or_else(|| {
            "has no script `start`; say what is to be run in scripts.start, such as \"node server.js\"."
                .to_owned()
        })
}

fn ruby(home: &Path) -> Result<(), String> {
    let there = ["www/ruby/config.ru", "config.ru"].map(|path| home.join(path).is_file());
    require(there.contains(&true), || {
        format!(
            "Could not find a config.ru in {} or in your tool home; or say what is to be run: webservice ruby start -- COMMAND.",
            home.join("www/ruby").display()
        )
    })
}

fn perl(home: &Path) -> Result<(), String> {
    let there = ["www/perl/app.psgi", "app.psgi"].map(|path| home.join(path).is_file());
    require(there.contains(&true), || {
        format!(
            "Could not find an app.psgi in {} or in your tool home; or say what is to be run: webservice perl start -- COMMAND.",
            home.join("www/perl").display()
        )
    })
}

/// The one jar in `~/www/jdk`, `~/www/java` or the home itself.
pub(crate) fn only_jar(home: &Path) -> Result<std::path::PathBuf, String> {
    for folder in ["www/jdk", "www/java", "."] {
        let folder = home.join(folder);
        let mut jars: Vec<_> = std::fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "jar"))
            .collect();
        match (jars.pop(), jars.is_empty()) {
            (Some(jar), true) => return Ok(jar),
            (Some(_), false) => {
                return Err(format!(
                    "There is more than one jar in {}; leave one, or say which: webservice jdk start -- java -jar FILE.",
                    folder.display()
                ));
            }
            (None, _) => {}
        }
    }
    Err(format!(
        "Could not find a .jar in {} or in your tool home; or say what is to be run: webservice jdk start -- COMMAND.",
        home.join("www/jdk").display()
    ))
}

fn jar(home: &Path) -> Result<(), String> {
    only_jar(home).map(drop)
}

fn golang(home: &Path) -> Result<(), String> {
    let folder = home.join("www/go");
    let there = ["server", "main.go", "go.mod"].map(|name| folder.join(name).is_file());
    require(there.contains(&true), || {
        format!(
            "Could not find {0}/server (a built program), {0}/go.mod or {0}/main.go; or say what is to be run: webservice golang start -- COMMAND.",
            folder.display()
        )
    })
}

fn command(extra: &[String]) -> Result<(), String> {
    require(!extra.is_empty(), || {
        "Say what is to be run: webservice generic start -- COMMAND [ARGUMENT...]. It must listen on $PORT."
            .to_owned()
    })
}

fn require(there: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if there { Ok(()) } else { Err(otherwise()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The home is ready for the runtime when these files are there, and says this without them.
    #[test]
    fn each_runtime_says_what_it_misses_and_is_content_with_it() {
        for (runtime, says, files) in [
            (Runtime::Static, "public_html", "public_html/index.html"),
            (
                Runtime::Php,
                "Could not find a public_html folder or a .lighttpd.conf file in your tool home.",
                "public_html/index.php",
            ),
            (Runtime::Php, "public_html", ".lighttpd.conf"),
            (Runtime::Lighttpd, "public_html", ".lighttpd.conf"),
            (Runtime::Python, "www/python/src", "www/python/src/app.py"),
            (Runtime::Uwsgi, "uwsgi.ini", "uwsgi.ini"),
            (Runtime::Ruby, "config.ru", "www/ruby/config.ru"),
            (Runtime::Perl, "app.psgi", "app.psgi"),
            (Runtime::Jdk, ".jar", "www/jdk/tool.jar"),
            (Runtime::Golang, "www/go", "www/go/server"),
        ] {
            let home = tempfile::tempdir().unwrap();
            let error = check(runtime, home.path(), &[]).unwrap_err();
            assert!(error.contains(says), "{runtime}: {error}");
            let file = home.path().join(files);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "").unwrap();
            check(runtime, home.path(), &[]).unwrap();
        }
    }

    #[test]
    fn node_needs_a_package_with_a_start_script() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("www/js");
        std::fs::create_dir_all(&folder).unwrap();
        for (package, says) in [
            (None, "Could not find"),
            (Some("{"), "is not JSON"),
            (Some("{}"), "has no script `start`"),
        ] {
            if let Some(package) = package {
                std::fs::write(folder.join("package.json"), package).unwrap();
            }
            let error = check(Runtime::Node, home.path(), &[]).unwrap_err();
            assert!(
                error.contains(says) && error.contains("www/js/package.json"),
                "{error}"
            );
        }
        std::fs::write(
            folder.join("package.json"),
            r#"{"scripts": {"start": "node server.js"}}"#,
        )
        .unwrap();
        check(Runtime::Node, home.path(), &[]).unwrap();
    }

    #[test]
    fn a_command_stands_in_for_files() {
        let home = tempfile::tempdir().unwrap();
        let command = ["./serve".to_owned()];
        for runtime in [
            Runtime::Generic,
            Runtime::Ruby,
            Runtime::Perl,
            Runtime::Jdk,
            Runtime::Golang,
        ] {
            assert!(
                check(runtime, home.path(), &[])
                    .unwrap_err()
                    .contains("-- COMMAND")
            );
            check(runtime, home.path(), &command).unwrap();
        }
    }

    #[test]
    fn two_jars_are_one_too_many() {
        let home = tempfile::tempdir().unwrap();
        for name in ["a.jar", "b.jar"] {
            std::fs::write(home.path().join(name), "").unwrap();
        }
        let error = check(Runtime::Jdk, home.path(), &[]).unwrap_err();
        assert!(error.contains("more than one jar"), "{error}");
    }

    #[test]
    fn what_a_static_site_cannot_be_told_is_said_before_the_start() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("public_html")).unwrap();
        let error = check(Runtime::Static, home.path(), &["--lists".to_owned()]).unwrap_err();
        assert!(error.contains("--lists"), "{error}");
    }
}
