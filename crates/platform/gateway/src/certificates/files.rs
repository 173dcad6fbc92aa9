//! Certificates out of files, and what is wrong with them. `follow` reads them again when they change.
//!
//! **Invariant:** a file that does not work takes no certificate away: what it held before is shown on.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use toolforge_pki::{Identity, ServerCertificate, ServerCertificateError};

/// The ending of a certificate's file in a folder; that of its key stands beside it.
const CERTIFICATE_ENDING: &str = "crt";
pub(super) const KEY_ENDING: &str = "key";

/// Where the settings say that certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A folder, in which every `NAME.crt` is a certificate with its key in `NAME.key`.
    Folder(PathBuf),
    /// One certificate.
    Files(CertificateFiles),
}

/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificateFiles {
    /// The certificate and those it stands on, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// Why files hold no certificate that can be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileProblem {
    #[error("{} cannot be read: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{}: {error}", path.display())]
    Unusable {
        path: PathBuf,
        error: ServerCertificateError,
    },
}

impl CertificateFiles {
    pub(super) fn read(&self) -> Result<ServerCertificate, FileProblem> {
        let text = |path: &Path| {
            fs::read_to_string(path).map_err(|error| FileProblem::Unreadable {
                path: path.to_owned(),
                error,
            })
        };
        let identity = Identity {
            certificate_pem: text(&self.certificate)?,
            key_pem: text(&self.key)?,
        };
        ServerCertificate::read(&identity).map_err(|error| self.blame(error))
    }

    fn blame(&self, error: ServerCertificateError) -> FileProblem {
        let path = if error.is_of_certificate() {
            &self.certificate
        } else {
            &self.key
        };
        FileProblem::Unusable {
            path: path.clone(),
            error,
        }
    }
}

/// The certificates that were read, and what is wrong now.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) held: BTreeMap<CertificateFiles, ServerCertificate>,
    /// What was said already, so that it is not said at every change of another file.
    said: BTreeMap<PathBuf, String>,
}

impl Read {
    /// Reads everything in these places again.
    pub(super) fn again(&mut self, places: &[Place], now: SystemTime) {
        let mut said = BTreeMap::new();
        let mut held = BTreeMap::new();
        for files in self.files_in(places, &mut said) {
            let read = files.read().and_then(|certificate| {
                let names = certificate.with_names();
                names.map_err(|error| files.blame(error))
            });
            let certificate = match read {
                Ok(certificate) => certificate,
                Err(problem) => {
                    said.insert(files.certificate.clone(), problem.to_string());
                    let Some(before) = self.held.remove(&files) else {
                        continue;
                    };
                    before
                }
            };
            if certificate.not_after() < now {
                let path = files.certificate.display();
                let problem = format!("{path} is no longer valid, and visitors are warned of it; renew it");
                said.entry(files.certificate.clone()).or_insert(problem);
            }
            held.insert(files, certificate);
        }
        for (path, problem) in &said {
            if self.said.get(path) != Some(problem) {
                tracing::error!("a certificate cannot be used: {problem}; what was before stays");
            }
        }
        *self = Self { held, said };
    }

    /// The files in these places; of a folder that cannot be read those that it had.
    fn files_in(&self, places: &[Place], said: &mut BTreeMap<PathBuf, String>) -> Vec<CertificateFiles> {
        let mut found = Vec::new();
        for place in places {
            match place {
                Place::Files(files) => found.push(files.clone()),
                Place::Folder(folder) => match certificates_in(folder) {
                    Ok(files) => found.extend(files),
                    Err(error) => {
                        let problem = FileProblem::Unreadable {
                            path: folder.clone(),
                            error,
                        };
                        said.insert(folder.clone(), problem.to_string());
                        let had = self.held.keys();
                        found.extend(
                            had.filter(|files| files.certificate.parent() == Some(folder))
                                .cloned(),
                        );
                    }
                },
            }
        }
        found
    }
}

fn certificates_in(folder: &Path) -> io::Result<Vec<CertificateFiles>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new(CERTIFICATE_ENDING)) {
            found.push(CertificateFiles {
                key: path.with_extension(KEY_ENDING),
                certificate: path,
            });
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use toolforge_pki::Authority;

    use super::*;

    fn put(folder: &Path, name: &str, identity: &Identity) {
        fs::write(folder.join(format!("{name}.crt")), &identity.certificate_pem).unwrap();
        fs::write(folder.join(format!("{name}.key")), &identity.key_pem).unwrap();
    }

    fn names(read: &Read) -> Vec<&str> {
        let names = read.held.values().flat_map(ServerCertificate::dns_names);
        names.map(String::as_str).collect()
    }

    #[test]
    fn what_does_not_work_leaves_what_was_before_and_what_is_gone_is_gone() {
        let authority = Authority::create("test").unwrap();
        let issue = |name: &str| authority.issue_server(&[name]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let places = [Place::Folder(folder.path().to_owned())];
        let (mut read, now) = (Read::default(), SystemTime::now());
        put(folder.path(), "a", &issue("a.test"));
        put(folder.path(), "b", &issue("b.test"));
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        read.again(&places, now);
        assert_eq!(names(&read), ["a.test", "b.test"]);
        assert!(read.said.is_empty());
        // The key of another certificate, and no certificate at all.
        fs::write(folder.path().join("a.key"), issue("a.test").key_pem).unwrap();
        fs::write(folder.path().join("b.crt"), "soon").unwrap();
        fs::write(folder.path().join("c.crt"), issue("c.test").certificate_pem).unwrap();
        read.again(&places, now);
        assert_eq!(names(&read), ["a.test", "b.test"]);
        let said: Vec<&str> = read.said.values().map(String::as_str).collect();
        for (problem, [file, reason]) in said.iter().zip([
            ["a.key", "this key is not that of the certificate"],
            ["b.crt", "holds no certificate"],
            ["c.key", "cannot be read"],
        ]) {
            assert!(problem.contains(file) && problem.contains(reason), "{problem}");
        }
        put(folder.path(), "a", &issue("new.test"));
        fs::remove_file(folder.path().join("b.crt")).unwrap();
        fs::remove_file(folder.path().join("c.crt")).unwrap();
        read.again(&places, now);
        assert_eq!(names(&read), ["new.test"]);
        assert!(read.said.is_empty(), "{:?}", read.said);
        folder.close().unwrap();
        read.again(&places, now);
        assert_eq!(
            names(&read),
            ["new.test"],
            "a folder that is not there takes nothing away"
        );
    }

    #[test]
    fn one_that_is_no_longer_valid_is_shown_and_told() {
        let identity = Authority::create("test")
            .unwrap()
            .issue_server(&["a.test"])
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "a", &identity);
        let mut read = Read::default();
        let places = [Place::Folder(folder.path().to_owned())];
        read.again(&places, SystemTime::now() + Duration::from_hours(24 * 400));
        assert_eq!(names(&read), ["a.test"]);
        assert!(
            read.said
                .values()
                .all(|problem| problem.contains("no longer valid"))
        );
        assert_eq!(read.said.len(), 1);
    }
}
