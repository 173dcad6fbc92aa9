//! The data folder of one machine's platform: what lies where, who may read it, and whose it is now.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

/// Folders that tools walk through: their homes and the program lie below.
const OPEN: u32 = 0o755;
/// Folders with keys in them.
const CLOSED: u32 = 0o700;

/// Where root keeps the data: below /var/lib, since tools with user ids of their own must reach their
/// homes, and root's home is closed to them.
const ROOT_DATA: &str = "/var/lib/toolforge";

/// The paths of one data folder.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The folder that was asked for, or the default of this user.
    pub(crate) fn settle(asked: Option<&Path>) -> anyhow::Result<Self> {
        let root = match asked {
            Some(path) => path.to_owned(),
            None if rustix::process::geteuid().is_root() => PathBuf::from(ROOT_DATA),
            None => user_data()?,
        };
        let root =
            std::path::absolute(&root).with_context(|| format!("--data: {} is no path", root.display()))?;
        Ok(Self { root })
    }

    /// How commands are told of this folder: not at all where they find it by themselves.
    pub(crate) fn flag(&self) -> String {
        match Self::settle(None) {
            Ok(default) if default.root == self.root => String::new(),
            _ => format!(" --data {}", self.root.display()),
        }
    }

    /// Makes the folders that are not there.
    pub(crate) fn create(&self) -> anyhow::Result<()> {
        for (folder, mode) in [
            (self.root.clone(), OPEN),
            (self.bin(), OPEN),
            (self.homes(), OPEN),
            (self.tool_homes(), OPEN),
            (self.user_homes(), OPEN),
            (self.pki(), CLOSED),
            (self.store(), CLOSED),
            (self.directory(), CLOSED),
            (self.node(), CLOSED),
            (self.gateway(), CLOSED),
            (self.status(), CLOSED),
        ] {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(mode)
                .create(&folder)
                .and_then(|()| std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)))
                .with_context(|| {
                    format!(
                        "{} cannot be made; name a folder of yours with --data DIR",
                        folder.display()
                    )
                })?;
        }
        Ok(())
    }

    /// Takes the folder for this process; it stays taken until the returned file is closed.
    pub(crate) fn lock(&self) -> anyhow::Result<File> {
        let path = self.root.join("lock");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("{} cannot be opened", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // Only to say who it is; the lock is what counts.
                let _ = file.read_to_string(&mut holder);
                bail!(
                    "the platform is already running on {} (process {}); stop it, or name another folder with --data DIR",
                    self.root.display(),
                    holder.trim()
                );
            }
            Err(error) => return Err(error).with_context(|| format!("{} cannot be locked", path.display())),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(file)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The program under its several names, for tools' PATH.
    pub(crate) fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    pub(crate) fn homes(&self) -> PathBuf {
        self.root.join("homes")
    }

    pub(crate) fn tool_homes(&self) -> PathBuf {
        self.homes().join("tools")
    }

    pub(crate) fn user_homes(&self) -> PathBuf {
        self.homes().join("users")
    }

    /// The objects of removed tools.
    pub(crate) fn archive(&self) -> PathBuf {
        self.root.join("archive")
    }

    pub(crate) fn pki(&self) -> PathBuf {
        self.root.join("pki")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// The key of the store: beside it, where the API looks for it.
    pub(crate) fn store_key(&self) -> PathBuf {
        self.root.join("store.key")
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.root.join("directory")
    }

    pub(crate) fn node(&self) -> PathBuf {
        self.root.join("node")
    }

    pub(crate) fn gateway(&self) -> PathBuf {
        self.root.join("gateway")
    }

    /// What the status pages keep.
    fn status(&self) -> PathBuf {
        self.root.join("status")
    }

    /// The requests of the last day, for their charts.
    pub(crate) fn traffic(&self) -> PathBuf {
        self.status().join("traffic.json")
    }

    /// The last table of the gateway.
    pub(crate) fn table(&self) -> PathBuf {
        self.gateway().join("table.json")
    }

    /// What has registered with the gateway.
    pub(crate) fn registrations(&self) -> PathBuf {
        self.gateway().join("registrations.json")
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.root.join("settings.json")
    }

    /// Where Prometheus finds everything.
    pub(crate) fn targets(&self) -> PathBuf {
        self.root.join("prometheus/targets.json")
    }

    pub(crate) fn admin_kubeconfig(&self) -> PathBuf {
        self.root.join("admin.kubeconfig")
    }

    /// The certificate of the authority that signs what visitors see.
    pub(crate) fn web_authority(&self) -> PathBuf {
        self.pki().join("web-ca.crt")
    }
}

fn user_data() -> anyhow::Result<PathBuf> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let data = variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")));
    let data = data.context("neither HOME nor XDG_DATA_HOME is set; name a folder with --data DIR")?;
    Ok(data.join("toolforge"))
}
