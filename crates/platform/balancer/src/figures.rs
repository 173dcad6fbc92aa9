//! What the balancer tells Prometheus: services and targets by the names and addresses that its settings give them.

use std::{net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _},
    metrics::{counter::Counter, family::Family, gauge::ConstGauge},
    registry::Registry,
};
use toolforge_exposition::{Declared, Label};
use toolforge_figures::{describe, register};

use crate::{carry::CarryError, pool::Pool};

const SERVICE: Label = Label::new("service", "the services of the settings");
const TARGET: Label = Label::new("target", "the targets of the settings, by address");

const ENDED: Declared = Declared::counter(
    "toolforge_balancer_connections_total",
    "Connections that have ended",
    &[
        SERVICE,
        Label::new(
            "result",
            "`done`, `refused` (no target took it), `broken`, `idle` (nobody said anything for too long)",
        ),
    ],
);
const OPEN: Declared = Declared::gauge(
    "toolforge_balancer_connections",
    "Connections under way, by target",
    &[SERVICE, TARGET],
);
const WAITING: Declared = Declared::gauge(
    "toolforge_balancer_waiting_connections",
    "Connections that wait for a target with room",
    &[SERVICE],
);
const UP: Declared = Declared::gauge(
    "toolforge_balancer_target_up",
    "Whether a target gets connections",
    &[SERVICE, TARGET],
);

/// What the balancer tells.
pub const FAMILIES: &[Declared] = &[ENDED, OPEN, WAITING, UP];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    service: String,
    result: &'static str,
}

/// All that is counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    ended: Family<Ended, Counter>,
    pools: Arc<Mutex<Vec<Arc<Pool>>>>,
}

/// How a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TargetFigures {
    pub(crate) address: SocketAddr,
    pub(crate) is_up: bool,
    pub(crate) connections: usize,
}

impl Figures {
    /// These are the services from now on.
    pub(crate) fn watch(&self, pools: Vec<Arc<Pool>>) {
        let services: Vec<String> = pools.iter().map(|pool| pool.service().name.clone()).collect();
        for service in &services {
            // A counter that begins at nothing shows its first step, too.
            for result in ["done", "refused", "broken", "idle"] {
                drop(self.ended.get_or_create(&Ended {
                    service: service.clone(),
                    result,
                }));
            }
        }
        *self.pools.lock() = pools;
    }

    /// A connection has ended.
    pub(crate) fn ended(&self, service: &str, carried: &Result<(), CarryError>) {
        let result = match carried {
            Ok(()) => "done",
            Err(CarryError::Refused(_)) => "refused",
            Err(CarryError::Local(_) | CarryError::Broken(_)) => "broken",
            Err(CarryError::Idle) => "idle",
        };
        let service = service.to_owned();
        self.ended.get_or_create(&Ended { service, result }).inc();
    }

    /// The registry of them all.
    pub(crate) fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        register(&mut registry, &ENDED, self.ended.clone());
        registry.register_collector(Box::new(Reading(self.pools.clone())));
        registry
    }
}

/// The services when somebody asks.
#[derive(Debug)]
struct Reading(Arc<Mutex<Vec<Arc<Pool>>>>);

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let pools = self.0.lock().clone();
        let seen: Vec<_> = pools
            .iter()
            .map(|pool| (pool.service().name.clone(), pool.figures()))
            .collect();
        let number = |count: usize| ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
        let mut family = describe(&mut encoder, &OPEN)?;
        for (service, (targets, _)) in &seen {
            for target in targets {
                let labels = [
                    ("service", service.clone()),
                    ("target", target.address.to_string()),
                ];
                number(target.connections).encode(family.encode_family(&labels)?)?;
            }
        }
        let mut family = describe(&mut encoder, &UP)?;
        for (service, (targets, _)) in &seen {
            for target in targets {
                let labels = [
                    ("service", service.clone()),
                    ("target", target.address.to_string()),
                ];
                number(usize::from(target.is_up)).encode(family.encode_family(&labels)?)?;
            }
        }
        let mut family = describe(&mut encoder, &WAITING)?;
        for (service, (_, waiting)) in &seen {
            number(*waiting).encode(family.encode_family(&[("service", service.as_str())])?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pool::Refused, settings::BalancerSettings};

    #[tokio::test]
    async fn services_and_targets_are_told_as_declared() {
        let text = "services: [{ name: a, listen: '127.0.0.1:1', targets: [{ address: '127.0.0.2:1' }] }]";
        let balance = BalancerSettings::read(text).unwrap().resolve().unwrap();
        let pool = Pool::new(balance.services[0].clone());
        let figures = Figures::default();
        figures.watch(vec![pool.clone()]);
        figures.ended("a", &Err(Refused::Nobody.into()));
        let lease = pool.acquire(&[]).await.unwrap();
        pool.connection_failed(lease.address);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &figures.registry()).unwrap();
        let undeclared = toolforge_exposition::undeclared(&text, FAMILIES);
        assert!(undeclared.is_empty(), "{undeclared:?}");
        for line in [
            "toolforge_balancer_connections_total{service=\"a\",result=\"refused\"} 1\n",
            "toolforge_balancer_connections_total{service=\"a\",result=\"done\"} 0\n",
            "toolforge_balancer_connections{service=\"a\",target=\"127.0.0.2:1\"} 1\n",
            "toolforge_balancer_target_up{service=\"a\",target=\"127.0.0.2:1\"} 0\n",
            "toolforge_balancer_waiting_connections{service=\"a\"} 0\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
