//! Grid Engine of this machine's Debian, unpacked and not installed: installed it asks questions, brings a mail server
//! and starts itself. Tests run a cell of their own from here (`toolforge_testkit::GridEngine`).

use std::os::unix::fs::symlink;

use super::{apt_in, unpack_all};
use crate::process;

/// The programs, what of their libraries is on no machine by itself, and what gives a cell users and names of its own.
const PACKAGES: [&str; 10] = [
    "gridengine-master",
    "gridengine-exec",
    "gridengine-client",
    "gridengine-common",
    "libdb5.3",
    "libhwloc15",
    "libjemalloc2",
    "libmunge2",
    "libtirpc3",
    "libnss-wrapper",
];

/// Makes sure that it is below `target/tools`.
pub(super) fn unpack() -> anyhow::Result<()> {
    let folder = process::root().join("target/tools/gridengine");
    // Made last, so what was broken off is begun anew.
    let libraries = folder.join("usr/lib/lx-amd64");
    if libraries.exists() {
        return Ok(());
    }
    println!("fetching Grid Engine");
    let work = tempfile::tempdir()?;
    let download = [&["download"][..], &PACKAGES].concat();
    // Without package lists, or with old ones, there is nothing to download.
    if apt_in(work.path(), &[], &download).is_err() {
        apt_in(work.path(), &[], &["update"])?;
        apt_in(work.path(), &[], &download)?;
    }
    unpack_all(work.path(), &folder)?;
    // Where its programs look for their libraries.
    symlink(format!("{}-linux-gnu", std::env::consts::ARCH), libraries)?;
    Ok(())
}
