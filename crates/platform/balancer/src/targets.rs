//! Which target a connection gets. Pure: it is told the time.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Instant};

use crate::{
    figures::TargetFigures,
    settings::{Algorithm, ServiceSettings, TargetSettings},
    target::Health,
};

/// The targets of a service, with what is known of them.
#[derive(Debug)]
pub(crate) struct Targets {
    service: Arc<ServiceSettings>,
    health: HashMap<SocketAddr, Health>,
    /// Connections under way, also to targets that are gone from the settings.
    connections: HashMap<SocketAddr, usize>,
    /// By how much each target is behind its share of turns.
    credits: HashMap<SocketAddr, i64>,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// This target gets it, and has it counted already.
    Target(SocketAddr),
    /// Those that could take it are full.
    Full,
    /// There is none that was not tried, or none at all.
    Nobody,
}

impl Targets {
    pub(crate) fn new(service: ServiceSettings) -> Self {
        Self {
            service: Arc::new(service),
            health: HashMap::new(),
            connections: HashMap::new(),
            credits: HashMap::new(),
        }
    }

    pub(crate) fn service(&self) -> &Arc<ServiceSettings> {
        &self.service
    }

    /// Goes by other settings; what is known of targets that stay is kept.
    pub(crate) fn change(&mut self, service: ServiceSettings) {
        let stays = |address: &SocketAddr| service.targets.iter().any(|target| target.address == *address);
        self.health.retain(|address, _| stays(address));
        self.credits.retain(|address, _| stays(address));
        self.service = Arc::new(service);
    }

    pub(crate) fn health(&mut self, address: SocketAddr) -> &mut Health {
        self.health.entry(address).or_default()
    }

    /// The target of a connection for which these were tried in vain. Where none is up, those that are out are tried: a
    /// check may be wrong, and nothing is lost.
    pub(crate) fn choose(&mut self, tried: &[SocketAddr], now: Instant) -> Choice {
        let service = self.service.clone();
        let targets = service.targets.iter();
        let open = targets.filter(|target| !target.drain && !tried.contains(&target.address));
        let (up, out): (Vec<_>, Vec<_>) = open.partition(|target| self.is_up(target.address));
        let candidates = if up.is_empty() { out } else { up };
        if candidates.is_empty() {
            return Choice::Nobody;
        }
        let most = self.service.max_connections_per_target;
        let with_room = candidates
            .into_iter()
            .filter(|target| self.connections(target.address) < most);
        let weighed: Vec<(SocketAddr, u64)> = with_room
            .map(|target| (target.address, self.weight(target, now)))
            .collect();
        let chosen = match self.service.balance {
            Algorithm::RoundRobin => self.next_in_turn(&weighed),
            Algorithm::LeastConnections => self.least_busy(&weighed),
        };
        let Some(address) = chosen else {
            return Choice::Full;
        };
        *self.connections.entry(address).or_default() += 1;
        Choice::Target(address)
    }

