//! References to container images, read as container runtimes read them.
//!
//! The grammar is the one of the distribution project's `reference` package, with the familiar short names made long:
//! a reference without a registry is one of `docker.io`. Admission compares what this parser says, never the text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The registry of references that name none.
const DEFAULT_REGISTRY: &str = "docker.io";
/// The part of the default registry in which single names live.
const DEFAULT_PART: &str = "library";
/// The longest registry and repository together, in bytes, as the distribution project has it.
const LONGEST_NAME: usize = 255;
/// The longest tag in bytes.
const LONGEST_TAG: usize = 128;

/// A parsed image reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// Why a text is no image reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageRefError {
    /// Nothing is there.
    #[error("image reference is empty")]
    Empty,
    /// The registry is no `host[:port]`.
    #[error("registry of the image is no host name with an optional port")]
    Registry,
    /// The repository has a part that is not allowed.
    #[error("repository of the image may have lower-case letters, digits and single separators only")]
    Repository,
    /// It is 64 hexadecimal digits, or such digits with their algorithm, which runtimes take for an image id.
    #[error("image reference looks like an image id; name a repository")]
    LooksLikeId,
    /// The name is too long.
    #[error("image name is longer than {LONGEST_NAME} characters")]
    TooLong,
    /// The tag is not allowed.
    #[error(
        "tag of the image may have letters, digits, underscores, dots and dashes only, at most {LONGEST_TAG}"
    )]
    Tag,
    /// The digest is not one.
    #[error(
        "digest of the image is not sha256, sha384 or sha512 with the hexadecimal digits that belong to it"
    )]
    Digest,
}

impl ImageRef {
    /// Host and optional port of the registry, in lower case; `docker.io` where none was named.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Repository in the registry, such as `library/nginx`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Tag, if one was named.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Digest with its algorithm, if one was named.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }
}

impl FromStr for ImageRef {
    type Err = ImageRefError;

    fn from_str(text: &str) -> Result<Self, ImageRefError> {
        if text.is_empty() {
            return Err(ImageRefError::Empty);
        }
        // A runtime that is asked for a bare digest takes the image of that id, wherever it came from.
        if parsed_digest(text).is_ok() {
            return Err(ImageRefError::LooksLikeId);
        }
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(parsed_digest(digest)?)),
            None => (text, None),
        };
        let (name, tag) = match named.rsplit_once(':') {
            // A colon before a slash belongs to the registry's port.
            Some((name, tag)) if !tag.contains('/') => (name, Some(parsed_tag(tag)?)),
            _ => (named, None),
        };
        let (registry, repository) = split_registry(name)?;
        if registry.len() + 1 + repository.len() > LONGEST_NAME {
            return Err(ImageRefError::TooLong);
        }
        Ok(Self {
            registry,
            repository,
            tag,
            digest,
        })
    }
}

impl TryFrom<String> for ImageRef {
    type Error = ImageRefError;

    fn try_from(text: String) -> Result<Self, ImageRefError> {
        text.parse()
    }
}

impl From<ImageRef> for String {
    fn from(image: ImageRef) -> Self {
        image.to_string()
    }
}

/// Prints the long form, with registry.
impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Registry and repository, both in normal form.
fn split_registry(name: &str) -> Result<(String, String), ImageRefError> {
    let explicit = name.split_once('/').filter(|(first, _)| {
        // The first part is a registry where it cannot be a part of a repository.
        first.contains(['.', ':']) || *first == "localhost" || first.bytes().any(|b| b.is_ascii_uppercase())
    });
    let (registry, repository) = match explicit {
        // In lower case it would be a part of a repository instead, so nobody can say what is meant.
        Some((registry, _)) if !registry.contains(['.', ':']) && registry != "localhost" => {
            return Err(ImageRefError::Registry);
        }
        Some((registry, repository)) => (registry.to_ascii_lowercase(), repository),
        None => (DEFAULT_REGISTRY.to_owned(), name),
    };
    if !is_registry(&registry) {
        return Err(ImageRefError::Registry);
    }
    if explicit.is_none() && name.len() == 64 && name.bytes().all(is_hex) {
        return Err(ImageRefError::LooksLikeId);
    }
    if !repository.split('/').all(is_repository_part) {
        return Err(ImageRefError::Repository);
    }
    let registry = in_normal_form(registry);
    let repository = if registry == DEFAULT_REGISTRY && !repository.contains('/') {
        format!("{DEFAULT_PART}/{repository}")
    } else {
        repository.to_owned()
    };
    Ok((registry, repository))
}

/// Docker's registry has an old name besides the one that it is known by.
pub(crate) fn in_normal_form(registry: String) -> String {
    if registry == "index.docker.io" {
        DEFAULT_REGISTRY.to_owned()
    } else {
        registry
    }
}

/// Whether this is `host[:port]` in lower case, where the host may be an IPv6 address in brackets.
pub(crate) fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port_is_right = port.is_none_or(|port| !port.is_empty() && port.parse::<u16>().is_ok());
    let host_is_right = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(|label| crate::text::is_dns_label(label, 63)),
    };
    port_is_right && host_is_right
}

/// Whether this is alphanumeric text with single separators inside: `.`, `_`, `__` or dashes.
pub(crate) fn is_repository_part(part: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends_are_right =
        bytes.first().copied().is_some_and(alphanumeric) && bytes.last().copied().is_some_and(alphanumeric);
    ends_are_right
        && bytes.split(|b| alphanumeric(*b)).all(|between| match between {
            b"" | b"." | b"_" | b"__" => true,
            dashes => dashes.iter().all(|b| *b == b'-'),
        })
}

fn parsed_tag(tag: &str) -> Result<String, ImageRefError> {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    let right = tag.len() <= LONGEST_TAG
        && tag
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        && tag.bytes().all(inner);
    if right {
        Ok(tag.to_owned())
    } else {
        Err(ImageRefError::Tag)
    }
}

fn parsed_digest(digest: &str) -> Result<String, ImageRefError> {
    let (algorithm, hex) = digest.split_once(':').ok_or(ImageRefError::Digest)?;
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return Err(ImageRefError::Digest),
    };
    if hex.len() == length && hex.bytes().all(is_hex) {
        Ok(digest.to_owned())
    } else {
        Err(ImageRefError::Digest)
    }
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'a'..=b'f')
}

#[cfg(test)]
mod tests;
