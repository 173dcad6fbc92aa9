//! How often one address may ask: a bucket of tokens for each, in a fixed piece of memory. Pure: the caller says what time
//! it is.
//!
//! A bucket is one number, the time at which it will be full again (GCRA), so one that is full needs no place. Those that
//! are not live in sets of a few slots; where a set has no free slot the fullest bucket is forgotten, which is for the
//! good of its owner. Addresses are spread over the sets by a secret, so that nobody can choose another's set.

use std::{
    fmt,
    hash::{BuildHasher as _, Hash, RandomState},
    net::IpAddr,
    time::Duration,
};

use parking_lot::Mutex;

/// How many sets there are: with all slots 1.1 MiB, for the 65,536 addresses that asked within the last seconds.
const SETS: usize = 8192;
/// How many buckets share a lock.
const SLOTS: usize = 8;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// An address, or the half of one.
    key: u64,
    /// When the bucket is full again, in nanoseconds of the caller's clock.
    full_at: u64,
}

/// Buckets for all addresses, of one size.
#[derive(Debug)]
pub(crate) struct RateLimit {
    /// What one request costs, in nanoseconds of refilling.
    cost: u64,
    /// What an empty bucket lacks.
    size: u64,
    buckets: Buckets,
}

/// Buckets of any sizes, each known by a number.
pub(crate) struct Buckets {
    sets: Box<[Mutex<[Slot; SLOTS]>]>,
    secret: RandomState,
}

impl RateLimit {
    /// Buckets of `burst` requests, refilled with `per_second`; neither may be zero.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let cost = (1_000_000_000 / u64::from(per_second.max(1))).max(1);
        Self {
            cost,
            size: cost * u64::from(burst.max(1)),
            buckets: Buckets::default(),
        }
    }

    /// Takes a token for this address at this time since the caller's beginning.
    ///
    /// # Errors
    /// When there is none; how long it takes until there is.
    pub(crate) fn take(&self, address: IpAddr, since: Duration) -> Result<(), Duration> {
        self.buckets.take(key(address), since, self.cost, self.size)
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self {
            sets: (0..SETS).map(|_| Mutex::default()).collect(),
            secret: RandomState::new(),
        }
    }
}

impl Buckets {
    /// Takes a token for this address out of the bucket that it has with somebody. `cost` and `size` are in nanoseconds.
    ///
    /// # Errors
    /// As [`RateLimit::take`].
    pub(crate) fn take_of(
        &self,
        somebody: impl Hash,
        address: IpAddr,
        since: Duration,
        (cost, size): (u64, u64),
    ) -> Result<(), Duration> {
        // Two that share a number share a bucket: not in the lifetime of a gateway.
        let key = self.secret.hash_one((somebody, key(address)));
        self.take(key, since, cost, size)
    }

    fn take(&self, key: u64, since: Duration, cost: u64, size: u64) -> Result<(), Duration> {
        // 584 years.
        let now = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        let set = usize::try_from(self.secret.hash_one(key) % SETS as u64).unwrap_or_default();
        let mut slots = self.sets[set].lock();
        let known = slots.iter().position(|slot| slot.key == key);
        let slot = if let Some(index) = known {
            &mut slots[index]
        } else {
            let fullest = slots.iter_mut().min_by_key(|slot| slot.full_at);
            let Some(slot) = fullest else { return Ok(()) };
            *slot = Slot { key, full_at: 0 };
            slot
        };
        let full_at = slot.full_at.max(now).saturating_add(cost);
        match (full_at - now).checked_sub(size) {
            None | Some(0) => {
                slot.full_at = full_at;
                Ok(())
            }
            Some(lacking) => Err(Duration::from_nanos(lacking)),
        }
    }
}

/// Who shares a bucket: an IPv4 address, or the /64 of IPv6 that one subscriber has.
fn key(address: IpAddr) -> u64 {
    match address {
        // No /64 begins with zeros: those are ::/64, which nobody has.
        IpAddr::V4(address) => u64::from(u32::from(address)),
        IpAddr::V6(address) => u64::try_from(u128::from(address) >> 64).unwrap_or_default(),
    }
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        time::Duration,
    };

    use super::RateLimit;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_burst_passes_and_then_as_many_as_are_refilled() {
        let limit = RateLimit::new(100, 10);
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let start = Duration::from_hours(1);
        for _ in 0..10 {
            limit.take(one, start).unwrap();
        }
        assert_eq!(limit.take(one, start), Err(Duration::from_millis(10)));
        limit.take(other, start).unwrap();
        // The refused one has paid nothing.
        limit.take(one, start + Duration::from_millis(10)).unwrap();
        let half = start + Duration::from_millis(15);
        assert_eq!(limit.take(one, half), Err(Duration::from_millis(5)));
        // However long one waits, a bucket holds no more than a burst.
        let later = start + Duration::from_hours(1);
        let passed = (0..100).filter(|_| limit.take(one, later).is_ok()).count();
        assert_eq!(passed, 10);
    }

    #[test]
    fn a_subscriber_of_ipv6_has_one_bucket() {
        let limit = RateLimit::new(1, 1);
        limit.take(address("2001:db8::1"), Duration::ZERO).unwrap();
        assert!(limit.take(address("2001:db8::2:3:4:5"), Duration::ZERO).is_err());
        limit.take(address("2001:db8:0:1::1"), Duration::ZERO).unwrap();
    }

    #[test]
    fn a_flood_of_addresses_takes_no_memory_and_nobody_elses_tokens() {
        let limit = RateLimit::new(1, 2);
        for number in 0..1_000_000 {
            let address = IpAddr::V4(Ipv4Addr::from(number + 1));
            // One who has not asked before is never refused.
            limit.take(address, Duration::ZERO).unwrap();
        }
    }
}
