//! Tells our own writes from those of others, when the watch tells of them.
//!
//! A turn that has written an object has seen what it needs; hearing of it from the watch would give its account another
//! turn, which finds nothing to do: with eight objects to a tool, as many turns again. **Invariant:** only the very
//! versions that the API gave to our writes are passed over; a version in doubt counts as somebody else's.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::plan::ObjectKey;

#[cfg(test)]
mod tests;

/// What is known of our writes to an object.
#[derive(Debug)]
enum Echo {
    /// One is on its way, and these versions were heard of meanwhile.
    Writing(Vec<String>),
    /// One was made, of which the watch has not told.
    Written(String),
}

/// Our writes of which the watch has not told.
#[derive(Debug, Default)]
pub(crate) struct Echoes(Mutex<HashMap<ObjectKey, Echo>>);

impl Echoes {
    /// A write begins. Per object there is one at a time: an account has one turn at a time.
    pub(crate) fn begins(&self, key: &ObjectKey) {
        self.0.lock().insert(key.clone(), Echo::Writing(Vec::new()));
    }

    /// It has ended, and the object has this version now; none when it failed, or may have. `is_known` is whether the
    /// watch has told of this version already. Returns whether others' changes were heard of meanwhile, of which no word
    /// went out.
    pub(crate) fn ends(&self, key: &ObjectKey, version: Option<&str>, is_known: bool) -> bool {
        let mut echoes = self.0.lock();
        let heard = match echoes.remove(key) {
            Some(Echo::Writing(heard)) => heard,
            _ => Vec::new(),
        };
        let is_heard = |version: &str| is_known || heard.iter().any(|heard| heard == version);
        if let Some(version) = version.filter(|version| !is_heard(version)) {
            echoes.insert(key.clone(), Echo::Written(version.to_owned()));
        }
        heard.iter().any(|heard| Some(heard.as_str()) != version)
    }

    /// Whether a version that the watch tells of is our own, or has to wait until that is known.
    pub(crate) fn is_own(&self, key: &ObjectKey, version: &str) -> bool {
        let mut echoes = self.0.lock();
        match echoes.get_mut(key) {
            None => false,
            Some(Echo::Writing(heard)) => {
                heard.push(version.to_owned());
                true
            }
            Some(Echo::Written(written)) => {
                let is_own = written == version;
                echoes.remove(key);
                is_own
            }
        }
    }
}
