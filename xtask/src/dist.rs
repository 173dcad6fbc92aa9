//! `cargo xtask dist`: the program as it is to serve others, optimised by a profile of its own work.
//!
//! The compiler is told what runs often and what never does: it is built to count, put to work as the benches put it to
//! work, and built again with what it counted. A gateway so built takes about a sixth less processor time for a request.
//! <https://doc.rust-lang.org/rustc/profile-guided-optimization.html>

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::SystemTime,
};

use anyhow::{Context as _, ensure};
use cargo_metadata::MetadataCommand;

use crate::{needs, process};

/// What is built: the program, and what puts it to work, which is also a peer that it is measured beside.
const PACKAGES: [&str; 2] = ["toolforge", "toolforge-bench"];

/// The work that is counted: what is left out here is built to be small instead of quick.
const WORK: [&[&str]; 6] = [
    &["gateway", "--alone", "--runs", "1", "--seconds", "2"],
    &["admission", "--runs", "1"],
    &[
        "api", "--runs", "1", "--only", "creates", "--only", "gets", "--only", "lists", "--only", "watches",
        "--only", "pods",
    ],
    &[
        "accounts",
        "--runs",
        "1",
        "--tools",
        "500",
        "--directory",
        "embedded",
    ],
    &["status", "--alone", "--runs", "1"],
    &["start", "--runs", "1"],
];

/// What was built.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) program: PathBuf,
    pub(crate) bench: PathBuf,
}

/// Builds the program and puts it where operators take it from.
pub(crate) fn run() -> anyhow::Result<()> {
    let built = with_profile()?;
    let program = target_folder()?.join("toolforge");
    // Another program may be running from there, and goes on with the file that it has.
    let fresh = program.with_extension("new");
    fs::copy(&built.program, &fresh)
        .and_then(|_| fs::rename(&fresh, &program))
        .with_context(|| format!("{} cannot be written", program.display()))?;
    println!("{} is the program", program.display());
    Ok(())
}

/// Builds with a profile of what there is to build: the profile is made anew when anything has changed.
pub(crate) fn with_profile() -> anyhow::Result<Built> {
    let compiler = Compiler::of_this_machine()?;
    let reader = profile_reader(&compiler)?;
    let folder = target_folder()?.join("pgo");
    let (counts, profile) = (folder.join("raw"), folder.join("toolforge.profdata"));

    println!("1 of 3: the program that counts its work (10 to 20 minutes, if it is the first)");
    let counting = compiler.build(&folder.join("generate"), &flag("-Cprofile-generate=", &counts))?;
    if is_older(&profile, &[&counting.program, &counting.bench])? {
        println!("2 of 3: the work (about 6 minutes)");
        count(&counting, &counts)?;
        // What was built with another profile is of no use, and cargo does not see that it is another.
        remove(&folder.join("use"))?;
        merge(&reader, &counts, &profile)?;
        remove(&counts)?;
    } else {
        println!("2 of 3: the work was counted since the last change");
    }
    println!("3 of 3: the program with that profile (as long as the first)");
    let built = compiler.build(&folder.join("use"), &flag("-Cprofile-use=", &profile))?;
    Ok(built)
}

/// Builds without a profile, in half of the time.
pub(crate) fn without_profile() -> anyhow::Result<Built> {
    process::run(
        process::cargo()
            .args(["build", "--profile", "dist"])
            .args(packages()),
    )?;
    Ok(built_in(&target_folder()?.join("dist")))
}

/// Where cargo puts what it builds.
fn target_folder() -> anyhow::Result<PathBuf> {
    let metadata = MetadataCommand::new()
        .current_dir(process::root())
        .no_deps()
        .exec()?;
    Ok(metadata.target_directory.into_std_path_buf())
}

fn packages() -> impl Iterator<Item = &'static str> {
    PACKAGES.into_iter().flat_map(|package| ["--package", package])
}

fn built_in(folder: &Path) -> Built {
    Built {
        program: folder.join("toolforge"),
        bench: folder.join("toolforge-bench"),
    }
}

fn flag(name: &str, path: &Path) -> OsString {
    let mut flag = OsString::from(name);
    flag.push(path);
    flag
}

