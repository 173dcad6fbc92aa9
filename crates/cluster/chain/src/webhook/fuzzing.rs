//! The door for the fuzz target to what webhooks answer. Built with `--cfg fuzzing` only.

use serde_json::Value;

use super::definition::Phase;
use super::review;

/// Reads an answer as both kinds of webhooks give it; the patch of a mutating one.
pub fn answer(bytes: &[u8], uid: &str) -> Option<Value> {
    review::answer(bytes, uid, Phase::Validating).ok();
    review::answer(bytes, uid, Phase::Mutating).ok()?.patch
}
