//! The files that are to be checked: what the command line names, read and taken apart into objects.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use toolforge_manifest::{LONGEST_BYTES, Manifest, ReadError};

/// How the standard input is named.
const STANDARD_INPUT: &str = "-";
/// What the names of files of objects end with.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// A file and what is in it.
#[derive(Debug)]
pub(super) struct Source {
    /// As the user named it, or below the folder that was named; `-` for the standard input.
    pub(super) name: String,
    pub(super) content: Result<Vec<Manifest>, ReadError>,
}

/// Refuses to read the standard input for several things.
pub(super) fn check_standard_input<'a>(mut named: impl Iterator<Item = &'a Path>) -> anyhow::Result<()> {
    if named.by_ref().any(is_standard_input) && named.any(is_standard_input) {
        bail!("the standard input (-) can be read only once");
    }
    Ok(())
}

/// Reads all files, in the order in which they are named.
pub(super) fn read(named: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in named {
        if path.is_dir() {
            for file in files_in(path)? {
                sources.push(read_one(&file));
            }
        } else {
            sources.push(read_one(path));
        }
    }
    Ok(sources)
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == STANDARD_INPUT
}

/// The files of objects right in a folder, by name.
fn files_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("the folder {} cannot be read", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if ending.is_some_and(|ending| ENDINGS.contains(&ending)) && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!(
            "the folder {} has no file *.yaml, *.yml or *.json",
            folder.display()
        );
    }
    files.sort();
    Ok(files)
}

fn read_one(path: &Path) -> Source {
    let bytes = if is_standard_input(path) {
        bounded(&mut io::stdin().lock())
    } else {
        fs::File::open(path).and_then(|mut file| bounded(&mut file))
    };
    Source {
        name: path.display().to_string(),
        content: match bytes {
            Ok(bytes) => toolforge_manifest::read(&bytes),
            Err(error) => Err(ReadError {
                problem: error.to_string(),
                place: None,
            }),
        },
    }
}

/// All of it, or one byte more than is read of a file at all: whoever reads it says so.
fn bounded(from: &mut dyn io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(LONGEST_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    from.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_the_files_of_objects_in_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(&[folder.path().to_owned()]).is_err());
        for name in ["b.yml", "a.yaml", "c.json", "README.md", "d.yaml~"] {
            fs::write(folder.path().join(name), "{\"kind\": \"A\"}").unwrap();
        }
        fs::create_dir(folder.path().join("e.yaml")).unwrap();
        let sources = read(&[folder.path().to_owned()]).unwrap();
        let names: Vec<&str> = sources
            .iter()
            .map(|source| source.name.rsplit('/').next().unwrap())
            .collect();
        assert_eq!(names, ["a.yaml", "b.yml", "c.json"]);
        assert!(
            sources
                .iter()
                .all(|source| source.content.as_ref().unwrap().len() == 1)
        );
    }

    #[test]
    fn a_file_that_is_not_there_does_not_hide_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("a.yaml");
        fs::write(&there, "kind: A\n").unwrap();
        let sources = read(&[folder.path().join("missing.yaml"), there]).unwrap();
        assert!(sources[0].content.is_err() && sources[1].content.is_ok());
    }
}
