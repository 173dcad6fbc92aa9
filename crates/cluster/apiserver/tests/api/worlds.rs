//! A list and the watch that follows on it give the same world as a list at the end, whatever happened: with selectors,
//! pages that are read while others write, watches that end and resume, and bookmarks.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, PostParams, WatchEvent, WatchParams};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

use crate::harness::{DEADLINE, Harness};

/// Histories that are tried, and what happens in each.
const HISTORIES: u64 = 12;
const STEPS: usize = 150;
/// How long a watch that may have nothing to say is listened to.
const MOMENT: Duration = Duration::from_millis(3);
const SELECTORS: &[&str] = &[
    "",
    "colour=red",
    "colour in (red,blue),even",
    "!even",
    "colour!=red",
];

type World = BTreeMap<String, u64>;

fn revision(map: &ConfigMap) -> u64 {
    map.metadata.resource_version.as_ref().unwrap().parse().unwrap()
}

fn name(map: &ConfigMap) -> String {
    map.metadata.name.clone().unwrap()
}

/// Where a client is.
enum State {
    /// In the middle of a listing: where it goes on, and what came so far.
    Listing(Option<String>),
    /// Has seen everything up to here.
    Watching(u64),
    Done,
}

/// A client with a world of its own.
struct Client {
    selector: &'static str,
    page: u32,
    world: World,
    state: State,
    listed_at: Option<String>,
    /// The object whose creation is the last thing that it hears of.
    last: String,
}

impl Client {
    fn new(number: usize, random: &mut StdRng) -> Self {
        Self {
            selector: SELECTORS[random.random_range(0..SELECTORS.len())],
            page: random.random_range(0..4),
            world: World::new(),
            state: State::Listing(None),
            listed_at: None,
            last: format!("zz-last-{number}"),
        }
    }

    /// Reads a page, or listens a moment.
    async fn step(&mut self, maps: &Api<ConfigMap>, past: &BTreeMap<u64, Vec<ConfigMap>>) {
        match &self.state {
            State::Listing(from) => {
                let from = from.clone();
                self.list(maps, from, past).await;
            }
            State::Watching(from) => {
                let from = *from;
                self.watch(maps, from).await;
            }
            State::Done => {}
        }
    }

    async fn list(
        &mut self,
        maps: &Api<ConfigMap>,
        from: Option<String>,
        past: &BTreeMap<u64, Vec<ConfigMap>>,
    ) {
        let mut params = ListParams::default().labels(self.selector);
        params.limit = (self.page > 0).then_some(self.page);
        params.continue_token = from;
        let page = maps.list(&params).await.unwrap();
        let at = page.metadata.resource_version.clone().unwrap();
        assert_eq!(
            *self.listed_at.get_or_insert(at.clone()),
            at,
            "all pages are of one revision"
        );
        self.world
            .extend(page.items.iter().map(|map| (name(map), revision(map))));
        if let Some(token) = page.metadata.continue_.filter(|token| !token.is_empty()) {
            self.state = State::Listing(Some(token));
            return;
        }
        let at = at.parse().unwrap();
        if let Some((_, objects)) = past.range(..=at).next_back() {
            assert_eq!(
                self.world,
                selected(objects, self.selector),
                "{} at {at}",
                self.selector
            );
        }
        self.state = State::Watching(at);
    }

    async fn watch(&mut self, maps: &Api<ConfigMap>, mut last: u64) {
        let params = WatchParams::default().labels(self.selector);
        let mut stream = maps.watch(&params, &last.to_string()).await.unwrap().boxed();
        while let Ok(Some(event)) = tokio::time::timeout(MOMENT, stream.next()).await {
            let map = match event.unwrap() {
                WatchEvent::Added(map) | WatchEvent::Modified(map) => {
                    self.world.insert(name(&map), revision(&map));
                    map
                }
                WatchEvent::Deleted(map) => {
                    assert!(
                        self.world.remove(&name(&map)).is_some(),
                        "{} was not there",
                        name(&map)
                    );
                    map
                }
                WatchEvent::Bookmark(mark) => {
                    last = mark.metadata.resource_version.parse().unwrap();
                    continue;
                }
                WatchEvent::Error(status) => panic!("{status:?}"),
            };
            assert!(revision(&map) > last, "events come in order");
            last = revision(&map);
            if name(&map) == self.last {
                self.state = State::Done;
                return;
            }
            if rand::random_range(0..4) == 0 {
                break;
            }
        }
        self.state = State::Watching(last);
    }
}

