//! Events in, changes out; and an API without memory.

use std::collections::{BTreeMap, BTreeSet};

use toolforge_model::ToolName;
use toolforge_routing::{
    Change, EndpointSlice, Ingress, Kind, Object, ObjectKey, PortRef, Reception, RouteTable, ServiceRef,
    Settings, Target,
};

use super::{Event, Heard, Hearing, StatusIs};

fn ingress(name: &str) -> Object {
    Object::Ingress(Ingress {
        key: ObjectKey::new("tool-a", name),
        created_seconds: 1,
        class: None,
        refused: None,
        rules: Vec::new(),
        default_backend: None,
        tls: Vec::new(),
        annotations: BTreeMap::new(),
    })
}

fn slice(name: &str) -> Object {
    Object::Slice(EndpointSlice {
        key: ObjectKey::new("default", name),
        service: name.into(),
        ports: Vec::new(),
        endpoints: Vec::new(),
    })
}

fn heard(object: Object) -> Heard {
    Heard {
        object,
        status: StatusIs::Ours,
    }
}

fn list(kind: Kind, objects: Vec<Object>) -> Vec<Event> {
    let mut events = vec![Event::Begin(kind)];
    events.extend(objects.into_iter().map(|object| Event::Listed(heard(object))));
    events.push(Event::Done(kind));
    events
}

fn settings(policy: &str) -> Settings {
    Settings {
        ingress_class: "toolforge".into(),
        controller: "toolforge.org/gateway".into(),
        default_backend: ServiceRef {
            namespace: "tool-fourohfour".into(),
            target: Target {
                service: "fourohfour".into(),
                port: PortRef::Number(8000),
            },
        },
        policy: policy.into(),
    }
}

struct Told {
    hearing: Hearing,
    table: RouteTable,
}

impl Told {
    fn new(objects: Vec<Object>) -> Self {
        let hearing = Hearing::default();
        let table = RouteTable::new(settings("")).with(objects.into_iter().map(Change::Put));
        Self { hearing, table }
    }

    fn tell(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.table = self.table.with(self.hearing.hear(event, &self.table));
        }
    }

    fn names(&self) -> Vec<String> {
        self.table
            .objects()
            .iter()
            .map(|object| object.key().name.to_string())
            .collect()
    }
}

#[test]
fn list_replaces_what_was_known_once_a_tools_namespace_is() {
    let mut told = Told::new(vec![ingress("old")]);
    told.tell(list(Kind::Ingress, vec![ingress("new")]));
    assert_eq!(
        told.names(),
        ["new", "old"],
        "nothing is known of the API's memory yet"
    );
    told.tell([
        Event::NamespacesBegin,
        Event::ToolNamespace("tool-a".into(), false),
    ]);
    assert_eq!(told.names(), ["new"]);
}

#[test]
fn api_without_memory_takes_nothing_away_and_may_add() {
    let mut told = Told::new(vec![ingress("old"), slice("gone")]);
    told.tell([Event::NamespacesBegin]);
    told.tell(list(Kind::Ingress, Vec::new()));
    told.tell(list(Kind::Slice, vec![slice("kubernetes")]));
    assert_eq!(told.names(), ["gone", "kubernetes", "old"]);
    told.tell([
        Event::Put(heard(slice("added"))),
        Event::Put(heard(slice("passing"))),
    ]);
    told.tell([Event::Gone(Kind::Slice, ObjectKey::new("default", "passing"))]);
    assert_eq!(told.names(), ["added", "gone", "kubernetes", "old"]);
    told.tell([Event::ToolNamespace("tool-b".into(), false)]);
    assert_eq!(
        told.names(),
        ["added", "kubernetes"],
        "what lists do not have is taken away, but not what came after them"
    );
}

#[test]
fn list_that_begins_anew_counts_from_its_beginning() {
    let mut told = Told::new(vec![ingress("old")]);
    told.tell(list(Kind::Ingress, Vec::new()));
    assert!(!told.hearing.is_in_a_list());
    let broken = [
        Event::Begin(Kind::Ingress),
        Event::Listed(heard(ingress("passing"))),
    ];
    told.tell(broken);
    assert!(told.hearing.is_in_a_list());
    told.tell([Event::ToolNamespace("tool-a".into(), false)]);
    assert_eq!(told.names(), ["old", "passing"], "the list has no end yet");
    told.tell(list(Kind::Ingress, vec![ingress("new")]));
    assert_eq!(told.names(), ["new"]);
}

