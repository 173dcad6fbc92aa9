//! What an account has in its home: the home itself, a key with its certificate, and a kubeconfig.
//!
//! Blocking; called on the threads of `file_work.rs`. All file work goes through `files.rs`.
//!
//! Key and certificate change together, in the way in which the kubelet replaces the files of a Secret: each
//! pair is written into a folder of its own, `.pair-...`; the link `.current` names the pair in use, and the
//! files that everybody knows, `client.crt` and `client.key`, are links through it. One rename of `.current`
//! replaces both. The kubeconfig names the two by path, so a renewal does not have to touch what a user wrote.

use std::path::{Component, Path, PathBuf};

use toolforge_pki::Identity;

use crate::{
    election::Fence,
    files::{FileError, Folder, Owner},
};

mod kubeconfig_file;
#[cfg(test)]
mod tests;

/// Links in the credentials folder: the pair in use, and the two well-known names.
const CURRENT: &str = ".current";
const CERTIFICATE: &str = "client.crt";
const KEY: &str = "client.key";
const PAIR: &str = ".pair-";

/// A key or certificate is a few kilobytes at most.
const LARGEST_PEM_BYTES: u64 = 64 * 1024;

/// A kubeconfig of more than a megabyte is none.
const LARGEST_KUBECONFIG_BYTES: u64 = 1024 * 1024;

/// Only the owner reads key and certificate, and nobody writes them.
const CREDENTIAL_MODE: u32 = 0o400;

const KUBECONFIG_MODE: u32 = 0o600;

/// What differs between the homes of tools and of admins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) home_mode: u32,
    pub(crate) kube_mode: u32,
    pub(crate) credentials: &'static str,
    pub(crate) credentials_mode: u32,
    pub(crate) logs: bool,
}

/// A tool's home is open to its group, and what is made in it belongs to that group.
pub(crate) const TOOL: Layout = Layout {
    home_mode: 0o2775,
    kube_mode: 0o775,
    credentials: ".toolskube",
    credentials_mode: 0o700,
    logs: true,
};

/// An admin's home is private.
pub(crate) const ADMIN: Layout = Layout {
    home_mode: 0o2700,
    kube_mode: 0o700,
    credentials: ".admkube",
    credentials_mode: 0o700,
    logs: false,
};

/// Why a home cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HomeError {
    /// The directory names a home elsewhere.
    #[error(
        "homeDirectory is {}, and homes are made and used below {} only; correct the attribute in the directory",
        home.display(), root.display()
    )]
    Elsewhere { home: PathBuf, root: PathBuf },
    /// The home is somebody else's.
    #[error("the home {} belongs to user id {found}, not {wanted}; correct its owner, or homeDirectory or uidNumber in the directory", home.display())]
    NotOwned { home: PathBuf, found: u32, wanted: u32 },
    /// A folder on the way is missing.
    #[error("the folder {} does not exist, only the last part of homeDirectory is made; make it, or correct the attribute", .0.display())]
    NoParent(PathBuf),
    /// The system, or something in the way.
    #[error(transparent)]
    File(#[from] FileError),
}

