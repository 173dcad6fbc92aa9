//! Names for Pod templates: the `pod-template-hash` of `ReplicaSets` and the revisions of `StatefulSets` and `DaemonSets`.

use serde::Serialize;

/// The label that tells the Pods of one `ReplicaSet` from those of another.
pub(crate) const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// Letters that form no words and survive in every kind of name.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A short name of `value`; another one for every `collision`.
pub(crate) fn name_of(value: &impl Serialize, collision: i32) -> String {
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    if collision > 0 {
        text.extend_from_slice(&collision.to_le_bytes());
    }
    // FNV-1a: stable over builds and machines, which the standard hasher is not.
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut rest = hash;
    let mut name = String::with_capacity(10);
    for _ in 0..10 {
        let index = usize::try_from(rest % 27).unwrap_or(0);
        name.push(char::from(ALPHABET[index]));
        rest /= 27;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_names_and_collisions_other_ones() {
        let name = name_of(&"template", 0);
        assert_eq!(name, name_of(&"template", 0));
        assert_ne!(name, name_of(&"template", 1));
        assert_ne!(name, name_of(&"another", 0));
        assert!(name.len() == 10 && name.bytes().all(|byte| ALPHABET.contains(&byte)));
    }
}
