//! Puts this program where tools can run it: a tool with a user id of its own does not reach the folder
//! that the program was built in.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
};

use anyhow::Context as _;

/// The names that the program answers to beside its own.
const NAMES: [&str; 2] = ["webservice", "webservice-runner"];

/// Copies the running program to `bin`, unless it is there already, and links its other names.
pub(super) fn install(bin: &Path) -> anyhow::Result<()> {
    let here = std::env::current_exe().context("the running program cannot be found")?;
    let there = bin.join("toolforge");
    if here != there && !same(&here, &there) {
        copy(&here, &there)
            .with_context(|| format!("the program cannot be copied to {}", there.display()))?;
    }
    for name in NAMES {
        let link = bin.join(name);
        if fs::read_link(&link).is_ok_and(|target| target == Path::new("toolforge")) {
            continue;
        }
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => symlink("toolforge", &link).with_context(|| format!("{} cannot be made", link.display()))?,
        }
    }
    Ok(())
}

/// The copy has the time of its original, so size and time tell whether it is the same.
fn same(here: &Path, there: &Path) -> bool {
    let (Ok(here), Ok(there)) = (fs::metadata(here), fs::metadata(there)) else {
        return false;
    };
    here.len() == there.len() && here.mtime() == there.mtime() && here.mtime_nsec() == there.mtime_nsec()
}

/// Beside and renamed: the old file may be running.
fn copy(here: &Path, there: &Path) -> io::Result<()> {
    let beside = there.with_extension("new");
    fs::copy(here, &beside)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o755))?;
    let modified = fs::metadata(here)?.modified()?;
    fs::File::options()
        .write(true)
        .open(&beside)?
        .set_modified(modified)?;
    fs::rename(beside, there)
}
