//! The file in the home of a locked tool that says so to its maintainers and to what runs there.
//!
//! Blocking. The home is only looked for, never made, and nothing in it is followed: a link of that name is replaced by
//! the file, or removed, and what it points to stays as it is.

use std::path::Path;

use crate::{
    election::Fence,
    files::Folder,
    home::{HomeError, Place, TOOL},
    snapshot::Tool,
};

/// Its name, the original's.
pub(crate) const DISABLED: &str = "k8s.disabled";

/// Everybody may read it; it is ours.
const MODE: u32 = 0o444;

const TEXT: &[u8] =
    b"This tool is locked in the directory: nothing of it runs on Kubernetes, and it has no access there.\n";

/// Puts the mark into a tool's home, where there is a home.
pub(crate) fn put(root: &Path, tool: &Tool, fence: &Fence) -> Result<(), HomeError> {
    let Some(home) = find(root, tool, fence)? else {
        return Ok(());
    };
    if home.is_file(DISABLED) {
        return Ok(());
    }
    Ok(home.write(DISABLED, TEXT, MODE, None)?)
}

/// Takes it away.
pub(crate) fn remove(root: &Path, tool: &Tool, fence: &Fence) -> Result<(), HomeError> {
    match find(root, tool, fence)? {
        Some(home) => Ok(home.remove_file(DISABLED)?),
        None => Ok(()),
    }
}

/// Whether [`put`] would write.
pub(crate) fn wants_mark(root: &Path, tool: &Tool) -> Result<bool, HomeError> {
    Ok(find(root, tool, &Fence::default())?.is_some_and(|home| !home.is_file(DISABLED)))
}

/// Whether [`remove`] would take something away.
pub(crate) fn is_marked(root: &Path, tool: &Tool) -> Result<bool, HomeError> {
    match find(root, tool, &Fence::default())? {
        Some(home) => Ok(home.is_file(DISABLED) || home.link_text(DISABLED)?.is_some()),
        None => Ok(false),
    }
}

fn find(root: &Path, tool: &Tool, fence: &Fence) -> Result<Option<Folder>, HomeError> {
    match Place::new(root, &tool.home, TOOL, tool.uid, tool.uid)?.folder(fence) {
        Err(HomeError::NoParent(_)) => Ok(None),
        found => found.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(root: &Path) -> Tool {
        Tool {
            name: "alpha".parse().unwrap(),
            uid: rustix::process::geteuid().as_raw(),
            home: root.join("alpha"),
            maintainers: vec![],
            locked: true,
        }
    }

    #[test]
    fn the_mark_comes_and_goes_and_follows_no_link() {
        let root = tempfile::tempdir().unwrap();
        let tool = tool(root.path());
        put(root.path(), &tool, &Fence::default()).unwrap();
        assert!(!tool.home.exists(), "no home is made for a mark");
        let asked = || {
            (
                wants_mark(root.path(), &tool).unwrap(),
                is_marked(root.path(), &tool).unwrap(),
            )
        };
        assert_eq!(asked(), (false, false));
        std::fs::create_dir(&tool.home).unwrap();
        let (secret, mark) = (root.path().join("secret"), tool.home.join(DISABLED));
        std::fs::write(&secret, "kept").unwrap();
        std::os::unix::fs::symlink(&secret, &mark).unwrap();
        assert_eq!(asked(), (true, true));
        put(root.path(), &tool, &Fence::default()).unwrap();
        assert_eq!(asked(), (false, true));
        assert!(mark.symlink_metadata().unwrap().is_file());
        put(root.path(), &tool, &Fence::default()).unwrap();
        remove(root.path(), &tool, &Fence::default()).unwrap();
        assert!(mark.symlink_metadata().is_err());
        std::os::unix::fs::symlink(&secret, &mark).unwrap();
        remove(root.path(), &tool, &Fence::default()).unwrap();
        remove(root.path(), &tool, &Fence::default()).unwrap();
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), "kept");
    }

    #[test]
    fn a_home_behind_a_link_or_of_somebody_else_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let mut tool = tool(root.path());
        std::os::unix::fs::symlink(other.path(), &tool.home).unwrap();
        assert!(matches!(
            put(root.path(), &tool, &Fence::default()),
            Err(HomeError::File(_))
        ));
        assert!(wants_mark(root.path(), &tool).is_err());
        tool.home = "/elsewhere/alpha".into();
        assert!(matches!(
            put(root.path(), &tool, &Fence::default()),
            Err(HomeError::Elsewhere { .. })
        ));
        assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 0);
    }
}
