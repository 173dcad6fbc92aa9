//! What links of the chain want to stand beside a request in the audit log.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Most annotations of one request, and of their text in bytes: a webhook must not fill the log.
const MAX_ENTRIES: usize = 256;
const MAX_VALUE_BYTES: usize = 16 << 10;

/// The audit annotations of one request. Clones share them; whoever answers the request reads them at the end.
#[derive(Debug, Clone, Default)]
pub struct Annotations(Arc<Mutex<BTreeMap<String, String>>>);

impl Annotations {
    /// Adds an annotation; the first of a name stays, too many and too long ones are dropped.
    pub fn add(&self, name: &str, value: impl Into<String>) {
        let value = value.into();
        let mut all = self.0.lock();
        if all.len() < MAX_ENTRIES && value.len() <= MAX_VALUE_BYTES && !all.contains_key(name) {
            all.insert(name.to_owned(), value);
        }
    }

    /// All that were added so far.
    pub fn read(&self) -> BTreeMap<String, String> {
        self.0.lock().clone()
    }
}
