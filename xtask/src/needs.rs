//! What the tests and benches need of a machine: Debian packages and a `kubectl` that is new enough. As root what is
//! missing is installed; otherwise it is named.

mod grid_engine;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use crate::process;

/// A program, and the Debian package that has it.
type Program = (&'static str, &'static str);

/// What the tests run.
const PROGRAMS: [Program; 19] = [
    ("python3", "python3"),
    ("curl", "curl"),
    ("ldapsearch", "ldap-utils"),
    ("slapd", "slapd"),
    ("promtool", "prometheus"),
    ("nginx", "nginx"),
    ("setpriv", "util-linux"),
    ("oidentd", "oidentd"),
    ("chromium", "chromium"),
    ("node", "nodejs"),
    ("npm", "npm"),
    // What tools are written in, and run by.
    ("php-cgi", "php-cgi"),
    ("lighttpd", "lighttpd"),
    ("uwsgi", "uwsgi-plugin-python3"),
    ("uvicorn", "uvicorn"),
    ("rackup", "ruby-rack"),
    ("plackup", "libplack-perl"),
    ("ps", "procps"),
    ("tmux", "tmux"),
];

/// What looks at pages: a driver of the browser, and a checker of accessibility. Both run on the node of Debian 12.
const NPM_PACKAGES: [&str; 2] = ["puppeteer-core@24", "axe-core@4"];

/// Beside whom the gateway is measured.
pub(crate) const GATEWAY_PEERS: [Program; 2] = [("nginx", "nginx"), ("haproxy", "haproxy")];

/// Beside whom the store is measured.
pub(crate) const API_PEERS: [Program; 1] = [("etcd", "etcd-server")];

/// What reads the profiles that Rust's programs write: LLVM is their reader from version 19 on.
pub(crate) const PROFILE_READER: [Program; 1] = [("llvm-profdata-19", "llvm-19")];

/// Beside whom the public pages are measured.
pub(crate) const STATUS_PEERS: [Program; 1] = [("nginx", "nginx")];

/// The oldest `kubectl` that the tests are written for.
const KUBECTL_MINOR: u32 = 30;
/// The Debian suite whose `kubectl` is new enough.
const NEWER_SUITE: &str = "trixie";

/// Makes sure that everything is there; answers the PATH to run tests with.
pub(crate) fn install() -> anyhow::Result<OsString> {
    install_programs(&PROGRAMS)?;
    grid_engine::unpack().context("Grid Engine, on which webservices are tested, cannot be fetched")?;
    install_npm_packages()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    if has_kubectl(Path::new("kubectl")) {
        return Ok(path);
    }
    let folder = process::root().join("target/tools/usr/bin");
    let kubectl = folder.join("kubectl");
    if !has_kubectl(&kubectl) {
        fetch_kubectl().with_context(|| {
            format!(
                "no kubectl of version 1.{KUBECTL_MINOR} or newer is on PATH, and Debian's package of it cannot be \
                 fetched; put one on PATH"
            )
        })?;
    }
    Ok(std::env::join_paths(
        std::iter::once(folder).chain(std::env::split_paths(&path)),
    )?)
}

/// Puts the packages from npm where the tests look for them.
fn install_npm_packages() -> anyhow::Result<()> {
    let folder = process::root().join("target/tools/npm");
    let is_there = |package: &str| {
        let name = package.split('@').next().unwrap_or_default();
        folder
            .join("node_modules")
            .join(name)
            .join("package.json")
            .is_file()
    };
    if NPM_PACKAGES.iter().all(|package| is_there(package)) {
        return Ok(());
    }
    println!("installing {} from npm", NPM_PACKAGES.join(" and "));
    std::fs::create_dir_all(&folder)?;
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--no-save",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
    ])
    .arg(&folder)
    .args(NPM_PACKAGES);
    process::run(&mut npm).context("what looks at the pages cannot be fetched from npm")
}

