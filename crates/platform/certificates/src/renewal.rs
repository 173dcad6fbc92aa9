//! When a certificate is renewed, and when again if that failed. Pure.

use std::time::{Duration, SystemTime};

use toolforge_pki::Certified;

/// After the first failure; then twice as long each time. A signer that restarts takes some seconds.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// The longest pause: a signer that is back should be noticed long before anybody asks why.
const LONGEST_RETRY: Duration = Duration::from_mins(5);

/// When this share of a certificate's life is over.
pub(crate) fn due(certified: &Certified, share: f64) -> SystemTime {
    let life = certified
        .not_after
        .duration_since(certified.not_before)
        .unwrap_or_default();
    certified.not_before + life.mul_f64(share.clamp(0.0, 1.0))
}

/// How long to wait after so many failures in a row.
pub(crate) fn retry_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (FIRST_RETRY * 2_u32.pow(doublings)).min(LONGEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_when_its_share_is_over() {
        let not_before = SystemTime::UNIX_EPOCH + Duration::from_hours(1000);
        let certified = |hours: u64| Certified {
            common_name: String::new(),
            organizations: Vec::new(),
            not_before,
            not_after: not_before + Duration::from_hours(hours),
        };
        let after = |hours, share| due(&certified(hours), share).duration_since(not_before).unwrap();
        assert_eq!(after(720, 0.5), Duration::from_hours(360));
        assert_eq!(after(720, 2.0 / 3.0).as_secs() / 60, 480 * 60);
        assert_eq!(after(720, 7.0), Duration::from_hours(720));
        assert_eq!(after(0, 0.5), Duration::ZERO);
    }

    #[test]
    fn pauses_grow_to_five_minutes() {
        let pauses: Vec<u64> = [0, 1, 2, 3, 6, 7, u32::MAX]
            .into_iter()
            .map(|failures| retry_after(failures).as_secs())
            .collect();
        assert_eq!(pauses, [5, 5, 10, 20, 160, 300, 300]);
    }
}
