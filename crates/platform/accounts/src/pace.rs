//! How fast something may happen: some at once, then one after each pause.
//!
//! Pure: whoever asks says what time it is. Used for removals, so that a mistake that got through can be stopped.

use std::time::{Duration, Instant};

/// A pace.
#[derive(Debug)]
pub(crate) struct Pace {
    pause: Duration,
    slack: Duration,
    /// When the next is due by the pause alone.
    next: Option<Instant>,
}

impl Pace {
    /// `burst` at once, at least one; then one each `pause`.
    pub(crate) fn new(pause: Duration, burst: usize) -> Self {
        let ahead = u32::try_from(burst.saturating_sub(1)).unwrap_or(u32::MAX);
        Self {
            pause,
            slack: pause.saturating_mul(ahead),
            next: None,
        }
    }

    /// Takes a turn, or says how long to wait for one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let next = self.next.map_or(now, |next| next.max(now));
        let too_early = (next - now).saturating_sub(self.slack);
        if !too_early.is_zero() {
            return Err(too_early);
        }
        self.next = Some(next + self.pause);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_go_at_once_and_the_rest_one_after_the_other() {
        let (mut pace, now) = (Pace::new(Duration::from_secs(6), 3), Instant::now());
        for _ in 0..3 {
            pace.take(now).unwrap();
        }
        assert_eq!(pace.take(now), Err(Duration::from_secs(6)));
        assert_eq!(
            pace.take(now + Duration::from_secs(2)),
            Err(Duration::from_secs(4))
        );
        pace.take(now + Duration::from_secs(6)).unwrap();
        assert_eq!(
            pace.take(now + Duration::from_secs(6)),
            Err(Duration::from_secs(6))
        );
    }

    #[test]
    fn rest_gives_the_burst_back_and_no_more() {
        let (mut pace, now) = (Pace::new(Duration::from_secs(1), 2), Instant::now());
        let later = now + Duration::from_hours(1);
        pace.take(now).unwrap();
        assert!(pace.take(later).is_ok() && pace.take(later).is_ok());
        assert!(pace.take(later).is_err());
    }
}
