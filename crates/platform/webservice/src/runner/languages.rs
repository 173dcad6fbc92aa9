//! Types whose program is the tool itself: generic, and ruby, perl, jdk and golang, which in the original were
//! nothing else. Without a program each of those finds the usual file of its language.

use std::{path::PathBuf, process::Command};

use super::{
    machine,
    place::Place,
    work::{Process, Work},
};
use crate::needs;

/// The program that the maintainer named, in the tool's home.
pub(super) fn command(place: &Place) -> Result<Work, String> {
    named(place).ok_or_else(|| "no program was named; say webservice generic start -- COMMAND".to_owned())
}

fn named(place: &Place) -> Option<Work> {
    let (program, arguments) = place.extra.split_first()?;
    let mut command = place.command(program, &place.home);
    command.args(arguments);
    Some(Process::alone(command))
}

/// A Rack application: `config.ru`, by its own bundle where it has one.
pub(super) fn ruby(place: &Place) -> Result<Work, String> {
    if let Some(work) = named(place) {
        return Ok(work);
    }
    let folder = folder_with(place, "www/ruby", "config.ru");
    let bundled = folder.join("Gemfile").is_file();
    let mut command = if bundled {
        let bundle = machine::need(&["bundle"], "ruby-bundler", "the Gemfile beside config.ru")?;
        let mut command = place.command(bundle, &folder);
        command.args(["exec", "rackup"]);
        command
    } else {
        let rackup = machine::need(&["rackup"], "ruby-rack", "config.ru")?;
        place.command(rackup, &folder)
    };
    command
        .args(["--host", "0.0.0.0", "--port"])
        .arg(place.port.to_string())
        .args(["--env", "deployment", "config.ru"]);
    Ok(Process::alone(command))
}

/// A PSGI application: `app.psgi`, by starman where there is one.
pub(super) fn perl(place: &Place) -> Result<Work, String> {
    if let Some(work) = named(place) {
        return Ok(work);
    }
    let folder = folder_with(place, "www/perl", "app.psgi");
    let mut command = if let Some(starman) = machine::find("starman") {
        let mut command = place.command(starman, &folder);
        command.args(["--workers", "4"]);
        command
    } else {
        let plackup = machine::need(&["plackup"], "libplack-perl", "app.psgi")?;
        place.command(plackup, &folder)
    };
    command
        .args(["--host", "0.0.0.0", "--port"])
        .arg(place.port.to_string())
        .args(["--env", "deployment", "app.psgi"]);
    let modules = folder.join("local/lib/perl5");
    if modules.is_dir() {
        command.env("PERL5LIB", modules);
    }
    Ok(Process::alone(command))
}

/// The one jar.
pub(super) fn jdk(place: &Place) -> Result<Work, String> {
    if let Some(work) = named(place) {
        return Ok(work);
    }
    let jar = needs::only_jar(&place.home)?;
    let java = machine::need(&["java"], "default-jre-headless", "type jdk")?;
    let mut command = in_folder_of(place, java, &jar);
    command.arg("-jar").arg(jar);
    Ok(Process::alone(command))
}

/// `~/www/go/server`, or what `go run` makes of the folder.
pub(super) fn golang(place: &Place) -> Result<Work, String> {
    if let Some(work) = named(place) {
        return Ok(work);
    }
    let folder = place.home.join("www/go");
    let server = folder.join("server");
    if machine::is_program(&server) {
        return Ok(Process::alone(place.command(server, &folder)));
    }
    if server.is_file() {
        return Err(format!("{0} may not be run; say chmod +x {0}", server.display()));
    }
    let go = machine::need(
        &["go"],
        "golang-go",
        "Go code that is not built (or build it: go build -o server)",
    )?;
    let what = if folder.join("go.mod").is_file() {
        "."
    } else {
        "main.go"
    };
    let mut command = place.command(go, &folder);
    command.args(["run", what]);
    // `go run` keeps signals to itself.
    Ok(Process::with_children(command))
}

fn in_folder_of(place: &Place, program: PathBuf, file: &std::path::Path) -> Command {
    place.command(program, file.parent().unwrap_or(&place.home))
}

/// The first of a folder below the home and the home itself that has this file.
fn folder_with(place: &Place, below: &str, file: &str) -> PathBuf {
    let folder = place.home.join(below);
    if folder.join(file).is_file() {
        folder
    } else {
        place.home.clone()
    }
}
