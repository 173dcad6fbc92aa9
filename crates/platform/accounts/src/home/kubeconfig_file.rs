//! The kubeconfig in a home: what is ours is put into it, and what users wrote stays. What it has to say is `kubeconfig.rs`.

use toolforge_model::Chain;

use super::{Home, KUBECONFIG_MODE, LARGEST_KUBECONFIG_BYTES};
use crate::{
    files::{FileError, Folder},
    kubeconfig::{self, Access, Unreadable},
};

/// The file in `.kube`.
const CONFIG: &str = "config";

/// Why a kubeconfig is not what it should be.
#[derive(Debug, thiserror::Error)]
enum KubeconfigError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("it is not text")]
    NotText,
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl KubeconfigError {
    /// The reason for which it has to be left as it is: something that whoever has the home put there and can put right. Everything else
    /// is no matter of the kubeconfig.
    fn left(self) -> Result<String, FileError> {
        match self {
            Self::File(error) if !error.is_in_the_way() => Err(error),
            left => Ok(Chain(&left).to_string()),
        }
    }
}

impl Home {
    /// Puts our entries into the kubeconfig; a sentence when what is there has to be left as it is.
    pub(crate) fn put_kubeconfig(&self, access: &Access) -> Result<Option<String>, FileError> {
        let Err(error) = self.try_kubeconfig(access) else {
            return Ok(None);
        };
        let reason = error.left()?;
        Ok(Some(format!(
            "{} is left as it is: {reason}; correct the file, or move it away to get a new one",
            self.folder.path().join(".kube/config").display()
        )))
    }

    fn try_kubeconfig(&self, access: &Access) -> Result<(), KubeconfigError> {
        let folder = self.folder.ensure(".kube", self.layout.kube_mode, self.owner)?;
        if wanted(Some(&folder), access)?.is_none() {
            return Ok(folder.drop_own_lock(CONFIG)?);
        }
        self.folder.sweep()?;
        folder.sweep()?;
        folder.with_lock(CONFIG, || {
            // What counts is what it is now that nobody changes it.
            match wanted(Some(&folder), access)? {
                Some(new) => Ok(folder.write(CONFIG, new.as_bytes(), KUBECONFIG_MODE, self.owner)?),
                None => Ok(()),
            }
        })
    }

    /// Whether [`Self::put_kubeconfig`] would write; why not, when what is there has to be left as it is.
    pub(crate) fn wants_kubeconfig(&self, access: &Access) -> Result<Result<bool, String>, FileError> {
        let folder = self.folder.open(".kube").map_err(KubeconfigError::from);
        match folder.and_then(|folder| wanted(folder.as_ref(), access)) {
            Ok(new) => Ok(Ok(new.is_some())),
            Err(error) => error.left().map(Err),
        }
    }
}

/// What has to be written as `config` in the folder `.kube`, where there is one; none when it is right already.
fn wanted(folder: Option<&Folder>, access: &Access) -> Result<Option<String>, KubeconfigError> {
    let existing = match folder {
        Some(folder) => folder.read(CONFIG, LARGEST_KUBECONFIG_BYTES)?,
        None => None,
    };
    let text = existing.as_deref().map(std::str::from_utf8).transpose();
    let text = text.map_err(|_| KubeconfigError::NotText)?;
    Ok(kubeconfig::merge(text, access)?)
}
