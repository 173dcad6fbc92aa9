//! Which directory a command speaks to: flags over the directory file over, for commands on this machine, what the
//! data folder says.
//!
//! Used by `accounts`, `tool` and `user`. What the values mean is for `toolforge_accounts::DirectorySettings`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use toolforge_accounts::{DirectorySettings, LdapAccess};

use crate::{
    settings::{DEFAULT_BASE, PROJECT, Settings},
    up::{layout::Layout, secrets},
};

/// How to reach a directory.
#[derive(Debug, Default, Args)]
pub(crate) struct DirectoryArgs {
    /// The directory file, YAML: servers, bases, filters, names of attributes (docs/operators.md)
    #[arg(long = "directory", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// A directory server, ldaps://HOST:PORT, or ldap://HOST:PORT with `StartTLS`; can be given more than once
    #[arg(long = "ldap-url", value_name = "URL")]
    pub(crate) ldap_urls: Vec<String>,
    /// The authority of the directory's certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) ldap_ca: Option<PathBuf>,
    /// Speak to ldap:// on a loopback address without TLS
    #[arg(long)]
    pub(crate) ldap_plaintext_on_loopback: bool,
    /// The name to bind with
    #[arg(long, value_name = "DN")]
    pub(crate) bind_dn: Option<String>,
    /// A file that holds the password to bind with
    #[arg(long, value_name = "FILE")]
    pub(crate) bind_password_file: Option<PathBuf>,
    /// The directory's base [default: dc=toolforge,dc=org]
    #[arg(long, value_name = "DN")]
    pub(crate) base: Option<String>,
    /// The project: accounts are called PROJECT.NAME [default: tools]
    #[arg(long)]
    pub(crate) project: Option<String>,
}

impl DirectoryArgs {
    /// Whether any directory is named; else it is that of this machine's platform.
    pub(crate) fn is_named(&self) -> bool {
        self.file.is_some() || !self.ldap_urls.is_empty()
    }

    /// The directory that is named.
    ///
    /// # Errors
    /// When a file cannot be read, or the settings do not work: all that is wrong with them.
    pub(crate) fn access(&self) -> anyhow::Result<LdapAccess> {
        let mut settings = match &self.file {
            Some(path) => DirectorySettings::read(&read(path)?)
                .with_context(|| format!("{} is not a directory file", path.display()))?,
            None => DirectorySettings::default(),
        };
        if !self.ldap_urls.is_empty() {
            settings.urls.clone_from(&self.ldap_urls);
        }
        settings.plaintext_on_loopback |= self.ldap_plaintext_on_loopback;
        let over = |given: &Option<String>, place: &mut Option<String>, default: &str| {
            if given.is_some() || place.is_none() {
                *place = Some(given.clone().unwrap_or_else(|| default.to_owned()));
            }
        };
        over(&self.base, &mut settings.base, DEFAULT_BASE);
        over(&self.project, &mut settings.project, PROJECT);
        if self.bind_dn.is_some() {
            settings.bind_dn.clone_from(&self.bind_dn);
        }
        if let Some(path) = self.ldap_ca.as_ref().or(settings.ca_file.as_ref()) {
            settings.ca_pem = Some(read(path)?);
        }
        let password = self.bind_password_file.as_ref();
        if let Some(path) = password.or(settings.bind_password_file.as_ref()) {
            settings.password = Some(read(path)?.trim_end_matches('\n').to_owned());
        }
        Ok(settings.resolve()?)
    }
}

/// The directory of a platform on this machine, with one of its two passwords.
pub(crate) fn local(
    layout: &Layout,
    settings: &Settings,
    ca_pem: &str,
    password: &str,
) -> anyhow::Result<LdapAccess> {
    let user = if password == secrets::DIRECTORY_ADMIN {
        "admin"
    } else {
        "reader"
    };
    let url = format!("ldaps://127.0.0.1:{}", settings.ports.ldap);
    Ok(LdapAccess::new(vec![url], &settings.base, PROJECT)
        .trusting(Some(ca_pem.to_owned()))
        .bound_as(
            format!("cn={user},{}", settings.base),
            secrets::password(&layout.directory(), password)?,
        ))
}

/// The directory of the platform in a data folder, as its administrator.
pub(crate) fn local_admin(layout: &Layout) -> anyhow::Result<(LdapAccess, Settings)> {
    let path = layout.settings();
    if let Err(error) = std::fs::File::open(&path)
        && error.kind() == std::io::ErrorKind::PermissionDenied
    {
        bail!(
            "{} cannot be read; it belongs to whoever runs the platform; use sudo",
            path.display()
        );
    }
    let settings = Settings::read(&path)?.context(
        "no platform was started on this data folder; `toolforge up` starts one, --data names another folder, and \
         --ldap-url another directory",
    )?;
    let ca_pem = read(&layout.pki().join("cluster-ca.crt"))?;
    let access = local(layout, &settings, &ca_pem, secrets::DIRECTORY_ADMIN)?;
    Ok((access, settings))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
