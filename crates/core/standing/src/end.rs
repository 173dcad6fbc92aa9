//! How a process came to its end.

/// The exit code of what a signal ended is this plus the signal's number.
const SIGNALLED: i32 = 128;
/// Signals have numbers below this.
const SIGNALS: i32 = 64;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It took more memory than its limit.
    OutOfMemory,
    /// It could not be started at all.
    NotStarted,
    /// By itself, without an error.
    Done,
    /// By a signal with this number, as the runtime says.
    Signal(i32),
    /// With a code that says that the program may not be executed, 126.
    NotExecutable,
    /// With a code that says that the program was not found, 127.
    NotFound,
    /// With a code that says that a signal ended it: the code, and the signal's number.
    SignalCode(i32, i32),
    /// With another code.
    Code(i32),
}

impl End {
    /// From a container's `terminated` state: its exit code, its signal and its reason.
    pub fn of(code: i32, signal: Option<i32>, reason: &str) -> Self {
        match (reason, signal, code) {
            ("OOMKilled", _, _) => Self::OutOfMemory,
            ("StartError" | "ContainerCannotRun", _, _) => Self::NotStarted,
            (_, Some(signal), _) if signal > 0 => Self::Signal(signal),
            (_, _, 0) => Self::Done,
            (_, _, 126) => Self::NotExecutable,
            (_, _, 127) => Self::NotFound,
            (_, _, code) if code > SIGNALLED && code < SIGNALLED + SIGNALS => {
                Self::SignalCode(code, code - SIGNALLED)
            }
            (_, _, code) => Self::Code(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::End;

    #[test]
    fn ends_are_told_apart() {
        for (code, signal, reason, end) in [
            (137, None, "OOMKilled", End::OutOfMemory),
            (128, None, "StartError", End::NotStarted),
            (127, None, "ContainerCannotRun", End::NotStarted),
            (0, None, "Completed", End::Done),
            (0, Some(0), "", End::Done),
            (0, Some(9), "Error", End::Signal(9)),
            (126, None, "Error", End::NotExecutable),
            (127, None, "Error", End::NotFound),
            (139, None, "Error", End::SignalCode(139, 11)),
            (128, None, "Error", End::Code(128)),
            (192, None, "Error", End::Code(192)),
            (3, None, "Error", End::Code(3)),
            (-1, None, "", End::Code(-1)),
        ] {
            assert_eq!(End::of(code, signal, reason), end, "{code} {signal:?} {reason}");
        }
    }
}
