//! What becomes of Ingresses: of those that are refused, of foreign ones, and where two claim the same path.

use std::collections::BTreeMap;

use super::{Lost, Reception};
use crate::{
    Change, Ingress, Kind, Object, ObjectKey, Path, PathKind, PortRef, RouteTable, Rule, ServiceRef,
    Settings, Target,
};

fn ingress(namespace: &str, name: &str, created_seconds: i64, paths: &[(&str, &str)]) -> Ingress {
    let rule = |(host, path): &(&str, &str)| Rule {
        host: (*host).into(),
        paths: vec![Path {
            path: (*path).into(),
            kind: PathKind::Prefix,
            target: None,
        }],
    };
    Ingress {
        key: ObjectKey::new(namespace, name),
        created_seconds,
        class: Some("toolforge".into()),
        refused: None,
        rules: paths.iter().map(rule).collect(),
        default_backend: None,
        tls: Vec::new(),
        annotations: BTreeMap::new(),
    }
}

fn table(ingresses: &[Ingress]) -> RouteTable {
    let settings = Settings {
        ingress_class: "toolforge".into(),
        controller: "toolforge.org/gateway".into(),
        default_backend: ServiceRef {
            namespace: "tool-fourohfour".into(),
            target: Target {
                service: "fourohfour".into(),
                port: PortRef::Number(8000),
            },
        },
        policy: String::new(),
    };
    let objects = ingresses.iter().cloned().map(Object::Ingress);
    RouteTable::new(settings).with(objects.map(Change::Put))
}

fn reception(table: &RouteTable, namespace: &str, name: &str) -> Option<Reception> {
    table.reception(&ObjectKey::new(namespace, name))
}

fn lost(host: &str, path: &str, to: &str) -> Lost {
    Lost {
        host: host.to_owned(),
        path: path.to_owned(),
        to: ObjectKey::new("tool-a", to),
    }
}

#[test]
fn older_ingress_has_the_path_and_the_younger_is_told() {
    let table = table(&[
        ingress("tool-a", "old", 1, &[("a.org", "/")]),
        ingress("tool-a", "same", 2, &[("a.org", "/")]),
        ingress("tool-a", "more", 3, &[("a.org", "/"), ("a.org", "/wiki")]),
        ingress("tool-a", "deep", 4, &[("a.org", "/wiki/"), ("a.org", "/")]),
    ]);
    assert_eq!(
        reception(&table, "tool-a", "old"),
        Some(Reception::Routed(Vec::new()))
    );
    assert_eq!(
        reception(&table, "tool-a", "same"),
        Some(Reception::Outdone(vec![lost("a.org", "/", "old")]))
    );
    assert_eq!(
        reception(&table, "tool-a", "more"),
        Some(Reception::Routed(vec![lost("a.org", "/", "old")]))
    );
    assert_eq!(
        reception(&table, "tool-a", "deep"),
        Some(Reception::Outdone(vec![
            lost("a.org", "/wiki/", "more"),
            lost("a.org", "/", "old")
        ]))
    );
    assert_eq!(reception(&table, "tool-a", "none"), None);
}

#[test]
fn refused_ones_take_nothing_from_anybody_and_foreign_ones_are_nobodys_matter() {
    let mut refused = ingress("tool-a", "old", 1, &[("a.org", "/")]);
    refused.refused = Some("no such host".to_owned());
    let mut foreign = refused.clone();
    foreign.key.name = "foreign".into();
    foreign.class = Some("nginx".into());
    let table = table(&[refused, foreign, ingress("tool-a", "young", 2, &[("a.org", "/")])]);
    assert_eq!(
        reception(&table, "tool-a", "old"),
        Some(Reception::Refused("no such host".to_owned()))
    );
    assert_eq!(reception(&table, "tool-a", "foreign"), Some(Reception::Foreign));
    assert_eq!(
        reception(&table, "tool-a", "young"),
        Some(Reception::Routed(Vec::new()))
    );
}

#[test]
fn change_affects_the_namespace_and_those_that_share_its_hosts() {
    let table = table(&[
        ingress("tool-a", "web", 1, &[("a.org", "/")]),
        ingress("tool-a", "api", 1, &[("a.org", "/api")]),
        ingress("tool-b", "web", 2, &[("a.org", "/b")]),
        ingress("tool-c", "web", 3, &[("c.org", "/")]),
    ]);
    let affected = |change: Change| {
        let keys = table.affected_by(&change).into_iter();
        keys.map(|key| format!("{}/{}", key.namespace, key.name))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let key = ObjectKey::new("tool-a", "web");
    let all = "tool-a/api tool-a/web tool-b/web tool-c/web";
    assert_eq!(
        affected(Change::Remove(Kind::Ingress, key.clone())),
        "tool-a/api tool-a/web tool-b/web"
    );
    assert_eq!(affected(Change::Remove(Kind::Service, key)), "");
    assert_eq!(affected(Change::Replace(Kind::Ingress, Vec::new())), all);
    assert_eq!(
        affected(Change::Remove(Kind::Class, ObjectKey::new("", "toolforge"))),
        all
    );
    assert_eq!(
        affected(Change::Settings(Box::new(table.settings().clone()))),
        all
    );
}
