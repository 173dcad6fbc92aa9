//! What the machine, or the image, has to run tools with; what it has not is named with the Debian package
//! that has it.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// Where Debian has servers, which tools' PATH leaves out.
const SERVER_FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// A program, where there is one: in PATH, and where Debian has servers.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(SERVER_FOLDERS.map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| is_program(file))
}

/// The first of these that there is; otherwise a sentence that names the package of the first.
pub(super) fn need(programs: &[&str], package: &str, what: &str) -> Result<PathBuf, String> {
    programs.iter().find_map(|program| find(program)).ok_or_else(|| {
        format!(
            "{} is not installed here, and {what} needs it; it is in Debian's package {package}, which an operator can install",
            programs.join(" or ")
        )
    })
}

/// Whether this can be run.
pub(super) fn is_program(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        assert!(need(&["no-such-program", "sh"], "dash", "a shell script").is_ok());
        let error = need(&["no-such-program"], "no-such-package", "type none").unwrap_err();
        for part in ["no-such-program", "Debian's package no-such-package", "type none"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
