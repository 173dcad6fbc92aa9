//! Values that many objects have in common, kept once: for `text.rs` and for what Pods ask for (`pod/demands.rs`).

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// Values that are remembered before the first search for those that nobody has any more.
const FIRST_SWEEP: usize = 1024;

/// All values that somebody has, and some that somebody had.
pub(crate) struct Shared<T: ?Sized> {
    values: HashSet<Arc<T>>,
    sweep_at: usize,
}

impl<T: ?Sized> Default for Shared<T> {
    fn default() -> Self {
        Self {
            values: HashSet::new(),
            sweep_at: FIRST_SWEEP,
        }
    }
}

impl<T: ?Sized + Eq + Hash> Shared<T> {
    /// The one that equals `value`.
    pub(crate) fn get<'a>(&mut self, value: &'a T) -> Arc<T>
    where
        Arc<T>: From<&'a T>,
    {
        if let Some(known) = self.values.get(value) {
            return Arc::clone(known);
        }
        if self.values.len() >= self.sweep_at {
            self.sweep();
        }
        let new = Arc::from(value);
        self.values.insert(Arc::clone(&new));
        new
    }

    /// Forgets what nobody else has; the next time only when there are twice as many, so that it costs nothing.
    fn sweep(&mut self) {
        self.values.retain(|value| Arc::strong_count(value) > 1);
        self.sweep_at = FIRST_SWEEP.max(self.values.len() * 2);
        self.values.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_not_kept_longer_than_somebody_has_them() {
        let mut shared = Shared::<str> {
            sweep_at: 2,
            ..Shared::default()
        };
        let kept = shared.get("kept");
        assert!(Arc::ptr_eq(&kept, &shared.get("kept")));
        drop(shared.get("dropped"));
        assert_eq!(shared.values.len(), 2);
        drop(shared.get("third"));
        assert!(shared.values.contains("kept") && !shared.values.contains("dropped"));
    }
}
