//! What is on the disk for what was asked.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::Read as _,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::{Site, path::Asked, path::WELL_KNOWN};

/// How much of a text is looked at to tell whether it is UTF-8.
const LOOK_BYTES: u64 = 8192;

/// Where scripts end their name.
const SCRIPT: &[u8] = b".php";

/// What there is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    File(File),
    /// A script, to be run by whoever runs scripts here.
    Script(Script),
    /// A folder that was not asked for as one.
    Folder,
    /// A folder that is shown by what is in it.
    List(Vec<Entry>),
    Missing,
}

/// A file to serve.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Where it is, without links.
    pub(super) path: PathBuf,
    /// The name that it was asked for by, which tells its type.
    pub(super) name: OsString,
    /// Whether its beginning is UTF-8.
    pub(super) utf8: bool,
    /// Which compressed forms lie beside it, by their endings.
    pub(super) beside: Vec<&'static str>,
}

/// A script to run.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Script {
    /// Where it is, by the path that was asked for.
    pub(in super::super) path: PathBuf,
    /// Its path in the site, decoded.
    pub(in super::super) name: Vec<u8>,
    /// What was asked of it beyond its name: nothing, or a path.
    pub(in super::super) info: Vec<u8>,
}

/// One of a folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: OsString,
    pub(super) folder: bool,
    pub(super) size_bytes: u64,
    pub(super) modified: Option<std::time::SystemTime>,
}

impl Site {
    /// Looks.
    pub(super) fn find(&self, asked: &Asked) -> Found {
        if self.scripts.is_some()
            && let Some(script) = self.script(asked)
        {
            return Found::Script(script);
        }
        let path = asked.below(&self.root);
        let Some(real) = self.real(&path) else {
            return Found::Missing;
        };
        if real.is_file() {
            // The files of a folder are not a folder.
            if asked.is_folder() {
                return Found::Missing;
            }
            return self.file(real, path.file_name().unwrap_or_default());
        }
        if !real.is_dir() {
            return Found::Missing;
        }
        if !asked.is_folder() {
            return Found::Folder;
        }
        self.folder(asked, &path, &real)
    }

    fn folder(&self, asked: &Asked, path: &Path, real: &Path) -> Found {
        for name in self.index {
            if let Some(file) = self.real(&path.join(name)).filter(|file| file.is_file()) {
                if is_script(name.as_bytes()) {
                    return Found::Script(Script {
                        path: path.join(name),
                        name: [&joined(asked.names())[..], b"/", name.as_bytes()].concat(),
                        info: Vec::new(),
                    });
                }
                return self.file(file, OsStr::new(name));
            }
        }
        let folder = asked.folder_path();
        let listed = self
            .lists
            .iter()
            .any(|list| folder.starts_with(&format!("/{}/", list.trim_matches('/'))) || list == "/");
        if listed {
            Found::List(self.entries(real))
        } else {
            Found::Missing
        }
    }

    fn file(&self, path: PathBuf, name: &OsStr) -> Found {
        // What is meant to be run is nobody's to read.
        if is_script(name.as_bytes()) || path.extension().is_some_and(|extension| extension == "php") {
            return Found::Missing;
        }
        // As the original's lighttpd had it: what editors leave behind, and what scripts include.
        let of_scripts = [&b"~"[..], b".inc"].map(|ending| name.as_bytes().ends_with(ending));
        if self.scripts.is_some() && of_scripts.contains(&true) {
            return Found::Missing;
        }
        let beside = ["br", "zst", "gz"].into_iter().filter(|ending| {
            let mut other = path.clone().into_os_string();
            other.push(".");
            other.push(ending);
            self.real(Path::new(&other)).is_some_and(|other| other.is_file())
        });
        let beside = beside.collect();
        Found::File(File {
            utf8: begins_as_utf8(&path),
            name: name.to_owned(),
            beside,
            path,
        })
    }

    /// The first name that is a script; what follows is for it.
    fn script(&self, asked: &Asked) -> Option<Script> {
        let names = asked.names();
        let at = (0..names.len()).find(|at| {
            is_script(&names[*at]) && {
                let mut path = self.root.clone();
                path.extend(names[..=*at].iter().map(|name| OsStr::from_bytes(name)));
                self.real(&path).is_some_and(|file| file.is_file())
            }
        })?;
        let mut path = self.root.clone();
        path.extend(names[..=at].iter().map(|name| OsStr::from_bytes(name)));
        let mut info = joined(&names[at + 1..]);
        if asked.is_folder() {
            info.push(b'/');
        }
        Some(Script {
            path,
            name: joined(&names[..=at]),
            info,
        })
    }

    /// Where a path leads, if it is there and leads to where links may, by no hidden name.
    fn real(&self, path: &Path) -> Option<PathBuf> {
        let real = path.canonicalize().ok()?;
        let below = self
            .inside
            .iter()
            .find_map(|folder| real.strip_prefix(folder).ok())?;
        let hidden = below.components().enumerate().any(|(at, part)| {
            let name = part.as_os_str().as_bytes();
            name.starts_with(b".") && !(at == 0 && name == WELL_KNOWN)
        });
        (!hidden).then_some(real)
    }

    fn entries(&self, folder: &Path) -> Vec<Entry> {
        let mut entries: Vec<Entry> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .filter(|entry| !entry.file_name().as_bytes().starts_with(b"."))
            .filter_map(|entry| {
                let file = self.real(&entry.path())?.metadata().ok()?;
                (file.is_file() || file.is_dir()).then(|| Entry {
                    name: entry.file_name(),
                    folder: file.is_dir(),
                    size_bytes: file.len(),
                    modified: file.modified().ok(),
                })
            })
            .collect();
        entries.sort_by(|one, other| other.folder.cmp(&one.folder).then(one.name.cmp(&other.name)));
        entries
    }
}

/// `/a/b`, or nothing.
fn joined(names: &[Vec<u8>]) -> Vec<u8> {
    names.iter().fold(Vec::new(), |mut path, name| {
        path.push(b'/');
        path.extend_from_slice(name);
        path
    })
}

fn is_script(name: &[u8]) -> bool {
    name.len() > SCRIPT.len() && name.ends_with(SCRIPT)
}

fn begins_as_utf8(path: &Path) -> bool {
    let mut beginning = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(LOOK_BYTES).read_to_end(&mut beginning));
    // A character may be cut off at the end of what was looked at, but not at the end of a file.
    let cut = beginning.len() as u64 == LOOK_BYTES;
    let utf8 = match std::str::from_utf8(&beginning) {
        Ok(_) => true,
        Err(error) => cut && error.error_len().is_none(),
    };
    read.is_ok() && utf8
}
