//! Webservices outside of Kubernetes: what registers itself, put between the settings, the table and the figures of a
//! gateway. The rest is `toolforge-registrations`.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use toolforge_registrations::{
    Clock, Config as Registering, Followed, IDENT_PORT, Names, OpenError, RegistrationRules, Registrations,
    Seen, Tenants,
};
use toolforge_routing::{Change, Kind, Object, Registered, RouteTable};

use crate::{
    Config, GatewayError, Policies, RegistrationDoors, Rules, certificates::Certificates, policy::claimable,
};

/// What is registered.
pub(crate) type Routed = watch::Receiver<Arc<Vec<Registered>>>;

/// The registrations of a gateway, if it has any.
pub(crate) struct Outside {
    registrations: Option<(Registrations, Told)>,
    rules: Option<watch::Receiver<Arc<Rules>>>,
    policies: Policies,
    tenants: watch::Sender<Arc<Tenants>>,
}

/// What registrations are told, besides which tools there are.
struct Told {
    rules: watch::Sender<Arc<RegistrationRules>>,
    names: watch::Sender<Arc<Names>>,
}

impl Outside {
    /// What the configuration says of them.
    pub(crate) fn open(config: &mut Config, certificates: &Arc<Certificates>) -> Result<Self, GatewayError> {
        let (rules, policies) = (config.rules.clone(), config.policy.clone());
        let (tenants, known) = watch::channel(Arc::default());
        let registrations = match config.registrations.take() {
            Some(doors) => {
                let first = rules.as_ref().map(|rules| rules.borrow().registrations.clone());
                let (told_rules, rules) = watch::channel(first.unwrap_or_default());
                let (told_names, names) = watch::channel(Arc::new(claimable(&policies.now())));
                let followed = Followed {
                    names,
                    rules,
                    tenants: known,
                };
                let registering = registering(config, doors, certificates, followed)?;
                let opened = Registrations::open(registering).map_err(GatewayError::Registrations)?;
                let told = Told {
                    rules: told_rules,
                    names: told_names,
                };
                Some((opened, told))
            }
            None => None,
        };
        Ok(Self {
            registrations,
            rules,
            policies,
            tenants,
        })
    }

    /// What can be seen.
    pub(crate) fn seen(&self) -> Option<Seen> {
        self.registrations
            .as_ref()
            .map(|(registrations, _)| registrations.seen())
    }

    /// Is told which tools there are.
    pub(crate) fn tenants(&self) -> watch::Sender<Arc<Tenants>> {
        self.tenants.clone()
    }

    /// What the table is to have, now and later.
    pub(crate) fn routed(&self) -> Option<Routed> {
        self.registrations
            .as_ref()
            .map(|(registrations, _)| registrations.routed())
    }

    /// Lets webservices register until `stopping`.
    pub(crate) async fn run(self, stopping: CancellationToken) {
        let Some((registrations, told)) = self.registrations else {
            return;
        };
        let rules = async {
            let Some(mut rules) = self.rules else { return };
            while rules.changed().await.is_ok() {
                tell(&told.rules, rules.borrow_and_update().registrations.clone());
            }
        };
        let mut policies = self.policies;
        let names = async {
            loop {
                tell(&told.names, Arc::new(claimable(&policies.newest())));
                policies.changed().await;
            }
        };
        let following = async { tokio::join!(rules, names) };
        tokio::join!(
            registrations.run(stopping.clone()),
            stopping.run_until_cancelled(following)
        );
    }
}

/// Tells what is new, and nobody what is the same.
fn tell<T: PartialEq>(told: &watch::Sender<T>, newest: T) {
    told.send_if_modified(|known| {
        let is_new = *known != newest;
        *known = newest;
        is_new
    });
}

fn registering(
    config: &Config,
    doors: RegistrationDoors,
    certificates: &Arc<Certificates>,
    followed: Followed,
) -> Result<Registering, GatewayError> {
    let door = |error| GatewayError::Registrations(OpenError::Door(error));
    let mut own = doors.own;
    let plain = config.http.as_ref().map(|(listener, _)| listener);
    for listener in [Some(&config.https), plain, config.status.as_ref()]
        .into_iter()
        .flatten()
    {
        own.push(listener.local_addr().map_err(door)?);
    }
    let api = match doors.api {
        Some((listener, authority)) => {
            let tls = toolforge_pki::resolving_server_config_for_clients(certificates.clone(), &authority);
            Some((listener, Arc::new(tls.map_err(GatewayError::ClientAuthority)?)))
        }
        None => None,
    };
    Ok(Registering {
        file: doors.file,
        lines: doors.lines,
        api,
        list: doors.list,
        followed,
        own,
        ident_port: IDENT_PORT,
        clock: Clock::default(),
    })
}

/// What is to change for the table to have these registrations. Few of them change at a time, and nothing else is touched.
pub(crate) fn changes(table: &RouteTable, registered: &[Registered]) -> Vec<Change> {
    let mut known: BTreeMap<_, _> = table.registered().map(|known| (&known.key, known)).collect();
    let mut changes = Vec::new();
    for wanted in registered {
        if known.remove(&wanted.key) != Some(wanted) {
            changes.push(Change::Put(Object::Registered(wanted.clone())));
        }
    }
    let gone = known
        .into_keys()
        .map(|key| Change::Remove(Kind::Registered, key.clone()));
    changes.extend(gone);
    changes
}

#[cfg(test)]
mod tests {
    use toolforge_routing::{Change, ObjectKey, Registered, RouteTable, Settings};

    use super::changes;
    use crate::default_backend;

    fn registered(name: &str, port: u16) -> Registered {
        Registered {
            key: ObjectKey::new("tool-a", name),
            created_seconds: 1,
            routes: Vec::new(),
            address: ([10, 0, 0, 1], port).into(),
            is_alive: true,
        }
    }

    #[test]
    fn only_what_differs_changes() {
        let table = RouteTable::new(Settings {
            ingress_class: "toolforge".into(),
            controller: "toolforge.org/gateway".into(),
            default_backend: default_backend(),
            policy: String::new(),
        });
        let first = [registered("a", 1), registered("b", 1), registered("c", 1)];
        let table = table.with(changes(&table, &first));
        assert_eq!(table.registered().count(), 3);
        assert_eq!(changes(&table, &first), []);
        let second = [registered("a", 1), registered("b", 2)];
        let expected = changes(&table, &second);
        assert_eq!(expected.len(), 2);
        assert!(matches!(&expected[1], Change::Remove(_, key) if key.name == "c"));
        assert_eq!(changes(&table.with(expected), &second), []);
    }
}