/// The compiler that cargo uses here.
struct Compiler {
    /// What it builds for unless it is told otherwise.
    host: String,
    /// Where its own tools lie, those that were installed.
    tools: PathBuf,
}

impl Compiler {
    fn of_this_machine() -> anyhow::Result<Self> {
        let rustc = || {
            let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
            rustc.current_dir(process::root());
            rustc
        };
        let version = process::output(rustc().arg("-vV"))?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let libraries = process::output(rustc().args(["--print", "target-libdir"]))?;
        let libraries = Path::new(libraries.trim_end());
        Ok(Self {
            host: host.context("rustc -vV names no host")?.to_owned(),
            tools: libraries.with_file_name("bin"),
        })
    }

    /// Builds for operators with one more flag, into a folder of its own.
    fn build(&self, folder: &Path, flag: &OsStr) -> anyhow::Result<Built> {
        let mut cargo = process::cargo();
        cargo
            .args(["build", "--profile", "dist"])
            .args(packages())
            // Named, so that the flag is not for build scripts and macros, which are no part of the program.
            .args(["--target", &self.host, "--target-dir"])
            .arg(folder)
            .env("CARGO_ENCODED_RUSTFLAGS", flags(flag));
        process::run(&mut cargo)?;
        Ok(built_in(&folder.join(&self.host).join("dist")))
    }
}

/// The caller's own flags, and one more, as cargo takes them.
fn flags(flag: &OsStr) -> OsString {
    const BETWEEN: &str = "\u{1f}";
    let encoded = std::env::var_os("CARGO_ENCODED_RUSTFLAGS");
    let callers = encoded.or_else(|| {
        let flags = std::env::var("RUSTFLAGS").ok()?;
        Some(flags.split_whitespace().collect::<Vec<_>>().join(BETWEEN).into())
    });
    let mut flags = callers
        .filter(|flags| !flags.is_empty())
        .map_or_else(OsString::new, |mut flags| {
            flags.push(BETWEEN);
            flags
        });
    flags.push(flag);
    flags
}

/// What merges the counts of several processes: the compiler's own, if it was installed with it, or Debian's.
fn profile_reader(compiler: &Compiler) -> anyhow::Result<PathBuf> {
    let own = compiler.tools.join("llvm-profdata");
    if own.is_file() {
        return Ok(own);
    }
    needs::install_programs(&needs::PROFILE_READER)?;
    let [(reader, _)] = needs::PROFILE_READER;
    process::find(reader).with_context(|| format!("{reader} is not there"))
}

/// Whether a file is not there, or older than one of these.
fn is_older(file: &Path, others: &[&Path]) -> anyhow::Result<bool> {
    let Some(written) = written(file)? else {
        return Ok(true);
    };
    for other in others {
        if self::written(other)?.is_none_or(|other| other > written) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn written(file: &Path) -> anyhow::Result<Option<SystemTime>> {
    match fs::metadata(file) {
        Ok(metadata) => Ok(Some(metadata.modified()?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

/// Puts the program to work. Each process writes what it has counted when it ends.
fn count(counting: &Built, counts: &Path) -> anyhow::Result<()> {
    remove(counts)?;
    for words in WORK {
        println!("  {}", words.join(" "));
        let mut bench = Command::new(&counting.bench);
        bench.args(words).arg("--program").arg(&counting.program);
        // Figures of a program that counts mean nothing.
        bench.stdout(Stdio::null());
        process::run(&mut bench)?;
    }
    Ok(())
}

/// Makes one profile of all counts. It appears when it is whole.
fn merge(reader: &Path, counts: &Path, profile: &Path) -> anyhow::Result<()> {
    ensure!(
        counts.is_dir(),
        "no process has written what it counted to {}",
        counts.display()
    );
    let unfinished = profile.with_extension("unfinished");
    process::run(
        Command::new(reader)
            .args(["merge", "-o"])
            .arg(&unfinished)
            .arg(counts),
    )?;
    fs::rename(&unfinished, profile).with_context(|| format!("{} cannot be written", profile.display()))
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", folder.display()))
        }
        _ => Ok(()),
    }
}
