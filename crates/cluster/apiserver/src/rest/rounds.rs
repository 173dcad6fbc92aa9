//! The rounds of a write to an object that is there: read, decide, write, and again when somebody else was faster.
//!
//! Updates and deletions go through it. It keeps writers of a busy object from starving; that no write is lost is the
//! store's doing, which refuses a write that was decided on an older state.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::MutexGuard;
use toolforge_kinds::Status;

use super::Call;
use crate::store::Stored;

/// Rounds before a busy object is reported as a conflict; each lost round means that another writer got through.
const ROUNDS: usize = 32;
/// Lost rounds after which a writer waits for its turn. Few writers ever do: most objects have one.
const ROUNDS_WITHOUT_TURN: usize = 2;
/// Longest wait for a turn. A turn lasts while webhooks answer, and one of them may itself be writing the object:
/// a turn is a courtesy, and after this time the writer goes on without.
const TURN_WAIT: Duration = Duration::from_secs(2);

/// The rounds of one write.
#[derive(Debug)]
pub(super) struct Rounds<'a> {
    call: &'a Call,
    name: &'a str,
    begun: usize,
    /// Held until the write is done.
    turn: Option<MutexGuard<'a, ()>>,
}

impl<'a> Rounds<'a> {
    /// Rounds of a write to the object `name`.
    pub(super) fn of(call: &'a Call, name: &'a str) -> Self {
        Self {
            call,
            name,
            begun: 0,
            turn: None,
        }
    }

    /// Begins a round: gives the state to decide on.
    pub(super) async fn next(&mut self) -> Result<Arc<Stored>, Status> {
        if self.begun == ROUNDS {
            return Err(Status::modified(self.call.kind, self.name));
        }
        let key = self.call.key(self.name);
        if self.begun == ROUNDS_WITHOUT_TURN {
            let turn = self.call.api.turn(&key);
            self.turn = tokio::time::timeout(TURN_WAIT, turn).await.ok();
        }
        self.begun += 1;
        self.call
            .api
            .store
            .get(&key)
            .ok_or_else(|| Status::not_found(self.call.kind, self.name))
    }
}
