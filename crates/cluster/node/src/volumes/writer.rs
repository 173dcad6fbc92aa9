//! Puts files into a volume in one step, as kubelet does: a program sees all of the old or all of the new.
//!
//! The files lie in a folder `..TIME`, the link `..data` names the present one, and each name in the volume is a link
//! through it. The folder belongs to root and containers have it read-only, so nobody plants anything in it.

use std::{
    collections::BTreeSet,
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown, symlink},
    path::Path,
};

use jiff::Timestamp;

use super::payload::Payload;

/// The link to the folder of the present files.
const DATA: &str = "..data";
const NEXT_DATA: &str = "..data_tmp";
/// What folders are open to.
const FOLDER_MODE: u32 = 0o755;
/// What a Pod's own group gets in addition, of folders and of files.
const GROUP_FOLDER: u32 = 0o2550;
const GROUP_FILE: u32 = 0o440;

/// Replaces what is in the volume. `group` is the Pod's `fsGroup`.
pub(super) fn write(folder: &Path, files: &Payload, group: Option<u32>, now: Timestamp) -> io::Result<()> {
    let fresh = format!("..{}", now.strftime("%Y_%m_%d_%H_%M_%S.%9f"));
    let before = fs::read_link(folder.join(DATA)).ok();
    fill(&folder.join(&fresh), files, group)?;
    let next = folder.join(NEXT_DATA);
    match fs::remove_file(&next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(&fresh, &next)?;
    fs::rename(&next, folder.join(DATA))?;
    link(folder, files)?;
    if let Some(before) = before.filter(|before| before.as_path() != Path::new(&fresh)) {
        fs::remove_dir_all(folder.join(before))?;
    }
    Ok(())
}

fn fill(folder: &Path, files: &Payload, group: Option<u32>) -> io::Result<()> {
    make_folder(folder, group)?;
    for (path, file) in files {
        let mut parent = folder.to_owned();
        for part in Path::new(path).parent().into_iter().flatten() {
            parent.push(part);
            if !parent.is_dir() {
                make_folder(&parent, group)?;
            }
        }
        let place = folder.join(path);
        let mut open = fs::OpenOptions::new();
        let mut written = open.write(true).create_new(true).mode(0o600).open(&place)?;
        written.write_all(&file.bytes)?;
        if file.owner.is_some() || group.is_some() {
            chown(&place, file.owner, group)?;
        }
        let shared = group.map_or(0, |_| GROUP_FILE);
        written.set_permissions(fs::Permissions::from_mode(file.mode | shared))?;
    }
    Ok(())
}

fn make_folder(folder: &Path, group: Option<u32>) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(folder)?;
    chown(folder, None, group)?;
    let shared = group.map_or(0, |_| GROUP_FOLDER);
    fs::set_permissions(folder, fs::Permissions::from_mode(FOLDER_MODE | shared))
}

/// Makes a link for each name that is there, and takes away those of names that no longer are.
fn link(folder: &Path, files: &Payload) -> io::Result<()> {
    let first = |path: &String| path.split('/').next().unwrap_or_default().to_owned();
    let names: BTreeSet<String> = files.keys().map(first).collect();
    for name in &names {
        match symlink(Path::new(DATA).join(name), folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Folders are mount points of other volumes.
        if !name.starts_with("..") && !names.contains(&*name) && entry.file_type()?.is_symlink() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::payload::File;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).expect("time")
    }

    fn files(entries: &[(&str, &str, u32)]) -> Payload {
        let file = |text: &str, mode| File {
            bytes: text.as_bytes().to_vec(),
            mode,
            owner: None,
        };
        let entries = entries.iter();
        entries
            .map(|(path, text, mode)| ((*path).to_owned(), file(text, *mode)))
            .collect()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o7777
    }

    #[test]
    fn files_lie_behind_links_with_their_modes() {
        let folder = tempfile::tempdir().expect("folder");
        let payload = files(&[("a", "one", 0o644), ("sub/b", "two", 0o400)]);
        write(folder.path(), &payload, None, at(0)).expect("written");
        assert_eq!(
            fs::read_to_string(folder.path().join("sub/b")).expect("read"),
            "two"
        );
        assert_eq!(mode(&folder.path().join("a")), 0o644);
        assert_eq!(mode(&folder.path().join("sub/b")), 0o400);
        assert_eq!(mode(&folder.path().join("sub/")), 0o755);
        assert_eq!(
            fs::read_link(folder.path().join("a")).expect("a link"),
            Path::new("..data/a")
        );
    }

    #[test]
    fn a_change_swaps_everything_at_once_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("folder");
        let write = |payload: &Payload, second| {
            write(folder.path(), payload, None, at(second)).expect("written");
        };
        write(&files(&[("a", "one", 0o644), ("gone", "x", 0o644)]), 0);
        let open = folder.path().join("..data").canonicalize().expect("there");
        write(&files(&[("a", "two", 0o644), ("new", "y", 0o644)]), 1);
        assert_eq!(fs::read_to_string(folder.path().join("a")).expect("read"), "two");
        assert!(!open.exists() && !folder.path().join("gone").is_symlink());
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .expect("listed")
            .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        assert_eq!(names, ["..2023_11_14_22_13_21.000000000", "..data", "a", "new"]);
    }

    #[test]
    fn the_pods_group_reads_what_others_may_not() {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: giving files to a group needs root");
            return;
        }
        let folder = tempfile::tempdir().expect("folder");
        write(folder.path(), &files(&[("a", "one", 0o400)]), Some(77), at(0)).expect("written");
        let file = folder.path().join("a");
        let data = fs::metadata(&file).expect("there");
        assert_eq!(
            (std::os::unix::fs::MetadataExt::gid(&data), mode(&file)),
            (77, 0o440)
        );
    }
}
