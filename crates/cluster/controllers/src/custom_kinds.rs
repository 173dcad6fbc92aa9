//! Notices that custom kinds are defined or taken away: whenever a definition changes, the API is asked what it serves.

use std::sync::Arc;
use std::time::Duration;

use crate::controller::{Again, Controller, Failure, Step};
use crate::key::Key;
use crate::queue::Queue;
use crate::world::World;

/// The kind that defines kinds.
const DEFINITION: &str = "CustomResourceDefinition";
/// How long a definition may take until its kind is served; it is asked for again until then, ever more rarely.
const PATIENCE: Duration = Duration::from_secs(20);
/// The first of these pauses.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The controller; its keys are definitions.
pub(crate) struct CustomKinds {
    world: Arc<World>,
    queue: Arc<Queue<Key>>,
    /// When to ask again about a definition whose kind is not served yet.
    pauses: parking_lot::Mutex<std::collections::HashMap<Key, Duration>>,
}

impl CustomKinds {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let add = Arc::clone(&queue);
        world.others.on_kind(move |kind, cache| {
            if kind.resource.kind == DEFINITION {
                let add = Arc::clone(&add);
                cache
                    .on_change(move |change| change.sides().take(1).for_each(|one| add.add(Key::of(&**one))));
            }
        });
        Arc::new(Self {
            world: Arc::clone(world),
            queue,
            pauses: parking_lot::Mutex::default(),
        })
    }

    /// Whether what the API serves agrees with whether the definition is there.
    fn agrees(&self, key: &Key) -> bool {
        let others = self.world.others.all();
        let mut definitions = others.iter().filter(|(kind, _)| kind.resource.kind == DEFINITION);
        let defined = definitions.any(|(_, cache)| cache.by_key(key).is_some());
        // A definition is named after what it defines: PLURAL.GROUP.
        let is_it = |kind: &Arc<crate::world::Served>| {
            key.name == format!("{}.{}", kind.resource.plural, kind.resource.group)
        };
        defined == self.world.served().iter().any(is_it)
    }
}

impl Controller for CustomKinds {
    type Key = Key;

    const NAME: &'static str = "custom-kinds";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        self.world.rediscover().await.step("ask what the API serves")?;
        let mut pauses = self.pauses.lock();
        if self.agrees(key) {
            pauses.remove(key);
            return Ok(None);
        }
        let pause = pauses.get(key).map_or(FIRST_PAUSE, |last| last.saturating_mul(2));
        if pause > PATIENCE {
            // A definition that is refused its names; when that changes, it changes as well.
            pauses.remove(key);
            return Ok(None);
        }
        pauses.insert(key.clone(), pause);
        Ok(Some(pause))
    }
}
