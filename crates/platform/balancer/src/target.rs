//! How a target is: up or out, and how much it gets after it came back. Pure.

use std::time::{Duration, Instant};

use crate::settings::CheckSettings;

/// The part of its weight with which a target comes back, in thousandths.
const FIRST_SHARE: u64 = 100;
const WHOLE_SHARE: u64 = 1000;

/// What is known of a target's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    is_up: bool,
    /// Checks, one after the other, that said the opposite.
    contrary: u32,
    /// When it came back; `None` while it was never out.
    back_since: Option<Instant>,
}

impl Default for Health {
    /// Before the first check a target is up: a balancer that starts serves at once.
    fn default() -> Self {
        Self {
            is_up: true,
            contrary: 0,
            back_since: None,
        }
    }
}

impl Health {
    pub(crate) fn is_up(&self) -> bool {
        self.is_up
    }

    /// Takes in what a check said; true when the target changed sides.
    pub(crate) fn checked(&mut self, is_good: bool, check: &CheckSettings, now: Instant) -> bool {
        if is_good == self.is_up {
            self.contrary = 0;
            return false;
        }
        self.contrary += 1;
        let enough = if self.is_up { check.fall } else { check.rise };
        if self.contrary < enough {
            return false;
        }
        self.contrary = 0;
        self.is_up = is_good;
        if is_good {
            self.back_since = Some(now);
        }
        true
    }

    /// Takes in that a connection could not be made: the target is out at once. True when it was up.
    pub(crate) fn connection_failed(&mut self) -> bool {
        self.contrary = 0;
        std::mem::replace(&mut self.is_up, false)
    }

    /// The share of its weight that it gets now, in thousandths: growing from a tenth to the whole over `slow_start`.
    pub(crate) fn share(&self, slow_start: Duration, now: Instant) -> u64 {
        let Some(since) = self.back_since else {
            return WHOLE_SHARE;
        };
        let (passed, whole) = (
            now.saturating_duration_since(since).as_millis(),
            slow_start.as_millis(),
        );
        if passed >= whole {
            return WHOLE_SHARE;
        }
        let grown = u128::from(WHOLE_SHARE - FIRST_SHARE) * passed / whole;
        FIRST_SHARE + u64::try_from(grown).unwrap_or(WHOLE_SHARE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_must_say_the_same_several_times_and_a_failed_connection_says_it_once() {
        let (check, now) = (CheckSettings::default(), Instant::now());
        let mut health = Health::default();
        assert!(health.is_up());
        for (is_good, changed, is_up) in [
            (false, false, true),
            (true, false, true),
            (false, false, true),
            (false, true, false),
            (true, false, false),
            (false, false, false),
            (true, false, false),
            (true, true, true),
        ] {
            assert_eq!(health.checked(is_good, &check, now), changed);
            assert_eq!(health.is_up(), is_up);
        }
        assert!(health.connection_failed());
        assert!(!health.is_up());
        assert!(!health.connection_failed(), "it was out already");
    }

    #[test]
    fn a_target_that_came_back_gets_a_tenth_and_then_more() {
        let (check, now) = (CheckSettings::default(), Instant::now());
        let minute = Duration::from_mins(1);
        let mut health = Health::default();
        assert_eq!(health.share(minute, now), 1000, "it was never out");
        health.connection_failed();
        health.checked(true, &check, now);
        health.checked(true, &check, now);
        for (seconds, share) in [(0, 100), (30, 550), (59, 985), (60, 1000), (600, 1000)] {
            assert_eq!(
                health.share(minute, now + Duration::from_secs(seconds)),
                share,
                "{seconds}"
            );
        }
        assert_eq!(health.share(Duration::ZERO, now), 1000);
    }
}
