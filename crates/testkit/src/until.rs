//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// No condition of a test takes this long on a machine that is not in trouble, however loaded it is.
pub const DEADLINE: Duration = Duration::from_mins(1);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks again and again until `look` gives something; fails the test when it does not within
/// [`DEADLINE`], with the last thing that it said instead.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(instead) if began.elapsed() > DEADLINE => {
                panic!("{what}: not within {DEADLINE:?}; {instead}")
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}
