use proptest::prelude::*;

use super::{ImageRef, ImageRefError};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn reads_references_as_runtimes_do() {
    for (text, long) in [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:1", "docker.io/library/nginx:1"),
        ("a/b", "docker.io/a/b"),
        ("index.docker.io/nginx", "docker.io/library/nginx"),
        ("docker.io/nginx", "docker.io/library/nginx"),
        ("localhost/x", "localhost/x"),
        ("registry:5000/x", "registry:5000/x"),
        ("Registry.example.org/x", "registry.example.org/x"),
        (
            "docker-registry.tools.wmflabs.org/a/b-c_d__e.f:v1.0",
            "docker-registry.tools.wmflabs.org/a/b-c_d__e.f:v1.0",
        ),
        ("[::1]:5000/x", "[::1]:5000/x"),
    ] {
        assert_eq!(text.parse::<ImageRef>().unwrap().to_string(), long, "{text}");
    }
}

#[test]
fn takes_references_apart() {
    let image: ImageRef = format!("r.example:5000/a/b:t@{DIGEST}").parse().unwrap();
    assert_eq!(image.registry(), "r.example:5000");
    assert_eq!(image.repository(), "a/b");
    assert_eq!(image.tag(), Some("t"));
    assert_eq!(image.digest(), Some(DIGEST));
}

#[test]
fn refuses_what_is_no_reference() {
    for (text, error) in [
        ("", ImageRefError::Empty),
        ("/x", ImageRefError::Repository),
        ("r.example/", ImageRefError::Repository),
        ("r.example//x", ImageRefError::Repository),
        ("r.example/../x", ImageRefError::Repository),
        ("r.example/x/", ImageRefError::Repository),
        ("r.example/X", ImageRefError::Repository),
        ("r.example/x y", ImageRefError::Repository),
        ("r.example/x\n", ImageRefError::Repository),
        ("r.example/x___y", ImageRefError::Repository),
        ("Nginx", ImageRefError::Repository),
        ("REGISTRY/x", ImageRefError::Registry),
        ("r_x.example/x", ImageRefError::Registry),
        ("user@r.example/x", ImageRefError::Digest),
        ("https://r.example/x", ImageRefError::Registry),
        ("r.example:port/x", ImageRefError::Registry),
        ("r.example:/x", ImageRefError::Registry),
        ("r.example:99999/x", ImageRefError::Registry),
        ("r.example./x", ImageRefError::Registry),
        ("r.example/x:", ImageRefError::Tag),
        ("r.example/x:-a", ImageRefError::Tag),
        ("r.example/x@sha256:00", ImageRefError::Digest),
        ("r.example/x@md5:00", ImageRefError::Digest),
    ] {
        assert_eq!(text.parse::<ImageRef>(), Err(error), "{text:?}");
    }
    for id in ["a".repeat(64), DIGEST.to_owned()] {
        assert_eq!(id.parse::<ImageRef>(), Err(ImageRefError::LooksLikeId));
    }
    assert_eq!(
        format!("r.example/{}", "a".repeat(256)).parse::<ImageRef>(),
        Err(ImageRefError::TooLong)
    );
}

proptest! {
    #[test]
    fn the_long_form_reads_back_as_itself(text in "([a-zA-Z0-9.:-]{1,12}/)?[a-z0-9._/-]{1,12}(:[a-z0-9.]{1,4})?") {
        if let Ok(image) = text.parse::<ImageRef>() {
            prop_assert_eq!(image.to_string().parse::<ImageRef>(), Ok(image));
        }
    }

    #[test]
    fn never_panics(text in "\\PC{0,60}") {
        let _ = text.parse::<ImageRef>();
    }
}
