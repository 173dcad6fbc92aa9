//! The values of objects that were written or read lately, so that who comes next need not parse them again.
//!
//! One for the process: a value is the same whoever asks for it, and the bound is one of memory.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

/// Bytes of JSON whose values are kept at most; the values are about eight times as large.
const BYTES: usize = 1 << 20;

static RECENT: Mutex<Recent> = Mutex::new(Recent {
    values: VecDeque::new(),
    bytes: 0,
});

#[derive(Debug)]
struct Recent {
    values: VecDeque<(Arc<Value>, usize)>,
    bytes: usize,
}

impl Recent {
    /// Adds a value; gives what has to go for it.
    fn add(&mut self, value: Arc<Value>, bytes: usize) -> Vec<Arc<Value>> {
        let mut gone = Vec::new();
        self.values.push_back((value, bytes));
        self.bytes += bytes;
        while self.bytes > BYTES
            && let Some((oldest, bytes)) = self.values.pop_front()
        {
            self.bytes -= bytes;
            gone.push(oldest);
        }
        gone
    }
}

/// Keeps a value, whose JSON has so many bytes, for a while.
pub(super) fn keep(value: Arc<Value>, bytes: usize) {
    let gone = RECENT.lock().add(value, bytes);
    // Taking them down takes longer than the lock should be held.
    drop(gone);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_when_it_gets_too_much() {
        let mut recent = Recent {
            values: VecDeque::new(),
            bytes: 0,
        };
        assert!(recent.add(Arc::new(Value::from(1)), BYTES / 2).is_empty());
        assert!(recent.add(Arc::new(Value::from(2)), BYTES / 2).is_empty());
        assert_eq!(
            *recent.add(Arc::new(Value::from(3)), 1),
            [Arc::new(Value::from(1))]
        );
        let all = recent.add(Arc::new(Value::from(4)), BYTES + 1);
        assert_eq!(all.len(), 3);
        assert_eq!((recent.bytes, recent.values.len()), (0, 0));
    }
}
