//! What clients did and were told, and whether one order explains it.
//!
//! Each key of each round between two starts is checked by itself: a process that was killed does nothing more, so
//! that a call without an answer had its effect before the next start or never.

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};
use todc_utils::specifications::Specification;

/// Who sees what is there before and after a round.
const OUTSIDE: usize = crate::writers::WRITERS;

/// What a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create(u64),
    Update { from: u64, to: u64 },
    Delete { from: u64 },
    Get,
}

/// What it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    /// The precondition does not hold.
    Refused,
    Found(Option<u64>),
    /// The API was killed meanwhile.
    None,
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) writer: usize,
    pub(crate) key: &'static str,
    pub(crate) operation: Operation,
    pub(crate) answer: Answer,
    pub(crate) began: u64,
    pub(crate) ended: u64,
    /// The object's revision in the answer.
    pub(crate) revision: Option<u64>,
}

impl Call {
    /// The value that the call wrote, when it is known to have.
    pub(crate) fn written(&self) -> Option<u64> {
        match (self.operation, self.answer) {
            (Operation::Create(value) | Operation::Update { to: value, .. }, Answer::Done) => Some(value),
            _ => None,
        }
    }
}

/// One object: its value, or nothing.
struct ObjectSpec;

impl Specification for ObjectSpec {
    type State = Option<u64>;
    type Operation = (Operation, Answer);

    fn init() -> Self::State {
        None
    }

    fn apply((operation, answer): &Self::Operation, state: &Self::State) -> (bool, Self::State) {
        let (holds, next) = match operation {
            Operation::Create(value) => (state.is_none(), Some(*value)),
            Operation::Update { from, to } => (*state == Some(*from), Some(*to)),
            Operation::Delete { from } => (*state == Some(*from), None),
            Operation::Get => return (*answer == Answer::Found(*state), *state),
        };
        match answer {
            Answer::Done => (holds, next),
            Answer::Refused => (!holds, *state),
            Answer::Found(_) | Answer::None => (false, *state),
        }
    }
}

/// Whether the calls can have happened in one order, from one value to another.
pub(crate) fn is_linearizable(before: Option<u64>, calls: &[Call], after: Option<u64>) -> bool {
    let open: Vec<usize> = (0..calls.len())
        .filter(|index| calls[*index].answer == Answer::None)
        .collect();
    assert!(open.len() < 16, "each writer leaves one call open at most");
    // A call without an answer was made or was not.
    (0..1u32 << open.len()).any(|choice| {
        let made = |index: usize| {
            let place = open.iter().position(|open| *open == index);
            place.is_none_or(|place| choice >> place & 1 == 1)
        };
        let chosen = calls
            .iter()
            .enumerate()
            .filter(|(index, _)| made(*index))
            .map(|(_, call)| call);
        WGLChecker::<ObjectSpec>::is_linearizable(history(before, chosen, after))
    })
}

type Step = (usize, Action<(Operation, Answer)>);

fn history<'a>(
    before: Option<u64>,
    calls: impl Iterator<Item = &'a Call>,
    after: Option<u64>,
) -> History<(Operation, Answer)> {
    let mut steps: Vec<(u64, Step)> = Vec::new();
    let mut add = |writer, began, ended, made| {
        steps.push((began, (writer, Action::Call(made))));
        steps.push((ended, (writer, Action::Response(made))));
    };
    if let Some(value) = before {
        add(OUTSIDE, 0, 1, (Operation::Create(value), Answer::Done));
    }
    for call in calls {
        let (answer, ended) = match call.answer {
            Answer::None => (Answer::Done, u64::MAX - 2),
            answer => (answer, call.ended),
        };
        add(call.writer, call.began, ended, (call.operation, answer));
    }
    add(
        OUTSIDE,
        u64::MAX - 1,
        u64::MAX,
        (Operation::Get, Answer::Found(after)),
    );
    steps.sort_by_key(|(tick, _)| *tick);
    History::from_actions(steps.into_iter().map(|(_, step)| step).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(writer: usize, operation: Operation, answer: Answer, began: u64, ended: u64) -> Call {
        Call {
            writer,
            key: "a",
            operation,
            answer,
            began,
            ended,
            revision: None,
        }
    }

    #[test]
    fn what_can_have_happened_is_told_from_what_cannot() {
        let create = call(0, Operation::Create(1), Answer::Done, 10, 20);
        let lost = call(1, Operation::Get, Answer::Found(None), 30, 40);
        let found = call(1, Operation::Get, Answer::Found(Some(1)), 30, 40);
        assert!(is_linearizable(None, &[create.clone(), found], Some(1)));
        assert!(
            !is_linearizable(None, &[create.clone(), lost], Some(1)),
            "a lost write"
        );
        assert!(!is_linearizable(None, &[create], None), "lost at the restart");
        let open = call(0, Operation::Update { from: 1, to: 2 }, Answer::None, 10, 0);
        for after in [1, 2] {
            assert!(is_linearizable(Some(1), std::slice::from_ref(&open), Some(after)));
        }
        assert!(!is_linearizable(Some(1), &[open], Some(3)), "from nowhere");
        let both = [2, 3].map(|to| {
            call(
                0,
                Operation::Update { from: 1, to },
                Answer::Done,
                10 * to,
                10 * to + 5,
            )
        });
        assert!(
            !is_linearizable(Some(1), &both, Some(3)),
            "two writes on one state"
        );
    }
}