/// What a selector chooses, by its meaning.
fn selected(objects: &[ConfigMap], selector: &str) -> World {
    let chosen = |map: &&ConfigMap| {
        let labels = map.metadata.labels.clone().unwrap_or_default();
        let colour = labels.get("colour").map(String::as_str);
        let even = labels.contains_key("even");
        match selector {
            "" => true,
            "colour=red" => colour == Some("red"),
            "colour in (red,blue),even" => matches!(colour, Some("red" | "blue")) && even,
            "!even" => !even,
            "colour!=red" => colour != Some("red"),
            other => panic!("{other}"),
        }
    };
    objects
        .iter()
        .filter(chosen)
        .map(|map| (name(map), revision(map)))
        .collect()
}

fn map(name: &str, random: &mut StdRng) -> ConfigMap {
    let mut labels = json!({});
    match random.random_range(0..4) {
        0 => labels["colour"] = json!("red"),
        1 => labels["colour"] = json!("blue"),
        2 => labels["colour"] = json!("green"),
        _ => {}
    }
    if random.random_range(0..2) == 0 {
        labels["even"] = json!("");
    }
    let data = json!({ "k": random.random::<u64>().to_string() });
    serde_json::from_value(json!({ "metadata": { "name": name, "labels": labels }, "data": data })).unwrap()
}

/// Changes one object in some way; gives all objects as they are now.
async fn change(maps: &Api<ConfigMap>, objects: &mut Vec<ConfigMap>, random: &mut StdRng) -> u64 {
    let wanted = format!("m{}", random.random_range(0..8));
    let place = objects.iter().position(|map| name(map) == wanted);
    match place {
        Some(place) if random.random_range(0..3) == 0 => {
            objects.remove(place);
            maps.delete(&wanted, &DeleteParams::default()).await.unwrap();
            maps.list(&ListParams::default().limit(1))
                .await
                .unwrap()
                .metadata
                .resource_version
                .unwrap()
                .parse()
                .unwrap()
        }
        Some(place) => {
            let made = maps
                .replace(&wanted, &PostParams::default(), &map(&wanted, random))
                .await
                .unwrap();
            objects[place] = made;
            revision(&objects[place])
        }
        None => {
            let made = maps
                .create(&PostParams::default(), &map(&wanted, random))
                .await
                .unwrap();
            objects.push(made);
            objects.last().map(revision).unwrap()
        }
    }
}

async fn play(api: &Harness, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let namespace = format!("history-{seed}");
    let space = serde_json::from_value(json!({ "metadata": { "name": namespace } })).unwrap();
    let spaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(api.admin());
    spaces.create(&PostParams::default(), &space).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(api.admin(), &namespace);
    let (mut objects, mut clients, mut past) = (Vec::new(), Vec::new(), BTreeMap::new());
    for _ in 0..STEPS {
        match random.random_range(0..10) {
            0 => clients.push(Client::new(clients.len(), &mut random)),
            1..6 => {
                let at = change(&maps, &mut objects, &mut random).await;
                past.insert(at, objects.clone());
            }
            _ if clients.is_empty() => {}
            _ => {
                let chosen = random.random_range(0..clients.len());
                clients[chosen].step(&maps, &past).await;
            }
        }
    }
    finish(&maps, clients, &past).await;
}

async fn finish(maps: &Api<ConfigMap>, mut clients: Vec<Client>, past: &BTreeMap<u64, Vec<ConfigMap>>) {
    for client in &mut clients {
        while matches!(client.state, State::Listing(_)) {
            client.step(maps, past).await;
        }
    }
    for client in &clients {
        let labels = match client.selector {
            "!even" | "" => json!({}),
            "colour!=red" => json!({ "colour": "blue" }),
            _ => json!({ "colour": "red", "even": "" }),
        };
        let last = json!({ "metadata": { "name": client.last, "labels": labels } });
        maps.create(&PostParams::default(), &serde_json::from_value(last).unwrap())
            .await
            .unwrap();
    }
    for client in &mut clients {
        let listening = async {
            while !matches!(client.state, State::Done) {
                client.step(maps, past).await;
            }
        };
        tokio::time::timeout(DEADLINE, listening)
            .await
            .expect("the watch comes to its end");
        // Up to its own last object; later ones are of clients after it.
        let list = maps
            .list(&ListParams::default().labels(client.selector))
            .await
            .unwrap();
        let until = client.world[&client.last];
        let world: World = list
            .items
            .iter()
            .map(|map| (name(map), revision(map)))
            .filter(|(_, revision)| *revision <= until)
            .collect();
        assert_eq!(client.world, world, "{}", client.selector);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_and_its_watch_give_the_world_that_a_later_list_gives() {
    let api = Harness::start().await;
    for seed in 0..HISTORIES {
        play(&api, seed).await;
    }
    api.stop().await;
}
