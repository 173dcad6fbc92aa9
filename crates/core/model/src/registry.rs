//! A registry, or a part of one, from which images may come.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ImageRef;
use crate::image_ref::{in_normal_form, is_registry, is_repository_part};
use crate::text::text_newtype;

/// Host and optional port of a registry, and optionally the first parts of its repositories, such as
/// `tools-harbor.wmcloud.org` or `registry.example.org/toolforge`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Registry(String);

/// Why a text is no registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "registry is not allowed: use HOST, HOST:PORT or HOST/PATH in lower case, without https:// before it"
)]
pub struct RegistryError;

impl Registry {
    /// Whether the image is in this registry, compared part by part.
    pub fn holds(&self, image: &ImageRef) -> bool {
        let (host, path) = self.0.split_once('/').unwrap_or((&self.0, ""));
        host == image.registry()
            && (path.is_empty()
                || image
                    .repository()
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.starts_with('/')))
    }
}

impl FromStr for Registry {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (host, path) = text
            .split_once('/')
            .map_or((text, None), |(host, path)| (host, Some(path)));
        let host = in_normal_form(host.to_ascii_lowercase());
        if !is_registry(&host) {
            return Err(RegistryError);
        }
        match path {
            None => Ok(Self(host)),
            Some(path) if path.split('/').all(is_repository_part) => Ok(Self(format!("{host}/{path}"))),
            Some(_) => Err(RegistryError),
        }
    }
}

text_newtype!(Registry, RegistryError);

#[cfg(test)]
mod tests {
    use super::Registry;

    fn holds(registry: &str, image: &str) -> bool {
        registry
            .parse::<Registry>()
            .unwrap()
            .holds(&image.parse().unwrap())
    }

    #[test]
    fn holds_the_images_below_it_and_no_look_alikes() {
        assert!(holds("r.example", "r.example/x:1"));
        assert!(holds("R.example/", "r.example/a/b"));
        assert!(holds("r.example/a", "r.example/a/b"));
        assert!(holds("index.docker.io", "nginx") && holds("docker.io", "index.docker.io/nginx"));
        assert!(!holds("r.example", "r.example.evil/x"));
        assert!(!holds("r.example", "r.example:443/x"));
        assert!(!holds("r.example", "x.r.example/x"));
        assert!(!holds("r.example/a", "r.example/ab/c"));
        assert!(!holds("r.example/a", "r.example/a"));
        assert!(!holds("r.example", "nginx"));
    }

    #[test]
    fn refuses_what_is_no_registry() {
        for text in [
            "",
            "/",
            "https://r.example",
            "r.example//a",
            "r.example/A",
            "r example",
        ] {
            assert!(text.parse::<Registry>().is_err(), "{text:?}");
        }
    }
}
