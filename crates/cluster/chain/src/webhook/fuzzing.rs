//! The door for the fuzz target to what webhooks answer. Built with `--cfg fuzzing` only.

use serde_json::Value;

use super::definition::Phase;
use super::review::{self, Asked, Version};

/// Reads an answer as both kinds of webhooks give it, in both versions; the patch of a mutating one.
pub fn answer(bytes: &[u8], uid: &str) -> Option<Value> {
    let asked = |version| Asked { uid, version };
    for version in [Version::V1, Version::V1Beta1] {
        review::answer(bytes, asked(version), Phase::Validating).ok();
    }
    review::answer(bytes, asked(Version::V1Beta1), Phase::Mutating).ok();
    review::answer(bytes, asked(Version::V1), Phase::Mutating)
        .ok()?
        .patch
}