/// One home, with how to treat it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) root: PathBuf,
    pub(crate) parts: Vec<String>,
    pub(crate) layout: Layout,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Place {
    /// The place of a home, if it may be there.
    pub(crate) fn new(
        root: &Path,
        home: &Path,
        layout: Layout,
        uid: u32,
        gid: u32,
    ) -> Result<Self, HomeError> {
        let elsewhere = || HomeError::Elsewhere {
            home: home.to_owned(),
            root: root.to_owned(),
        };
        let relative = home.strip_prefix(root).map_err(|_| elsewhere())?;
        let parts: Option<Vec<String>> = relative
            .components()
            .map(|part| match part {
                Component::Normal(name) => name.to_str().map(str::to_owned),
                _ => None,
            })
            .collect();
        let parts = parts.filter(|parts| !parts.is_empty()).ok_or_else(elsewhere)?;
        Ok(Self {
            root: root.to_owned(),
            parts,
            layout,
            uid,
            gid,
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.parts
            .iter()
            .fold(self.root.clone(), |path, part| path.join(part))
    }

    /// Opens the home, made first where there is none, for changes while the fence is open.
    pub(crate) fn open(&self, fence: &Fence) -> Result<Home, HomeError> {
        let ours = rustix::process::geteuid();
        let owner = ours.is_root().then_some(Owner {
            uid: self.uid,
            gid: self.gid,
        });
        let mut folder = Folder::open_root(&self.root, fence)?;
        let (last, above) = self
            .parts
            .split_last()
            .map_or(("", &[][..]), |(last, above)| (last.as_str(), above));
        for part in above {
            folder = folder
                .open(part)?
                .ok_or_else(|| HomeError::NoParent(folder.path().join(part)))?;
        }
        let layout = self.layout;
        let home = if let Some(home) = folder.open(last)? {
            home
        } else {
            folder.make(last, layout.home_mode, owner, |new| {
                if layout.logs {
                    new.ensure("logs", layout.home_mode, owner).map(|_| ())
                } else {
                    Ok(())
                }
            })?;
            folder.ensure(last, layout.home_mode, owner)?
        };
        self.check_owner(&home)?;
        Ok(Home {
            folder: home,
            owner,
            layout,
        })
    }

    /// Opens the home to look at it, and makes nothing; none where only the last folder is missing.
    pub(crate) fn existing(&self) -> Result<Option<Home>, HomeError> {
        let folder = match self.folder(&Fence::default()) {
            Err(HomeError::NoParent(missing)) if missing == self.path() => return Ok(None),
            found => found?,
        };
        Ok(Some(Home {
            folder,
            owner: None,
            layout: self.layout,
        }))
    }

    /// The folder of the home, if it may be used; where one on the way is missing, which.
    pub(crate) fn folder(&self, fence: &Fence) -> Result<Folder, HomeError> {
        let mut folder = Folder::open_root(&self.root, fence)?;
        for part in &self.parts {
            folder = folder
                .open(part)?
                .ok_or_else(|| HomeError::NoParent(folder.path().join(part)))?;
        }
        self.check_owner(&folder)?;
        Ok(folder)
    }

    /// A home of another tool must not get this one's credentials. Root's is the operator's doing.
    fn check_owner(&self, home: &Folder) -> Result<(), HomeError> {
        let (found, ours) = (home.owner()?, rustix::process::geteuid().as_raw());
        if found == self.uid || found == ours {
            return Ok(());
        }
        Err(HomeError::NotOwned {
            home: home.path().to_owned(),
            found,
            wanted: self.uid,
        })
    }
}

/// An open home.
#[derive(Debug)]
pub(crate) struct Home {
    folder: Folder,
    owner: Option<Owner>,
    layout: Layout,
}

impl Home {
    /// The certificate in use, when all of the files are in their places.
    pub(crate) fn certificate(&self) -> Result<Option<String>, FileError> {
        let Some(folder) = self.folder.open(self.layout.credentials)? else {
            return Ok(None);
        };
        let Some(pair) = folder.link_text(CURRENT)?.filter(|name| is_pair(name)) else {
            return Ok(None);
        };
        for name in [CERTIFICATE, KEY] {
            if folder.link_text(name)? != Some(format!("{CURRENT}/{name}")) {
                return Ok(None);
            }
        }
        // Whatever a tool made of the pair itself, new files will put right: what cannot be read counts as missing.
        let Some(pair) = FileError::forgive(folder.open(&pair))?.flatten() else {
            return Ok(None);
        };
        let text = |name| -> Result<Option<String>, FileError> {
            let bytes = FileError::forgive(pair.read(name, LARGEST_PEM_BYTES))?;
            Ok(bytes.flatten().and_then(|bytes| String::from_utf8(bytes).ok()))
        };
        let is_key = text(KEY)?.is_some_and(|key| key.contains("PRIVATE KEY"));
        Ok(text(CERTIFICATE)?.filter(|_| is_key))
    }

    /// Puts a new key and certificate in the place of the old, both at once.
    pub(crate) fn put_credentials(&self, identity: &Identity) -> Result<(), FileError> {
        let folder = self
            .folder
            .ensure(self.layout.credentials, self.layout.credentials_mode, self.owner)?;
        self.folder.sweep()?;
        folder.sweep()?;
        let pair = format!("{PAIR}{:016x}", rand::random::<u64>());
        folder.make(&pair, self.layout.credentials_mode, self.owner, |pair| {
            pair.write(
                CERTIFICATE,
                identity.certificate_pem.as_bytes(),
                CREDENTIAL_MODE,
                self.owner,
            )?;
            pair.write(KEY, identity.key_pem.as_bytes(), CREDENTIAL_MODE, self.owner)
        })?;
        folder.link(CURRENT, &pair, self.owner)?;
        for name in [CERTIFICATE, KEY] {
            let through = format!("{CURRENT}/{name}");
            if folder.link_text(name)?.as_deref() != Some(through.as_str()) {
                folder.link(name, &through, self.owner)?;
            }
        }
        for old in folder
            .names()?
            .iter()
            .filter(|name| is_pair(name) && **name != pair)
        {
            folder.remove_old(old)?;
        }
        Ok(())
    }
}

impl Layout {
    /// Where a kubeconfig finds certificate and key, from its own folder.
    pub(crate) fn credential_paths(&self) -> (String, String) {
        (
            format!("../{}/{CERTIFICATE}", self.credentials),
            format!("../{}/{KEY}", self.credentials),
        )
    }
}

fn is_pair(name: &str) -> bool {
    name.strip_prefix(PAIR)
        .is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
