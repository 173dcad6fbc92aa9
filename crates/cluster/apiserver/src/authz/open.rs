//! What stays open: watches, logs, exec sessions and forwards were allowed when they began, and are asked about again
//! when rights are withdrawn.
//!
//! The gate holds a right for each request that may stay open; whoever serves it ends when the right does. Only what takes
//! rights away leads to a look at the open ones, and only at those that it can concern: that thousands of tools get their
//! bindings costs nothing here. **Invariant:** nothing is asked of the store, since this runs while it applies a write.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{Attributes, rbac};
use crate::authn::User;
use crate::store::{Effect, Event, Previous};

/// The rights of open requests.
#[derive(Debug, Default)]
pub(crate) struct Open {
    rights: Mutex<Rights>,
}

#[derive(Debug, Default)]
struct Rights {
    last: u64,
    held: HashMap<u64, Right>,
}

#[derive(Debug)]
struct Right {
    user: User,
    wanted: Attributes,
    ends: CancellationToken,
}

/// A right that is held; dropped when what it allows has ended.
#[derive(Debug)]
pub(crate) struct Held {
    open: Arc<Open>,
    id: u64,
    ends: CancellationToken,
}

impl Held {
    /// Cancelled when the right ends, or with what it was made from.
    pub(crate) fn ends(&self) -> CancellationToken {
        self.ends.clone()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.open.rights.lock().held.remove(&self.id);
    }
}

impl Open {
    /// Holds a right from now on. Whoever was allowed before has to ask again afterwards: it may have ended in between.
    pub(super) fn hold(
        self: &Arc<Self>,
        user: &User,
        wanted: &Attributes,
        closing: &CancellationToken,
    ) -> Held {
        let ends = closing.child_token();
        let right = Right {
            user: user.clone(),
            wanted: wanted.clone(),
            ends: ends.clone(),
        };
        let mut rights = self.rights.lock();
        rights.last += 1;
        let id = rights.last;
        rights.held.insert(id, right);
        drop(rights);
        Held {
            open: self.clone(),
            id,
            ends,
        }
    }

    /// Ends what is allowed no more after a change of roles or bindings that `index` has taken in already.
    pub(super) fn review(&self, change: &Event, index: &rbac::Index) {
        if !withdraws(change) {
            return;
        }
        let place = change.object.key.namespace.as_str();
        let rights = self.rights.lock();
        let concerned = rights
            .held
            .values()
            .filter(|right| place.is_empty() || right.wanted.namespace == place);
        let ended = concerned.filter(|right| !index.decide(&right.user, &right.wanted).is_allowed());
        for right in ended {
            tracing::info!(
                user = right.user.name,
                verb = right.wanted.verb,
                resource = right.wanted.combined_resource(),
                namespace = right.wanted.namespace,
                "ends, since its user may not do this any more"
            );
            right.ends.cancel();
        }
    }
}

/// Whether a change can take rights away. A new role or binding cannot.
fn withdraws(change: &Event) -> bool {
    change.effect == Effect::Removed || !matches!(change.previous, Previous::Nothing)
}
