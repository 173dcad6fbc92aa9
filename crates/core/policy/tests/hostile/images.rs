//! Hostile references to images, and the question where a runtime would fetch one that was let through.
//!
//! Included by the property tests (`tests/hostile.rs`) and by a fuzz target. The oracle is the parser of `oci-spec`, which
//! shares nothing with ours.

use std::sync::LazyLock;

use super::ingress::Choices;
use oci_spec::distribution::Reference;
use serde_json::json;
use toolforge_policy::{RegistryPolicy, Workload, admit_images};

const REGISTRIES: [&str; 4] = [
    "r.example",
    "r.example.org:5000",
    "harbor.example/tools",
    "docker.io/library",
];
const PINNED: &str = "r.example.org:5000";
const FRAGMENTS: [&str; 50] = [
    "r.example",
    "r.example.org",
    "harbor.example",
    "docker.io",
    "index.docker.io",
    "library",
    "tools",
    "toolset",
    "nginx",
    "x",
    "a",
    "evil",
    ".",
    "..",
    "/",
    "//",
    ":",
    "::",
    ":5000",
    ":443",
    ":1",
    ":latest",
    "@",
    "@sha256:",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "sha256",
    "sha512:",
    "-",
    "_",
    "__",
    "___",
    "R.EXAMPLE",
    "X",
    "localhost",
    "[::1]",
    "127.0.0.1",
    " ",
    "\n",
    "\0",
    "?",
    "#",
    "%2f",
    "https://",
    "docker://",
    "\u{43e}",
    "\u{2044}",
    "\u{212a}",
    "",
    ".evil/x",
    "-evil/",
];
/// Often nearly right: otherwise nothing would be let through.
const BEGINNINGS: [&str; 8] = [
    "r.example/",
    "r.example.org:5000/",
    "harbor.example/tools/",
    "",
    "docker.io/",
    "r.example",
    "harbor.example/tools",
    "evil.",
];

static POLICY: LazyLock<RegistryPolicy> = LazyLock::new(|| {
    let registries = REGISTRIES.map(|registry| registry.parse().expect("a registry"));
    let policy = RegistryPolicy::new(registries.into(), []).expect("there are registries");
    policy.with_digests_required_in([PINNED.parse().expect("a registry")])
});

/// A reference, as the choices make it.
pub(crate) fn image(choices: &mut Choices<'_>) -> String {
    let beginning = *choices.one(&BEGINNINGS);
    format!(
        "{beginning}{}{}",
        choices.text(&FRAGMENTS),
        choices.text(&FRAGMENTS)
    )
}

/// Whether the guard lets the image through; when it does, panics unless a runtime would find it in an allowed registry.
pub(crate) fn is_allowed_or_refused(image: &str) -> bool {
    let object =
        json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": image}]}});
    let workload = Workload::read("Pod", "tool-alpha", &object).expect("it is a Pod");
    if !admit_images(&POLICY, &workload).is_allowed() {
        return false;
    }
    let read: Reference = match image.parse() {
        Ok(read) => read,
        Err(error) => unreachable!("{image:?} is let through, and a runtime cannot read it: {error}"),
    };
    let registry = read.registry().to_ascii_lowercase();
    let place = format!("{registry}/{}", read.repository());
    let allowed = REGISTRIES
        .iter()
        .any(|one| place.strip_prefix(one).is_some_and(|rest| rest.starts_with('/')));
    assert!(
        allowed,
        "{image:?} is let through, and a runtime fetches {place:?}"
    );
    assert!(
        registry != PINNED || read.digest().is_some(),
        "{image:?} is let through without a digest"
    );
    true
}
