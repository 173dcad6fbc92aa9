//! The directory's two passwords: made at the first start, kept where only the operator reads them.

use std::path::Path;

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// A password: 256 random bits, kept in a file. Reads it, or makes it.
pub(crate) fn password(folder: &Path, name: &str) -> anyhow::Result<String> {
    let path = folder.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
    let password = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    toolforge_pki::write_private(&path, password.as_bytes())?;
    Ok(password)
}

/// The file of the password that may write to the directory.
pub(crate) const DIRECTORY_ADMIN: &str = "admin.password";
/// The file of the password that may read the directory.
pub(crate) const DIRECTORY_READER: &str = "reader.password";
