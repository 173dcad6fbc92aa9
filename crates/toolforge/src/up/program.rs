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

/// Puts the running program into `bin`, unless it is there already, and links its other names.
pub(super) fn install(bin: &Path) -> anyhow::Result<()> {
    let here = std::env::current_exe().context("the running program cannot be found")?;
    let there = bin.join("toolforge");
    if here != there && !same(&here, &there) {
        put(&here, &there).with_context(|| format!("the program cannot be copied to {}", there.display()))?;
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

/// What is there has the time of its original, so size and time tell whether it is the same.
fn same(here: &Path, there: &Path) -> bool {
    let (Ok(here), Ok(there)) = (fs::metadata(here), fs::metadata(there)) else {
        return false;
    };
    here.len() == there.len() && here.mtime() == there.mtime() && here.mtime_nsec() == there.mtime_nsec()
}

/// Beside and renamed: the old file may be running. A second name costs nothing, where there can be one.
fn put(here: &Path, there: &Path) -> io::Result<()> {
    let beside = there.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if !can_be_shared(&fs::metadata(here)?) || fs::hard_link(here, &beside).is_err() {
        copy(here, &beside)?;
    }
    fs::rename(beside, there)
}

/// Whether a file may be what tools run under a second name: it can be run by all, and nobody but root and us can change
/// it or its mode later.
fn can_be_shared(file: &fs::Metadata) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    [0, ours].contains(&file.uid()) && file.mode() & 0o7777 == 0o755
}

/// A copy with the time of its original.
fn copy(here: &Path, there: &Path) -> io::Result<()> {
    fs::copy(here, there)?;
    fs::set_permissions(there, fs::Permissions::from_mode(0o755))?;
    let modified = fs::metadata(here)?.modified()?;
    fs::File::options()
        .write(true)
        .open(there)?
        .set_modified(modified)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("built");
        fs::write(&here, b"a program").unwrap();
        fs::set_permissions(&here, fs::Permissions::from_mode(mode)).unwrap();
        (folder, here)
    }

    #[test]
    fn a_program_that_only_we_can_change_gets_a_second_name() {
        let (folder, here) = program(0o755);
        let there = folder.path().join("toolforge");
        put(&here, &there).unwrap();
        assert_eq!(
            fs::metadata(&here).unwrap().ino(),
            fs::metadata(&there).unwrap().ino()
        );
    }

    #[test]
    fn a_program_that_others_can_change_or_cannot_run_is_copied() {
        for mode in [0o775, 0o757, 0o700, 0o4755] {
            let (folder, here) = program(mode);
            let there = folder.path().join("toolforge");
            put(&here, &there).unwrap();
            let (original, copy) = (fs::metadata(&here).unwrap(), fs::metadata(&there).unwrap());
            assert_ne!(original.ino(), copy.ino(), "{mode:o}");
            assert_eq!(copy.mode() & 0o7777, 0o755, "{mode:o}");
            assert!(same(&here, &there), "{mode:o}");
        }
    }

    #[test]
    fn what_an_interrupted_start_left_is_replaced() {
        let (folder, here) = program(0o755);
        let there = folder.path().join("toolforge");
        fs::write(folder.path().join("toolforge.new"), b"half").unwrap();
        put(&here, &there).unwrap();
        assert_eq!(fs::read(&there).unwrap(), b"a program");
    }
}