#[test]
fn settings_change_when_all_verdicts_are_by_them() {
    let mut told = Told::new(vec![ingress("old")]);
    let policy = |told: &Told| told.table.settings().policy.clone();
    told.tell([
        Event::Judged(Box::new(settings("new"))),
        Event::Begin(Kind::Ingress),
    ]);
    told.tell([Event::Listed(heard(ingress("listed")))]);
    assert_eq!(policy(&told), "", "the list has no end yet");
    // A watch that breaks begins anew; it is by the same policy.
    told.tell(list(Kind::Ingress, vec![ingress("listed")]));
    assert_eq!(
        policy(&told),
        "",
        "an API without memory leaves what has an old verdict"
    );
    told.tell([Event::ToolNamespace("tool-a".into(), false)]);
    assert_eq!(
        (told.names(), policy(&told)),
        (vec!["listed".to_owned()], "new".to_owned())
    );
    told.tell(list(Kind::Slice, Vec::new()));
    told.tell([Event::Judged(Box::new(settings("newer")))]);
    told.tell(list(Kind::Slice, Vec::new()));
    assert_eq!(policy(&told), "new", "other lists say nothing of verdicts");
    told.tell(list(Kind::Ingress, Vec::new()));
    assert_eq!(policy(&told), "newer");
}

#[test]
fn empty_table_takes_every_list_at_once() {
    let mut told = Told::new(Vec::new());
    told.tell(list(Kind::Ingress, vec![ingress("first")]));
    assert_eq!(told.names(), ["first"]);
}

#[test]
fn objects_vanish_with_their_last_ingress_event() {
    let mut told = Told::new(Vec::new());
    told.tell([Event::ToolNamespace("tool-a".into(), false)]);
    told.tell([Event::Put(heard(ingress("a"))), Event::Put(heard(ingress("b")))]);
    told.tell([Event::Gone(Kind::Ingress, ObjectKey::new("tool-a", "a"))]);
    assert_eq!(told.names(), ["b"]);
    told.tell(list(Kind::Ingress, Vec::new()));
    assert!(told.names().is_empty());
}

#[test]
fn status_is_owed_until_it_is_heard_and_never_to_one_that_is_gone() {
    let mut told = Told::new(Vec::new());
    let key = ingress("a").key();
    let empty = || Heard {
        status: StatusIs::Empty,
        ..heard(ingress("a"))
    };
    let served = Reception::Routed(Vec::new());
    let owed = |told: &mut Told| told.hearing.replies.owed(key.clone(), Some(&served)).is_some();
    told.tell([Event::Put(empty())]);
    assert!(owed(&mut told));
    assert!(!owed(&mut told), "it was asked for");
    told.tell([Event::Put(empty())]);
    assert!(owed(&mut told));
    told.tell([Event::Put(heard(ingress("a")))]);
    assert!(!owed(&mut told));
    told.tell([Event::Put(empty()), Event::Gone(Kind::Ingress, key.clone())]);
    assert!(!owed(&mut told), "it is gone");
}

#[test]
fn tools_are_told_when_all_are_known_and_then_at_each_change() {
    let mut told = Told::new(Vec::new());
    let there = |name: &str, is_withdrawn| Event::ToolNamespace(name.to_owned(), is_withdrawn);
    let mut tenants = |events: Vec<Event>| {
        told.tell(events);
        let known = told.hearing.tenants()?;
        let names = |tools: &BTreeSet<ToolName>| tools.iter().map(ToString::to_string).collect::<Vec<_>>();
        Some((names(&known.active), names(&known.withdrawn)))
    };
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        tenants(vec![
            Event::NamespacesBegin,
            there("tool-a", false),
            there("tool-b", true)
        ]),
        None,
        "there may be more"
    );
    assert_eq!(
        tenants(vec![Event::NamespacesDone]),
        Some((named(&["a"]), named(&["b"])))
    );
    assert_eq!(tenants(vec![there("tool-a", false)]), None, "nothing has changed");
    assert_eq!(
        tenants(vec![there("tool-a", true)]),
        Some((named(&[]), named(&["a", "b"])))
    );
    assert_eq!(
        tenants(vec![Event::NamespaceGone("tool-b".to_owned())]),
        Some((named(&[]), named(&["a"])))
    );
}
