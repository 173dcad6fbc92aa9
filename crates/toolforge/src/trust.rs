//! `toolforge trust`: the authority behind the certificates that visitors of this machine's tools see.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::{cli::DataArgs, up::layout::Layout};

pub(crate) fn run(arguments: &DataArgs) -> anyhow::Result<ExitCode> {
    let layout = Layout::settle(arguments.data.as_deref())?;
    let path = layout.web_authority();
    let pem = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "{} cannot be read; `toolforge up` makes it at its first start",
            path.display()
        )
    })?;
    // The certificate alone goes to standard output, so that it can be redirected into a file.
    anstream::print!("{pem}");
    anstream::eprintln!(
        "\nThis is the certificate of the authority that signed your tools' pages. It was made on this machine,\n\
         and its key never left it. To let this machine trust it:\n\n\
         \x20 Debian, Ubuntu   toolforge trust | sudo tee /usr/local/share/ca-certificates/toolforge.crt\n\
         \x20                  sudo update-ca-certificates\n\
         \x20 Firefox          Settings, Privacy & Security, View Certificates, Authorities, Import\n\
         \x20 Chromium         Settings, Privacy and security, Security, Manage certificates, Import\n\
         \x20 curl             toolforge trust > toolforge.crt; curl --cacert toolforge.crt https://..."
    );
    Ok(ExitCode::SUCCESS)
}
