//! A program beside the platform.

use std::process::Child;

/// A program that runs; killed when dropped.
#[derive(Debug)]
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already, which the test then sees in other ways.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
