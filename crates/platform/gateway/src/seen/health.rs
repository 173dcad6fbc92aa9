//! Whether the gateway knows what it has to serve, and from whom.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use tokio::{sync::Notify, time::timeout};
use toolforge_routing::Kind;

/// What the table is made of.
pub(crate) const KINDS: [(Kind, &str); 4] = [
    (Kind::Class, "ingressclasses"),
    (Kind::Ingress, "ingresses"),
    (Kind::Service, "services"),
    (Kind::Slice, "endpointslices"),
];

/// What is known of the table; told by the control side, asked by whoever wants to know.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// A bit for each kind of which the API has given a whole list.
    listed: AtomicU8,
    /// A bit for each kind of which the API says nothing at present.
    silent: AtomicU8,
    /// Whether the certificates of all Secrets are shown, or the API does not tell them.
    has_settled_secrets: AtomicBool,
    /// Whether the gateway takes no new connections any more.
    is_draining: AtomicBool,
    /// Told whenever more is known.
    news: Notify,
    /// Whether a table of an earlier run is served until the API has spoken.
    has_kept_table: AtomicBool,
    /// When the table last changed, in seconds since 1970.
    changed: AtomicI64,
}

impl Health {
    /// A table of an earlier run is there.
    pub(crate) fn has_kept_table(&self) {
        self.has_kept_table.store(true, Ordering::Relaxed);
    }

    /// The certificates of all Secrets are shown, or the API does not tell them.
    pub(crate) fn secrets_are_settled(&self) {
        self.has_settled_secrets.store(true, Ordering::Relaxed);
        self.news.notify_waiters();
    }

    /// The gateway takes no new connections any more.
    pub(crate) fn drains(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether the gateway takes no new connections any more.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Returns when the gateway is as ready as the one before it was: when the API has told everything. A table of an
    /// earlier run will do where the API fails, or takes longer than this.
    pub(crate) async fn ready_to_take_over(&self, patience: Duration) {
        let all = self.until(|health| {
            health.unlisted().is_none()
                || health.silent.load(Ordering::Relaxed) != 0 && health.missing().is_none()
        });
        if timeout(patience, all).await.is_err() {
            self.ready().await;
        }
    }

    /// Returns when the gateway knows what it has to serve.
    pub(crate) async fn ready(&self) {
        self.until(|health| health.missing().is_none()).await;
    }

    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        loop {
            // It hears from here on, so that nothing is missed between the look and the wait.
            let news = self.news.notified();
            if is_so(self) {
                return;
            }
            news.await;
        }
    }

    /// All objects of a kind are known.
    pub(crate) fn listed(&self, kind: Kind) {
        self.listed.fetch_or(bit(kind), Ordering::Relaxed);
        self.news.notify_waiters();
    }

    /// Whether the API says what becomes of the objects of a kind.
    pub(crate) fn hears(&self, kind: Kind, hears: bool) {
        if hears {
            self.silent.fetch_and(!bit(kind), Ordering::Relaxed);
        } else {
            self.silent.fetch_or(bit(kind), Ordering::Relaxed);
            self.news.notify_waiters();
        }
    }

    /// The table is another one.
    pub(crate) fn changed(&self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let seconds = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        self.changed.store(seconds, Ordering::Relaxed);
    }

    /// When the table last changed, in seconds since 1970; 0 while it is that of an earlier run.
    pub(crate) fn changed_seconds(&self) -> i64 {
        self.changed.load(Ordering::Relaxed)
    }

    /// Whether the API is heard of this kind.
    pub(crate) fn is_heard(&self, kind: Kind) -> bool {
        let has = |bits: &AtomicU8| bits.load(Ordering::Relaxed) & bit(kind) != 0;
        has(&self.listed) && !has(&self.silent)
    }

    /// What is not known yet, and keeps the gateway from being ready; `None` when it is.
    pub(crate) fn missing(&self) -> Option<String> {
        if self.has_kept_table.load(Ordering::Relaxed) {
            return None;
        }
        self.unlisted()
    }

    /// What the API has not listed yet. Without the certificates of Secrets visitors would be shown others.
    fn unlisted(&self) -> Option<String> {
        let listed = self.listed.load(Ordering::Relaxed);
        let missing = KINDS.iter().filter(|(kind, _)| listed & bit(*kind) == 0);
        let mut missing: Vec<_> = missing.map(|(_, name)| *name).collect();
        if !self.has_settled_secrets.load(Ordering::Relaxed) {
            missing.push("secrets");
        }
        (!missing.is_empty()).then(|| missing.join(", "))
    }
}

fn bit(kind: Kind) -> u8 {
    match kind {
        Kind::Class => 1,
        Kind::Ingress => 2,
        Kind::Service => 4,
        Kind::Slice => 8,
        // The API knows nothing of them.
        Kind::Registered => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        time::{Duration, Instant},
    };

    use toolforge_routing::Kind;

    use super::{Health, KINDS};

    #[test]
    fn is_ready_with_all_lists_or_with_the_table_of_an_earlier_run() {
        let health = Health::default();
        assert_eq!(
            health.missing().unwrap(),
            "ingressclasses, ingresses, services, endpointslices, secrets"
        );
        for (kind, _) in KINDS {
            assert!(health.missing().is_some() && !health.is_heard(kind));
            health.listed(kind);
            assert!(health.is_heard(kind));
        }
        assert_eq!(health.missing().unwrap(), "secrets");
        health.secrets_are_settled();
        assert_eq!(health.missing(), None);
        // An API that falls silent later takes nothing away.
        health.hears(Kind::Slice, false);
        assert_eq!((health.missing(), health.is_heard(Kind::Slice)), (None, false));
        // Neither does the end of the run, for it answers what is under way.
        health.drains();
        assert!(health.is_draining());
        let kept = Health::default();
        kept.has_kept_table();
        assert_eq!(kept.missing(), None);
    }
    #[tokio::test]
    async fn takes_over_when_the_api_has_told_everything_or_is_not_there() {
        let health = Arc::new(Health::default());
        let waiting = tokio::spawn({
            let health = health.clone();
            async move { health.ready_to_take_over(Duration::from_mins(1)).await }
        });
        for (kind, _) in KINDS {
            tokio::task::yield_now().await;
            health.listed(kind);
        }
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "certificates are missing");
        health.secrets_are_settled();
        waiting.await.unwrap();
        let (kept, began) = (Health::default(), Instant::now());
        kept.has_kept_table();
        let patience = Duration::from_millis(50);
        kept.ready_to_take_over(patience).await;
        assert!(began.elapsed() >= patience);
        kept.hears(Kind::Slice, false);
        kept.ready_to_take_over(Duration::MAX).await;
    }
}