/// Makes sure that these programs are there.
pub(crate) fn install_programs(programs: &[Program]) -> anyhow::Result<()> {
    let missing: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| process::find(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    install_packages(&missing)
}

fn install_packages(packages: &[&str]) -> anyhow::Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if process::output(Command::new("id").arg("-u"))?.trim() != "0" {
        bail!("these Debian packages are missing: {list}\n  install them with: sudo apt-get install {list}");
    }
    println!("installing {list}");
    process::run(Command::new("apt-get").args(["update", "-q"]))?;
    let mut install = Command::new("apt-get");
    install
        .args(["install", "-q", "-y", "--no-install-recommends"])
        .args(packages);
    process::run(install.env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Whether this kubectl runs and is new enough.
fn has_kubectl(program: &Path) -> bool {
    let version = Command::new(program)
        .args(["version", "--client", "-o", "json"])
        .output();
    let Ok(version) = version else { return false };
    let Ok(version) = serde_json::from_slice::<serde_json::Value>(&version.stdout) else {
        return false;
    };
    let part = |name: &str| {
        let text = version.pointer(&format!("/clientVersion/{name}"))?.as_str()?;
        text.trim_end_matches(|c: char| !c.is_ascii_digit())
            .parse::<u32>()
            .ok()
    };
    part("major").is_some_and(|major| major > 1 || part("minor").is_some_and(|minor| minor >= KUBECTL_MINOR))
}

/// Takes `kubectl` of a newer Debian, without touching this machine's package lists: apt is given
/// folders of its own, and the package is only unpacked.
fn fetch_kubectl() -> anyhow::Result<()> {
    println!("fetching kubectl from Debian {NEWER_SUITE}");
    let tools = process::root().join("target/tools");
    let work = tempfile::tempdir()?;
    for folder in ["lists/partial", "cache/archives/partial"] {
        std::fs::create_dir_all(work.path().join(folder))?;
    }
    let sources = work.path().join("sources.list");
    std::fs::write(&sources, format!("deb {} {NEWER_SUITE} main\n", mirror()?))?;
    let options = [
        ("Dir::Etc::SourceList", sources),
        ("Dir::Etc::SourceParts", PathBuf::from("-")),
        ("Dir::State::Lists", work.path().join("lists")),
        ("Dir::Cache", work.path().join("cache")),
    ];
    apt_in(work.path(), &options, &["update"])?;
    // The suite is named, for a package of the same name may be installed from elsewhere.
    let package = format!("kubectl/{NEWER_SUITE}");
    apt_in(work.path(), &options, &["download", &package])?;
    unpack_all(work.path(), &tools)?;
    if !has_kubectl(&tools.join("usr/bin/kubectl")) {
        bail!("Debian {NEWER_SUITE} has no kubectl that runs here and is new enough");
    }
    Ok(())
}

/// apt-get in a folder, which is where it downloads to.
fn apt_in(folder: &Path, options: &[(&str, PathBuf)], command: &[&str]) -> anyhow::Result<()> {
    let mut apt = Command::new("apt-get");
    for (option, value) in options {
        apt.arg("-o").arg(format!("{option}={}", value.display()));
    }
    // apt's own user cannot write to our folder.
    apt.args(["-o", "APT::Sandbox::User=", "-q"])
        .args(command)
        .current_dir(folder);
    process::run(&mut apt)
}

/// Unpacks the packages of one folder into another, without installing them.
fn unpack_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    let mut packages = std::fs::read_dir(from)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .peekable();
    if packages.peek().is_none() {
        bail!("apt-get downloaded nothing");
    }
    packages.try_for_each(|package| process::run(Command::new("dpkg-deb").arg("-x").arg(package).arg(to)))
}

/// The Debian mirror that this machine uses.
fn mirror() -> anyhow::Result<String> {
    let format = "$(ORIGIN) $(CODENAME) $(REPO_URI)";
    let targets = process::output(Command::new("apt-get").args(["indextargets", "--format", format]))?;
    let mut mirrors = targets
        .lines()
        .filter_map(|line| line.strip_prefix("Debian "))
        .filter_map(|line| {
            let (codename, uri) = line.split_once(' ')?;
            (!codename.contains("security") && !codename.contains("updates")).then(|| uri.to_owned())
        });
    mirrors
        .next_back()
        .context("this machine has no Debian mirror in its package sources; run apt-get update first")
}