    /// Notes that a connection has ended.
    pub(crate) fn ended(&mut self, address: SocketAddr) {
        if let Some(count) = self.connections.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.connections.remove(&address);
            }
        }
    }

    /// How each target is.
    pub(crate) fn figures(&self) -> Vec<TargetFigures> {
        let targets = self.service.targets.iter();
        targets
            .map(|target| TargetFigures {
                address: target.address,
                is_up: self.is_up(target.address),
                connections: self.connections(target.address),
            })
            .collect()
    }

    /// Whether a target is up, as far as is known.
    pub(crate) fn is_up(&self, address: SocketAddr) -> bool {
        self.health.get(&address).is_none_or(Health::is_up)
    }

    fn connections(&self, address: SocketAddr) -> usize {
        self.connections.get(&address).copied().unwrap_or(0)
    }

    fn weight(&self, target: &TargetSettings, now: Instant) -> u64 {
        let health = self.health.get(&target.address).cloned().unwrap_or_default();
        u64::from(target.weight) * health.share(self.service.slow_start(), now)
    }

    /// Smooth weighted round robin, as nginx has it: everybody's credit grows by its weight, the richest gets the
    /// connection and pays the sum.
    fn next_in_turn(&mut self, weighed: &[(SocketAddr, u64)]) -> Option<SocketAddr> {
        let mut sum = 0;
        for (address, weight) in weighed {
            let weight = i64::try_from(*weight).unwrap_or(i64::MAX);
            sum += weight;
            *self.credits.entry(*address).or_default() += weight;
        }
        let credit = |address: &SocketAddr| self.credits.get(address).copied().unwrap_or(0);
        // Of equals the first: `max_by_key` would take the last.
        let (richest, _) = weighed.iter().rev().max_by_key(|(address, _)| credit(address))?;
        *self.credits.entry(*richest).or_default() -= sum;
        Some(*richest)
    }

    /// The one with the fewest connections for its weight; of equals the next in turn.
    fn least_busy(&mut self, weighed: &[(SocketAddr, u64)]) -> Option<SocketAddr> {
        let load = |(address, weight): &(SocketAddr, u64)| {
            // One more than it has: an idle target of small weight is no better than one of large.
            (self.connections(*address) as u128 + 1) * u128::from(u32::MAX) / u128::from(*weight).max(1)
        };
        let least = weighed.iter().map(load).min()?;
        let equals: Vec<_> = weighed.iter().filter(|one| load(one) == least).copied().collect();
        self.next_in_turn(&equals)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::BalancerSettings;

    fn targets(balance: &str, weights: &[u16]) -> Targets {
        let targets: Vec<String> = weights
            .iter()
            .enumerate()
            .map(|(index, weight)| format!("{{ address: '10.0.0.{index}:1', weight: {weight} }}"))
            .collect();
        let text = format!(
            "services: [{{ name: a, listen: '127.0.0.1:1', balance: {balance}, maxConnectionsPerTarget: 3, \
             targets: [{}] }}]",
            targets.join(", ")
        );
        let balance = BalancerSettings::read(&text).unwrap().resolve().unwrap();
        Targets::new(balance.services[0].clone())
    }

    fn address(index: u8) -> SocketAddr {
        ([10, 0, 0, index], 1).into()
    }

    /// Whom connections get that end at once.
    fn turns(targets: &mut Targets, count: usize, now: Instant) -> String {
        let mut order = String::new();
        for _ in 0..count {
            let Choice::Target(chosen) = targets.choose(&[], now) else {
                panic!("nobody");
            };
            targets.ended(chosen);
            order += &chosen.ip().to_string()[7..];
        }
        order
    }

    #[test]
    fn turns_are_even_and_weights_are_spread() {
        let now = Instant::now();
        assert_eq!(
            turns(&mut targets("roundRobin", &[100, 100, 100]), 7, now),
            "0120120"
        );
        assert_eq!(turns(&mut targets("roundRobin", &[2, 1, 1]), 8, now), "01200120");
        assert_eq!(turns(&mut targets("leastConnections", &[1, 1]), 4, now), "0101");
    }

    #[test]
    fn the_least_busy_for_its_weight_gets_the_connection() {
        let (mut targets, now) = (targets("leastConnections", &[2, 1]), Instant::now());
        let mut given = [0; 2];
        for _ in 0..4 {
            let Choice::Target(chosen) = targets.choose(&[], now) else {
                panic!("nobody");
            };
            given[usize::from(chosen == address(1))] += 1;
        }
        assert_eq!(given, [3, 1]);
        targets.ended(address(0));
        targets.ended(address(0));
        assert_eq!(targets.choose(&[], now), Choice::Target(address(0)));
    }

    #[test]
    fn the_full_the_tried_and_the_draining_get_nothing() {
        let (mut targets, now) = (targets("roundRobin", &[1, 1]), Instant::now());
        for _ in 0..3 {
            assert_eq!(targets.choose(&[address(1)], now), Choice::Target(address(0)));
        }
        assert_eq!(targets.choose(&[address(1)], now), Choice::Full);
        assert_eq!(targets.choose(&[], now), Choice::Target(address(1)));
        assert_eq!(targets.choose(&[address(0), address(1)], now), Choice::Nobody);
        targets.ended(address(0));
        assert_eq!(targets.choose(&[address(1)], now), Choice::Target(address(0)));
        let mut service = ServiceSettings::clone(targets.service());
        service.targets[0].drain = true;
        targets.change(service);
        assert_eq!(targets.choose(&[address(1)], now), Choice::Nobody);
    }

    #[test]
    fn who_is_out_gets_nothing_until_all_are_out_and_little_when_it_is_back() {
        let (mut targets, now) = (targets("roundRobin", &[1, 1]), Instant::now());
        targets.health(address(0)).connection_failed();
        assert_eq!(turns(&mut targets, 3, now), "111");
        targets.health(address(1)).connection_failed();
        assert_eq!(turns(&mut targets, 4, now).matches('0').count(), 2);
        let check = targets.service().check.clone();
        for index in [0, 1] {
            targets.health(address(index)).checked(true, &check, now);
            targets.health(address(index)).checked(true, &check, now);
        }
        // The second has been back for long.
        let later = now + Duration::from_mins(2);
        targets.health(address(0)).connection_failed();
        targets.health(address(0)).checked(true, &check, later);
        targets.health(address(0)).checked(true, &check, later);
        assert_eq!(turns(&mut targets, 11, later).matches('0').count(), 1);
        let even = later + Duration::from_mins(1);
        assert_eq!(turns(&mut targets, 12, even).matches('0').count(), 6);
    }
}
