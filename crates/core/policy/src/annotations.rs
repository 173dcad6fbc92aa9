//! Which annotations are notes: those that clients and people leave, and no controller takes orders from.
//!
//! An allowlist. Controllers come and go, and what they obey is known to nobody; what is harmless is a short list.

/// Notes that clients leave.
const NOTES: [&str; 2] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubernetes.io/change-cause",
];
/// Families in which clients leave notes.
pub(crate) const NOTE_FAMILIES: [&str; 3] = ["app.kubernetes.io", "helm.sh", "meta.helm.sh"];

/// Whether an annotation is a note: of a client, of one of these families, or of a person, with a key without family.
pub(crate) fn is_note(key: &str, families: &[&str]) -> bool {
    match key.split_once('/') {
        None => true,
        Some((family, _)) => {
            NOTES.contains(&key) || NOTE_FAMILIES.contains(&family) || families.contains(&family)
        }
    }
}

/// The path of an annotation.
pub(crate) fn field(key: &str) -> String {
    format!("metadata.annotations[{}]", crate::verdict::quoted(key))
}
