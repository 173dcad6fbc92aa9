//! How an object is found: its resource, namespace and name, in memory and on disk.
//!
//! Used by the store and by everybody who reads it; must not know what is stored under a key.

use std::fmt;

use toolforge_kinds::Kind;

/// One kind of stored objects. All served versions of a kind share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Resource {
    /// API group, empty for the core group.
    pub(crate) group: &'static str,
    /// Plural name, as in paths.
    pub(crate) plural: &'static str,
}

impl Resource {
    /// The resource that objects of this kind are stored under; some kinds are stored as another one.
    pub(crate) fn of(kind: &'static Kind) -> Self {
        let stored = toolforge_kinds::storage_kind(kind);
        Self {
            group: stored.group,
            plural: stored.plural,
        }
    }

    /// The resource of a kind by group and plural name: a built-in one, or one that a user has defined at some time.
    pub(crate) fn find(group: &str, plural: &str) -> Option<Self> {
        Self::built_in(group, plural).or_else(|| {
            Some(Self {
                group: toolforge_kinds::interned(group)?,
                plural: toolforge_kinds::interned(plural)?,
            })
        })
    }

    /// `deployments.apps`, or `pods` for core.
    pub(crate) fn qualified(self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// The resource of a stored object, whose definition may not have been read yet.
    fn stored(group: &str, plural: &str) -> Self {
        Self::built_in(group, plural).unwrap_or_else(|| Self {
            group: toolforge_kinds::intern(group),
            plural: toolforge_kinds::intern(plural),
        })
    }

    fn built_in(group: &str, plural: &str) -> Option<Self> {
        toolforge_kinds::all()
            .iter()
            .find(|kind| kind.group == group && kind.plural == plural)
            .map(Self::of)
    }
}

/// Where one object lives. Cluster-scoped objects have an empty namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) resource: Resource,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// Separates the parts of a key on disk; no name may contain it.
const SEPARATOR: u8 = 0;

impl Key {
    /// The key of `name`; `namespace` is `None` for cluster-scoped objects.
    pub(crate) fn new(resource: Resource, namespace: Option<&str>, name: &str) -> Self {
        Self {
            resource,
            namespace: namespace.unwrap_or_default().to_owned(),
            name: name.to_owned(),
        }
    }

    /// The bytes that the disk knows this key by; their order is by group, resource, namespace, name.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let parts = [
            self.resource.group,
            self.resource.plural,
            &self.namespace,
            &self.name,
        ];
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                bytes.push(SEPARATOR);
            }
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }

    /// Reads what [`Key::encode`] wrote; `None` when the bytes are damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut parts = bytes.split(|byte| *byte == SEPARATOR).map(std::str::from_utf8);
        let group = parts.next()?.ok()?;
        let plural = parts.next()?.ok()?;
        let namespace = parts.next()?.ok()?;
        let name = parts.next()?.ok()?;
        if parts.next().is_some() {
            return None;
        }
        Some(Self {
            resource: Resource::stored(group, plural),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{} {}/{}",
            self.resource.plural, self.resource.group, self.namespace, self.name
        )
    }
}
