//! The sample directory, for a platform that was told of none: three maintainers, an admin, and two tools
//! with something to serve in their homes.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown, fchown},
    path::Path,
};

use anyhow::Context as _;

const LDIF: &str = include_str!("../../sample/directory.ldif");

/// A file in the home of a sample tool.
struct SampleFile {
    tool: &'static str,
    uid: u32,
    path: &'static str,
    content: &'static str,
}

const FILES: [SampleFile; 3] = [
    SampleFile {
        tool: "hello",
        uid: 50_000,
        path: "public_html/index.html",
        content: include_str!("../../sample/hello/index.html"),
    },
    SampleFile {
        tool: "hello",
        uid: 50_000,
        path: "public_html/style.css",
        content: include_str!("../../sample/hello/style.css"),
    },
    SampleFile {
        tool: "clock",
        uid: 50_001,
        path: "www/python/src/app.py",
        content: include_str!("../../sample/clock/app.py"),
    },
];

/// The directory's entries, with homes below these folders.
pub(super) fn ldif(tool_homes: &Path, user_homes: &Path, base: &str) -> String {
    LDIF.replace("{base}", base)
        .replace("{tools}", &tool_homes.to_string_lossy())
        .replace("{users}", &user_homes.to_string_lossy())
}

/// Writes the tools' homes, owned by the tools where this process may give files away. What is there
/// already is left alone.
pub(super) fn write_homes(tool_homes: &Path) -> anyhow::Result<()> {
    for file in FILES {
        write(&tool_homes.join(file.tool), &file)
            .with_context(|| format!("the sample home of {} cannot be written", file.tool))?;
    }
    Ok(())
}

fn write(home: &Path, file: &SampleFile) -> std::io::Result<()> {
    let root = rustix::process::geteuid().is_root();
    let mut folder = home.to_owned();
    make_folder(&folder, 0o2775, file.uid, root)?;
    let mut parts = Path::new(file.path).iter().peekable();
    while let Some(part) = parts.next() {
        folder.push(part);
        if parts.peek().is_some() {
            make_folder(&folder, 0o2775, file.uid, root)?;
        }
    }
    let opened = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o664)
        .open(&folder);
    let mut opened = match opened {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        opened => opened?,
    };
    std::io::Write::write_all(&mut opened, file.content.as_bytes())?;
    if root {
        fchown(&opened, Some(file.uid), Some(file.uid))
    } else {
        Ok(())
    }
}

fn make_folder(path: &Path, mode: u32, uid: u32, root: bool) -> std::io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        created => created?,
    }
    if root {
        chown(path, Some(uid), Some(uid))?;
    }
    // After the owner, whose change would drop setgid; and not at the making, where the umask has a say.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
