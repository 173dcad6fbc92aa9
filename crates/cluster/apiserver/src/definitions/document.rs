//! The `OpenAPI` document of one group version of custom kinds, made when it is first asked for.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use toolforge_kinds::{CustomKind, custom_openapi};

/// A document.
#[derive(Debug)]
pub(super) struct Document {
    kinds: Vec<Arc<CustomKind>>,
    bytes: OnceLock<Bytes>,
}

impl Document {
    /// The document of these kinds, which are all of one group version.
    pub(super) fn of(kinds: Vec<Arc<CustomKind>>) -> Self {
        Self {
            kinds,
            bytes: OnceLock::new(),
        }
    }

    /// The document as JSON.
    pub(super) fn bytes(&self) -> Bytes {
        let made = self.bytes.get_or_init(|| {
            let kinds: Vec<&CustomKind> = self.kinds.iter().map(AsRef::as_ref).collect();
            Bytes::from(custom_openapi(&kinds).to_string())
        });
        made.clone()
    }

    /// The hash of what it is made of.
    pub(super) fn hash(&self) -> String {
        let mut hasher = DefaultHasher::new();
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        for custom in &self.kinds {
            let kind = custom.kind;
            (kind.group, kind.version, kind.kind, kind.plural, kind.namespaced).hash(&mut hasher);
            kind.subresources.hash(&mut hasher);
            custom.published.to_string().hash(&mut hasher);
        }
        format!("{:016X}", hasher.finish())
    }
}
