//! Type python: `app` of `~/www/python/src/app.py`, served by uWSGI where the tool has a `uwsgi.ini` for it,
//! else by a server of our own in the tool's Python; and type uwsgi-plain.

use std::{ffi::OsString, path::Path, process::Command};

use super::{
    machine,
    place::Place,
    work::{Process, Work},
};

/// What the tool's Python runs, by file name.
const SERVER: [(&str, &str); 3] = [
    ("serve.py", include_str!("python/serve.py")),
    ("wsgi_server.py", include_str!("python/wsgi_server.py")),
    ("asgi_server.py", include_str!("python/asgi_server.py")),
];

/// uWSGI's processes (facts section 8, "webservice-runner").
const UWSGI_WORKERS: &str = "4";
/// How long they may take to end; Kubernetes kills after 30 seconds.
const MERCY_SECONDS: &str = "20";

/// The Python of `~/www/python/venv` where there is one, or uWSGI.
pub(super) fn prepare(place: &Place) -> Result<Work, String> {
    let folder = place.home.join("www/python");
    let source = folder.join("src");
    let ini = folder.join("uwsgi.ini");
    if ini.is_file() {
        match machine::find("uwsgi") {
            Some(uwsgi) => return Ok(own_uwsgi(place, &uwsgi, &folder, &ini)),
            None if source.join("app.py").is_file() || source.join("app").is_dir() => anstream::eprintln!(
                "{} is not read: uwsgi is not installed here (Debian's packages uwsgi-core and uwsgi-plugin-python3)",
                ini.display()
            ),
            None => {
                return machine::need(&["uwsgi"], "uwsgi-plugin-python3", &ini.display().to_string())
                    .map(|uwsgi| own_uwsgi(place, &uwsgi, &folder, &ini));
            }
        }
    }
    for (name, text) in SERVER {
        place.write(name, text)?;
    }
    let own = folder.join("venv/bin/python3");
    let python = if own.exists() {
        own
    } else {
        machine::need(&["python3"], "python3", "type python")?
    };
    let mut command = place.command(python, &source);
    command
        .arg("-u")
        .arg(place.run_folder().join("serve.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(Process::alone(command))
}

/// As the original ran it: `app` of app.py with four workers, and then what the tool's file says.
fn own_uwsgi(place: &Place, uwsgi: &Path, folder: &Path, ini: &Path) -> Work {
    let source = folder.join("src");
    let log = place.home.join("uwsgi.log");
    anstream::println!(
        "running uwsgi on port {}; it logs to {}",
        place.port,
        log.display()
    );
    let mut command = place.command(uwsgi, &source);
    plugin(&mut command);
    for (option, value) in [
        ("--http-socket", OsString::from(format!(":{}", place.port))),
        ("--chdir", source.clone().into()),
        ("--logto", log.into()),
        ("--workers", UWSGI_WORKERS.into()),
    ] {
        command.arg(option).arg(value);
    }
    let app = source.join("app.py");
    let text = std::fs::read_to_string(ini).unwrap_or_default();
    if app.is_file() && !names_an_application(&text) {
        // At / alone: it would be loaded a second time for another place, and the gateway leads to / always.
        command.args(["--callable", "app", "--wsgi-file"]).arg(app);
    }
    let venv = folder.join("venv");
    if venv.is_dir() {
        command.arg("--venv").arg(venv);
    }
    command.args([
        "--master",
        "--die-on-term",
        "--need-app",
        "--worker-reload-mercy",
        MERCY_SECONDS,
    ]);
    command.arg("--ini");
    command.arg(ini);
    Process::alone(command)
}

/// Whether the tool's file says itself which application it is.
fn names_an_application(ini: &str) -> bool {
    ini.lines().any(|line| {
        let key = line.split('=').next().unwrap_or_default().trim();
        ["module", "wsgi", "wsgi-file", "file", "mount"].contains(&key)
    })
}

/// uWSGI with the tool's own file and nothing of ours but the port.
pub(super) fn uwsgi_plain(place: &Place) -> Result<Work, String> {
    let uwsgi = machine::need(
        &["uwsgi"],
        "uwsgi-core (with a plugin such as uwsgi-plugin-python3)",
        "type uwsgi-plain",
    )?;
    let mut command = place.command(uwsgi, &place.home);
    command
        .arg("--http-socket")
        .arg(format!(":{}", place.port))
        .arg("--logto")
        .arg(place.home.join("uwsgi.log"))
        .args(["--die-on-term", "--ini"])
        .arg(place.home.join("uwsgi.ini"));
    Ok(Process::alone(command))
}

/// Debian's uWSGI has Python in a plugin; one that was built with it needs none.
fn plugin(command: &mut Command) {
    if Path::new("/usr/lib/uwsgi/plugins/python3_plugin.so").is_file() {
        command.args(["--plugin", "python3"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_of_the_tools_own_file_is_seen() {
        assert!(names_an_application("[uwsgi]\n module = site:app\n"));
        assert!(names_an_application("[uwsgi]\nmount = /x=app.py\n"));
        assert!(!names_an_application("[uwsgi]\n# module = x\nworkers = 2\n"));
    }
}
