//! How long a container that ended waits for its next start: kubelet's `CrashLoopBackOff`.

use jiff::SignedDuration;

/// The wait before the second restart; the first is at once.
const FIRST: SignedDuration = SignedDuration::from_secs(10);
/// No wait is longer.
const LONGEST: SignedDuration = SignedDuration::from_secs(300);
/// A container that ran this long starts over with no wait.
const FORGIVEN_AFTER: SignedDuration = SignedDuration::from_secs(600);

/// The waits of one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Backoff {
    next: Option<SignedDuration>,
}

impl Backoff {
    /// The wait after an end, given how long the container ran.
    pub(super) fn after(&mut self, ran: SignedDuration) -> SignedDuration {
        if ran >= FORGIVEN_AFTER {
            self.next = None;
        }
        let wait = self.next.unwrap_or(SignedDuration::ZERO);
        self.next = Some(if wait.is_zero() {
            FIRST
        } else {
            (wait + wait).min(LONGEST)
        });
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_ten_seconds_to_five_minutes() {
        let mut backoff = Backoff::default();
        let waits: Vec<i64> = (0..8)
            .map(|_| backoff.after(SignedDuration::ZERO).as_secs())
            .collect();
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn ten_minutes_of_work_are_forgiven() {
        let mut backoff = Backoff::default();
        for _ in 0..5 {
            backoff.after(SignedDuration::ZERO);
        }
        assert_eq!(backoff.after(SignedDuration::from_secs(599)).as_secs(), 160);
        assert_eq!(backoff.after(SignedDuration::from_secs(600)).as_secs(), 0);
        assert_eq!(backoff.after(SignedDuration::ZERO).as_secs(), 10);
    }
}
