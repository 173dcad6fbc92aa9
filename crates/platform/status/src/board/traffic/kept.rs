//! The charts' file: what is known of the last day, so that a restart does not forget it.
//!
//! It is written whole, beside and by a rename, each time the gateways have been asked. Counters are not in it: what was
//! counted while nobody asked belongs to times that nobody knows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{BUCKET_SECONDS, BUCKETS, Bucket, Traffic};
use crate::board::follow::Shared;

/// A day of 20,000 namespaces with traffic at every hour is less.
const LARGEST_BYTES: u64 = 64 << 20;

/// What the file says. Unknown keys are those of a version that knows more.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Day {
    bucket_seconds: i64,
    /// By namespace: when a bar begins in seconds since 1970, its requests, its errors.
    namespaces: BTreeMap<String, Vec<(i64, u64, u64)>>,
}

impl Traffic {
    /// As the file has it.
    fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let bars = |bar: &Bucket| (bar.start, bar.requests, bar.errors);
        let of = |(name, day): (&String, &std::collections::VecDeque<Bucket>)| {
            (name.clone(), day.iter().map(bars).collect())
        };
        serde_json::to_vec(&Day {
            bucket_seconds: BUCKET_SECONDS,
            namespaces: self.namespaces.iter().map(of).collect(),
        })
    }

    /// What is still of the last day in a file. Bars of another length, and those of the future, are none.
    fn from_json(bytes: &[u8], now: i64) -> serde_json::Result<Self> {
        let day: Day = serde_json::from_slice(bytes)?;
        let mut traffic = Self::default();
        if day.bucket_seconds != BUCKET_SECONDS {
            return Ok(traffic);
        }
        let oldest = now - BUCKETS * BUCKET_SECONDS;
        let mut bars: Vec<(i64, &str, u64, u64)> = (day.namespaces.iter())
            .flat_map(|(name, bars)| bars.iter().map(move |bar| (bar.0, name.as_str(), bar.1, bar.2)))
            .filter(|(start, ..)| (oldest..=now).contains(start))
            .collect();
        // In the order of time, as they came.
        bars.sort_unstable();
        for (start, namespace, requests, errors) in bars {
            traffic.add(namespace, start, requests, errors);
        }
        traffic.known = !traffic.namespaces.is_empty();
        Ok(traffic)
    }
}

/// Where it is kept.
#[derive(Clone, Debug)]
pub(crate) struct TrafficFile(PathBuf);

impl TrafficFile {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// What was kept; nothing where there is no such file, or none that can be read.
    pub(crate) fn load(&self, now: i64) -> Traffic {
        match read(&self.0).and_then(|bytes| Ok(Traffic::from_json(&bytes, now)?)) {
            Ok(traffic) => traffic,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Traffic::default(),
            Err(error) => {
                tracing::warn!(file = %self.0.display(), %error, "the requests of the last day cannot be read; the charts begin anew");
                Traffic::default()
            }
        }
    }

    /// Keeps what is known now.
    pub(crate) async fn save(&self, shared: &Shared) {
        let text = shared.read().traffic.to_json();
        let path = self.0.clone();
        let written = tokio::task::spawn_blocking(move || write(&path, &text?));
        let written = written.await.map_err(std::io::Error::other);
        if let Err(error) = written.and_then(|written| written) {
            tracing::warn!(file = %self.0.display(), %error, "the requests of the last day cannot be kept; a restart forgets them");
        }
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.len() > LARGEST_BYTES {
        return Err(std::io::Error::other(format!(
            "it has more than {LARGEST_BYTES} bytes"
        )));
    }
    std::fs::read(path)
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, bytes)?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn known() -> Traffic {
        let mut traffic = Traffic::default();
        traffic.add("tool-t", NOW - 2 * BUCKET_SECONDS, 10, 1);
        traffic.add("tool-t", NOW, 5, 0);
        traffic.add("tool-u", NOW, 7, 7);
        traffic
    }

    #[test]
    fn what_was_kept_is_known_again() {
        let again = Traffic::from_json(&known().to_json().unwrap(), NOW).unwrap();
        assert!(again.known);
        assert_eq!(again.day(Some("tool-t"), NOW), known().day(Some("tool-t"), NOW));
        assert_eq!(again.day(None, NOW), known().day(None, NOW));
    }

    #[test]
    fn what_is_not_of_the_last_day_is_left_out() {
        let kept = known().to_json().unwrap();
        let later = NOW + BUCKETS * BUCKET_SECONDS;
        let requests = |now| {
            let day = Traffic::from_json(&kept, now).unwrap().day(None, now);
            day.iter().map(|bar| bar.requests).sum::<u64>()
        };
        assert_eq!(requests(later - BUCKET_SECONDS), 12);
        assert_eq!(requests(later + BUCKET_SECONDS), 0);
        assert_eq!(requests(NOW - BUCKET_SECONDS), 10, "a clock that was set back");
        let other = br#"{ "bucketSeconds": 60, "namespaces": { "tool-t": [[1800000000, 1, 1]] } }"#;
        assert!(!Traffic::from_json(other, NOW).unwrap().known);
    }

    #[tokio::test]
    async fn a_file_that_is_broken_is_none() {
        let folder = std::env::temp_dir().join(format!("toolforge-traffic-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = TrafficFile::at(folder.join("traffic.json"));
        assert!(!file.load(NOW).known, "it is not there yet");
        let shared = Shared::new();
        shared.change(crate::board::world::Place::Figures, |world| {
            world.traffic = known();
        });
        file.save(&shared).await;
        assert!(file.load(NOW).known);
        std::fs::write(&file.0, "{ broken").unwrap();
        assert!(!file.load(NOW).known);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    proptest! {
        #[test]
        fn any_file_is_borne(bytes in proptest::collection::vec(any::<u8>(), 0..60), start in any::<i64>(), many in any::<u64>()) {
            let _ = Traffic::from_json(&bytes, NOW);
            let text = format!(
                r#"{{ "bucketSeconds": 600, "namespaces": {{ "t": [[{start}, {many}, {many}], [{NOW}, {many}, 0], [{NOW}, {many}, 0]] }} }}"#
            );
            let day = Traffic::from_json(text.as_bytes(), NOW).unwrap();
            prop_assert!(day.day(Some("t"), NOW).len() == 144);
        }
    }
}
