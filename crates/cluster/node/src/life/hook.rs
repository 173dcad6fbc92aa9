//! Lifecycle hooks: what a container asks to be done when it has started and before it is stopped.
//!
//! A container counts as running only when its `postStart` hook is through; `preStop` comes before the signal and
//! uses up the same time. Source: <https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/>.

use jiff::{SignedDuration, Timestamp};

/// Which hook of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookKind {
    PostStart,
    PreStop,
}

impl HookKind {
    /// The reason of the event that tells of its failure.
    pub(super) const fn failure(self) -> &'static str {
        match self {
            Self::PostStart => "FailedPostStartHook",
            Self::PreStop => "FailedPreStopHook",
        }
    }

    /// Its name at the start of that event.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::PostStart => "PostStartHook",
            Self::PreStop => "PreStopHook",
        }
    }
}

/// Where a hook stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    /// There is none, or it is through.
    Done,
    /// It is to be run.
    Due,
    /// It runs.
    Running,
}

impl Hook {
    pub(super) fn of(there: bool) -> Self {
        if there { Self::Due } else { Self::Done }
    }

    /// Whether it has to be started now; then it runs.
    pub(super) fn begin(&mut self) -> bool {
        let due = *self == Self::Due;
        if due {
            *self = Self::Running;
        }
        due
    }
}

/// The time that a container has after its hook at least, whatever of the grace period is left; kubelet's.
const AFTER_HOOK: SignedDuration = SignedDuration::from_secs(2);

/// The earliest time to force a container whose hook is through.
pub(super) fn after_hook(now: Timestamp) -> Timestamp {
    now + AFTER_HOOK
}
