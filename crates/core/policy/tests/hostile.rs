//! What the guards let through, as others read it: properties over generated hostile objects. The same questions are put by
//! the fuzz targets `ingress_guard` and `images_guard`.

#[path = "hostile/images.rs"]
mod images;
#[path = "hostile/ingress.rs"]
mod ingress;

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Runs a property over bytes, and says how many of its cases were let through: a property over nothing proves nothing.
fn let_through(cases: u32, property: impl Fn(&[u8]) -> bool) -> u32 {
    let count = Cell::new(0);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let strategy = vec(any::<u8>(), 0..80);
    let result = runner.run(&strategy, |bytes| {
        if property(&bytes) {
            count.set(count.get() + 1);
        }
        Ok(())
    });
    assert_eq!(result, Ok(()));
    count.get()
}

#[test]
fn an_ingress_that_is_let_through_gives_its_tool_nothing_of_anybody_else() {
    let count = let_through(6_000, |bytes| {
        ingress::is_harmless_or_refused(&ingress::ingress(bytes))
    });
    assert!(count > 200, "only {count} were let through");
}

#[test]
fn an_image_that_is_let_through_comes_from_an_allowed_registry_to_a_runtime_as_well() {
    let count = let_through(20_000, |bytes| {
        let image = images::image(&mut ingress::Choices::of(bytes));
        images::is_allowed_or_refused(&image)
    });
    assert!(count > 200, "only {count} were let through");
}

proptest! {
    #[test]
    fn no_text_at_all_is_let_through_as_an_image_of_somewhere_else(image in "\\PC{0,80}") {
        images::is_allowed_or_refused(&image);
    }
}
