//! What happened at the doors and to registrations, counted: a fixed set of figures.

use std::sync::atomic::{AtomicU64, Ordering};

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something was registered, or registered again.
    Registered,
    /// Something was taken back.
    Unregistered,
    /// A registration broke a rule, or came from somebody who may not.
    Refused,
    /// It was not known whose a connection is.
    IdentFailed,
    /// A connection found no room at the door.
    TurnedAway,
    /// A check failed.
    CheckFailed,
    /// A webservice was dead for too long and is forgotten.
    Expired,
    /// The file could not be written.
    NotKept,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Registered,
        Self::Unregistered,
        Self::Refused,
        Self::IdentFailed,
        Self::TurnedAway,
        Self::CheckFailed,
        Self::Expired,
        Self::NotKept,
    ];

    /// As metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Unregistered => "unregistered",
            Self::Refused => "refused",
            Self::IdentFailed => "ident_failed",
            Self::TurnedAway => "turned_away",
            Self::CheckFailed => "check_failed",
            Self::Expired => "expired",
            Self::NotKept => "not_kept",
        }
    }
}

/// How often each has happened.
#[derive(Debug, Default)]
pub struct Figures([AtomicU64; Event::ALL.len()]);

impl Figures {
    pub(crate) fn happened(&self, event: Event) {
        self.0[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often this has happened.
    pub fn count(&self, event: Event) -> u64 {
        self.0[event as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Figures};

    #[test]
    fn each_event_has_its_own_count() {
        let figures = Figures::default();
        for event in Event::ALL {
            figures.happened(event);
        }
        figures.happened(Event::Expired);
        assert!(
            Event::ALL
                .iter()
                .all(|event| figures.count(*event) == 1 + u64::from(*event == Event::Expired))
        );
    }
}
