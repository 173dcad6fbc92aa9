//! Which Secret holds the certificate of which host: what Ingresses say, and which of several has it.
//!
//! **Invariant:** a Secret is only ever of the Ingress's own namespace, and only for hosts that the Ingress names, which
//! the admission policy has judged; an Ingress that was refused claims nothing. What else the certificate says that it is
//! for, nobody looks at.

use crate::{Ingress, ObjectKey, RouteTable, hosts::Pattern};

/// A host whose certificate is in a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsClaim {
    /// The host, or `*.` and a host; in lower case.
    pub host: String,
    /// The Secret.
    pub secret: ObjectKey,
    /// The Ingress that says so.
    pub ingress: ObjectKey,
}

impl RouteTable {
    /// Every claim of a routed Ingress; of the same host the oldest first, as it has the host's paths.
    pub fn tls_claims(&self) -> Vec<TlsClaim> {
        let mut ingresses: Vec<&Ingress> = self
            .ingresses()
            .filter(|ingress| !ingress.tls.is_empty() && self.serves(ingress))
            .collect();
        ingresses.sort_by_key(|ingress| (ingress.created_seconds, &ingress.key));
        ingresses.into_iter().flat_map(claims).collect()
    }
}

fn claims(ingress: &Ingress) -> impl Iterator<Item = TlsClaim> {
    ingress.tls.iter().flat_map(|tls| {
        let named = tls.hosts.iter().filter_map(|host| match Pattern::read(host)? {
            Pattern::Any => None,
            pattern => Some(pattern.text()),
        });
        named.map(|host| TlsClaim {
            host,
            secret: ObjectKey::new(ingress.key.namespace.clone(), &tls.secret),
            ingress: ingress.key.clone(),
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        Change, Ingress, IngressTls, Object, ObjectKey, PortRef, RouteTable, ServiceRef, Settings, Snapshot,
        Target,
    };

    fn settings() -> Settings {
        let target = Target {
            service: "fourohfour".into(),
            port: PortRef::Number(8000),
        };
        Settings {
            ingress_class: "toolforge".into(),
            controller: "toolforge.org/gateway".into(),
            default_backend: ServiceRef {
                namespace: "tool-fourohfour".into(),
                target,
            },
            policy: String::new(),
        }
    }

    fn ingress(namespace: &str, created_seconds: i64, hosts: &[&str], secret: &str) -> Ingress {
        Ingress {
            key: ObjectKey::new(namespace, "web"),
            created_seconds,
            class: Some("toolforge".into()),
            refused: None,
            rules: Vec::new(),
            default_backend: None,
            tls: vec![IngressTls {
                hosts: hosts.iter().map(ToString::to_string).collect(),
                secret: secret.into(),
            }],
            annotations: std::collections::BTreeMap::new(),
        }
    }

    fn table(ingresses: Vec<Ingress>) -> RouteTable {
        let ingresses = ingresses.into_iter().map(Object::Ingress);
        RouteTable::new(settings()).with(ingresses.map(Change::Put))
    }

    fn claims(table: &RouteTable) -> Vec<(String, String)> {
        let claims = table.tls_claims().into_iter();
        claims
            .map(|claim| {
                (
                    claim.host,
                    format!("{}/{}", claim.secret.namespace, claim.secret.name),
                )
            })
            .collect()
    }

    #[test]
    fn the_oldest_comes_first_and_every_secret_is_of_the_own_namespace() {
        let table = table(vec![
            ingress("tool-b", 2, &["A.example.org."], "b"),
            ingress("tool-a", 1, &["a.example.org", "*.example.org", "", "*"], "a"),
        ]);
        let expected = [
            ("a.example.org", "tool-a/a"),
            ("*.example.org", "tool-a/a"),
            ("a.example.org", "tool-b/b"),
        ];
        let expected = expected.map(|(host, secret)| (host.to_owned(), secret.to_owned()));
        assert_eq!(claims(&table), expected);
    }

    #[test]
    fn who_was_refused_or_is_of_another_class_claims_nothing() {
        let refused = Ingress {
            refused: Some("another's host".into()),
            ..ingress("tool-a", 1, &["b.example.org"], "a")
        };
        let of_another = Ingress {
            class: Some("nginx".into()),
            ..ingress("tool-b", 1, &["b.example.org"], "b")
        };
        assert!(claims(&table(vec![refused, of_another])).is_empty());
    }

    #[test]
    fn snapshots_bring_claims_back_and_older_ones_have_none() {
        let before = table(vec![ingress("tool-a", 1, &["a.example.org"], "web")]);
        let mut kept = serde_json::to_value(Snapshot::of(&before)).unwrap();
        let read = |kept: &serde_json::Value| {
            let snapshot: Snapshot = serde_json::from_value(kept.clone()).unwrap();
            claims(&snapshot.into_table(&settings()).unwrap())
        };
        assert_eq!(read(&kept), claims(&before));
        kept["ingresses"][0]
            .as_object_mut()
            .unwrap()
            .remove("tls")
            .unwrap();
        assert!(read(&kept).is_empty());
    }
}
