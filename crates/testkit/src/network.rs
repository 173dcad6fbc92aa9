//! Addresses for scratch platforms: one network each, held against all other test programs on the machine.

use std::{env, fs::File};

/// The first are left to a platform that a developer runs.
const FIRST: u8 = 70;
const LAST: u8 = 95;

/// The second number of a network 127.N.0.0/16. Nobody else's until it is dropped, also while no platform runs on it.
#[derive(Debug)]
pub struct Network {
    number: u8,
    _claim: File,
}

impl Network {
    /// One that nobody holds.
    ///
    /// # Panics
    /// When all are held.
    #[track_caller]
    pub fn claim() -> Self {
        let folder = env::temp_dir();
        for number in FIRST..=LAST {
            // The lock goes with the process, whatever becomes of it. The file stays: removing it would let two hold it.
            let file = folder.join(format!("toolforge-scratch-127.{number}"));
            let Ok(claim) = File::create(&file) else { continue };
            if claim.try_lock().is_ok() {
                return Self {
                    number,
                    _claim: claim,
                };
            }
        }
        panic!("all scratch networks, 127.{FIRST}.0.0 to 127.{LAST}.0.0, are in use")
    }

    /// What `--network` takes; Services have the network 32 above.
    pub fn number(&self) -> u8 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_a_network_that_is_held() {
        let (one, other) = (Network::claim(), Network::claim());
        assert_ne!(one.number(), other.number());
    }
}
