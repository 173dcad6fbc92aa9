//! Ports for programs that have to be told theirs. They lie below those that the system hands out by itself, and are held
//! against all other test programs on the machine: a port that was found free and let go may be anybody's a moment later.

use std::{
    env,
    fs::File,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    sync::Mutex,
};

/// Below the ports that Linux gives to whoever names none (`ip_local_port_range`, from 32768 on).
const FIRST: u16 = 20_000;
const BLOCKS: u16 = 190;
const BLOCK_PORTS: u16 = 64;

/// Ports that this process alone may use, and did not yet.
struct Block {
    left: Range<u16>,
    /// The lock goes with the process, whatever becomes of it. The file stays: removing it would let two hold it.
    _claim: File,
}

static HELD: Mutex<Vec<Block>> = Mutex::new(Vec::new());

/// A port at which nobody listens on loopback, and nobody else's as long as this process runs.
///
/// # Panics
/// When all are held.
#[track_caller]
pub fn free_port() -> u16 {
    let mut held = HELD.lock().unwrap();
    loop {
        if let Some(block) = held.last_mut() {
            let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
            if let Some(port) = block.left.find(is_free) {
                return port;
            }
        }
        held.push(Block::claim());
    }
}

impl Block {
    #[track_caller]
    fn claim() -> Self {
        let folder = env::temp_dir();
        for number in 0..BLOCKS {
            let file = folder.join(format!("toolforge-scratch-ports-{number}"));
            let Ok(claim) = File::create(&file) else { continue };
            if claim.try_lock().is_ok() {
                let first = FIRST + number * BLOCK_PORTS;
                return Self {
                    left: first..first + BLOCK_PORTS,
                    _claim: claim,
                };
            }
        }
        panic!("all ports for tests, from {FIRST} on, are in use")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice_or_by_the_system() {
        let ports: BTreeSet<u16> = (0..u16::from(u8::MAX)).map(|_| free_port()).collect();
        assert_eq!(ports.len(), usize::from(u8::MAX));
        assert!(ports.iter().all(|port| (FIRST..32_768).contains(port)));
    }
}
