//! Files that are read at the start and again when they change: that of overrides (`--overrides` of `accounts` and `up`),
//! that of the gateway's settings (`--settings` of `gateway`, `--gateway-settings` of `up`), that of the balancer's
//! (`--settings` of `balance`), and the policy file as far as the gateway goes by it (`--policy` of `gateway`).

use std::{fmt, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use tokio::sync::watch;
use toolforge_accounts::Overrides;
use toolforge_balancer::{Balance, BalancerSettings};
use toolforge_gateway::{GatewaySettings, Rules};
use toolforge_policy::IngressPolicy;
use toolforge_serve::Notices;

use crate::policy;

/// A file, the flag that named it, and what its text is read as.
pub(crate) struct FollowedFile<T> {
    flag: &'static str,
    path: PathBuf,
    parse: Parse<T>,
}

type Parse<T> = Arc<dyn Fn(&str) -> anyhow::Result<T> + Send + Sync>;

impl<T> Clone for FollowedFile<T> {
    fn clone(&self) -> Self {
        Self {
            flag: self.flag,
            path: self.path.clone(),
            parse: self.parse.clone(),
        }
    }
}

impl<T> fmt::Debug for FollowedFile<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.flag, self.path.display())
    }
}

impl FollowedFile<Overrides> {
    /// The file of overrides.
    pub(crate) fn overrides(path: PathBuf) -> Self {
        Self {
            flag: "--overrides",
            path,
            parse: Arc::new(|text| Ok(Overrides::read(text)?)),
        }
    }
}

impl FollowedFile<Rules> {
    /// The file of the gateway's settings, as this flag named it.
    pub(crate) fn gateway(flag: &'static str, path: PathBuf) -> Self {
        Self {
            flag,
            path,
            parse: Arc::new(|text| Ok(GatewaySettings::read(text)?.resolve()?)),
        }
    }
}

impl FollowedFile<IngressPolicy> {
    /// What the policy file says of Ingresses, with the domains that flags add to it.
    pub(crate) fn policy(path: PathBuf, domains: Vec<String>) -> Self {
        let parse = move |text: &str| Ok(policy::of_text(text, &domains)?.resolve_ingress()?);
        Self {
            flag: "--policy",
            path,
            parse: Arc::new(parse),
        }
    }
}

impl FollowedFile<Balance> {
    /// The file of the balancer's settings.
    pub(crate) fn balancer(path: PathBuf) -> Self {
        Self {
            flag: "--settings",
            path,
            parse: Arc::new(|text| Ok(BalancerSettings::read(text)?.resolve()?)),
        }
    }
}

impl<T: PartialEq + Send + Sync + 'static> FollowedFile<T> {
    /// Reads it.
    ///
    /// # Errors
    /// When it cannot be read, or says what cannot be; all that is wrong at once.
    pub(crate) fn read(&self) -> anyhow::Result<T> {
        let text = std::fs::read_to_string(&self.path)
            .with_context(|| format!("{}: {} cannot be read", self.flag, self.path.display()))?;
        (self.parse)(&text).with_context(|| format!("{}: {}", self.flag, self.path.display()))
    }

    /// Reads it now, and again after each change for as long as anybody asks; what is wrong later is logged, and what was
    /// before stays. To be called within the runtime.
    ///
    /// # Errors
    /// Those of [`Self::read`], and when the folder of the file cannot be watched.
    pub(crate) fn follow(self) -> anyhow::Result<watch::Receiver<Arc<T>>> {
        // Watched before it is read: what changes meanwhile is read again.
        let notices = Notices::of(&[&self.path]).context(self.flag)?;
        let (sender, receiver) = watch::channel(Arc::new(self.read()?));
        tokio::spawn(self.read_again(notices, sender));
        Ok(receiver)
    }

    async fn read_again(self, mut notices: Notices, sender: watch::Sender<Arc<T>>) {
        loop {
            tokio::select! {
                () = sender.closed() => return,
                may_come = notices.next() => {
                    if !may_come {
                        return;
                    }
                }
            }
            match self.read() {
                Ok(new) => {
                    sender.send_if_modified(|old| {
                        let is_new = **old != new;
                        if is_new {
                            *old = Arc::new(new);
                        }
                        is_new
                    });
                }
                Err(error) => tracing::error!("{error:#}; what was before stays"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::*;

    fn says(text: &str) -> Arc<Overrides> {
        Arc::new(Overrides::read(text).unwrap())
    }

    fn replace(path: &Path, text: &str) {
        let beside = path.with_extension("new");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, path).unwrap();
    }

    async fn next(receiver: &mut watch::Receiver<Arc<Overrides>>) -> Arc<Overrides> {
        let changed = tokio::time::timeout(Duration::from_mins(1), receiver.changed());
        changed.await.expect("the file is read again").unwrap();
        receiver.borrow_and_update().clone()
    }

    #[tokio::test]
    async fn what_is_changed_is_read_and_what_is_wrong_leaves_what_was_before() {
        const TEN: &str = "tools: { alpha: { quota: { pods: 10 } } }";
        const TWENTY: &str = "tools: { alpha: { quota: { pods: 20 } } }";
        const THIRTY: &str = "tools: { alpha: { quota: { pods: 30 } } }";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("overrides.yaml");
        std::fs::write(&path, TEN).unwrap();
        let mut receiver = FollowedFile::overrides(path.clone()).follow().unwrap();
        assert_eq!(*receiver.borrow_and_update(), says(TEN));
        std::fs::write(&path, TWENTY).unwrap();
        assert_eq!(next(&mut receiver).await, says(TWENTY));
        // Neither is what cannot be read told, nor what is the same in other words.
        replace(&path, "tools: { alpha: { quota: { pods: many } } }");
        replace(&path, &format!("# the same\n{TWENTY}"));
        replace(&path, THIRTY);
        assert_eq!(next(&mut receiver).await, says(THIRTY));
        std::fs::remove_file(&path).unwrap();
        replace(&path, TEN);
        assert_eq!(next(&mut receiver).await, says(TEN));
    }

    #[tokio::test]
    async fn at_the_start_what_is_wrong_is_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("overrides.yaml");
        let error = FollowedFile::overrides(path.clone()).follow().unwrap_err();
        assert!(format!("{error:#}").contains("overrides.yaml cannot be read"));
        std::fs::write(&path, "tools: { alpha: { quota: { pods: many } } }").unwrap();
        let error = FollowedFile::overrides(path).follow().unwrap_err();
        assert!(format!("{error:#}").contains("pods"), "{error:#}");
    }
}
