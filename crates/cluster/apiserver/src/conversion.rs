//! Objects of users' kinds in another version than they are stored in, where a webhook converts them.
//!
//! The verbs ask by way of [`crate::rest::Call`], admission by way of the world. What the webhook gives is made complete by
//! the schema of the wanted version. Watches of one version share what was converted for one of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use toolforge_chain::{ConversionError, ConversionWebhook, Converter, World};
use toolforge_kinds::{CustomKind, Kind, Status};

use crate::store::Stored;

/// How long the conversion of a list may take: as long as Kubernetes gives a request.
const LONGEST: Duration = Duration::from_mins(1);

/// How long a watch waits for others of its kind to have their events converted.
const WATCH_WAIT: Duration = Duration::from_secs(30);

/// Bytes of converted objects that are kept for watches of one definition.
const KEPT_BYTES: usize = 4 << 20;

/// Converts.
#[derive(Debug)]
pub(crate) struct Conversion {
    converter: Converter,
}

/// The webhook of a definition, and what it has converted for watches.
#[derive(Debug)]
pub(crate) struct Hook {
    webhook: ConversionWebhook,
    /// Held by the watch that converts, so that the others find what they want.
    turn: tokio::sync::Mutex<()>,
    kept: Mutex<Kept>,
}

/// Converted objects by the revision of their write and the version that they are of.
#[derive(Debug, Default)]
struct Kept {
    objects: HashMap<(u64, &'static str), Arc<Stored>>,
    bytes: usize,
}

impl Kept {
    fn keep(&mut self, version: &'static str, object: &Arc<Stored>) {
        if self.bytes + object.length() > KEPT_BYTES {
            self.objects.clear();
            self.bytes = 0;
        }
        let before = self
            .objects
            .insert((object.revision, version), Arc::clone(object));
        self.bytes += object.length() - before.map_or(0, |before| before.length());
    }
}

impl Hook {
    /// The webhook of a definition; `None` where versions are converted by name alone.
    pub(crate) fn of(definition: &Value) -> Option<Arc<Self>> {
        let name = crate::metadata::text(definition, "name");
        let webhook = ConversionWebhook::of(name, definition.pointer("/spec/conversion")?)?;
        Some(Arc::new(Self {
            webhook,
            turn: tokio::sync::Mutex::default(),
            kept: Mutex::default(),
        }))
    }

    fn known(&self, version: &'static str, objects: &[Arc<Stored>]) -> Option<Vec<Arc<Stored>>> {
        let kept = self.kept.lock();
        objects
            .iter()
            .map(|object| kept.objects.get(&(object.revision, version)).cloned())
            .collect()
    }
}

impl Conversion {
    /// Conversion by webhooks whose Services are found in `world`.
    pub(crate) fn new(world: Arc<dyn World>) -> Self {
        Self {
            converter: Converter::new(world),
        }
    }

    /// Values as objects of `target`, all of which are of other versions.
    pub(crate) async fn values(
        &self,
        hook: &Hook,
        target: &CustomKind,
        values: Vec<Arc<Value>>,
    ) -> Result<Vec<Value>, Status> {
        let version = target.kind.api_version();
        let converted = self.converter.convert(&hook.webhook, &version, values);
        let converted = tokio::time::timeout(LONGEST, converted)
            .await
            .map_err(|_| Status::timeout("the conversion of the objects took too long", 0))?
            .map_err(|problem| refusal(&problem))?;
        Ok(converted.into_iter().map(|value| target.present(value)).collect())
    }

    /// Stored objects as objects of `target`; those that are of its version already stay as they are.
    pub(crate) async fn objects(
        &self,
        hook: &Hook,
        target: &CustomKind,
        mut objects: Vec<Arc<Stored>>,
    ) -> Result<Vec<Arc<Stored>>, Status> {
        let mut places = Vec::new();
        let mut values = Vec::new();
        for (place, stored) in objects.iter().enumerate() {
            if !is_of(stored, target.kind) {
                places.push(place);
                values.push(stored.value());
            }
        }
        if places.is_empty() {
            return Ok(objects);
        }
        let converted = self.values(hook, target, values).await?;
        for (place, value) in places.into_iter().zip(converted) {
            let stored = &objects[place];
            objects[place] = Arc::new(Stored::converted(
                stored.key.clone(),
                stored.revision,
                value,
                target.kind,
            ));
        }
        Ok(objects)
    }

    /// The same for a watch, which shows what others like it show.
    pub(crate) async fn watched(
        &self,
        hook: &Hook,
        target: &CustomKind,
        objects: Vec<Arc<Stored>>,
    ) -> Result<Vec<Arc<Stored>>, Status> {
        let version = target.kind.version;
        if let Some(known) = hook.known(version, &objects) {
            return Ok(known);
        }
        let turn = tokio::time::timeout(WATCH_WAIT, hook.turn.lock()).await;
        let _turn =
            turn.map_err(|_| Status::timeout("the conversion of the objects had to wait too long", 0))?;
        if let Some(known) = hook.known(version, &objects) {
            return Ok(known);
        }
        let converted = self.objects(hook, target, objects).await?;
        let mut kept = hook.kept.lock();
        for object in &converted {
            kept.keep(version, object);
        }
        Ok(converted)
    }
}

/// Whether a stored object is of this version; all versions of one definition have one group.
pub(crate) fn is_of(stored: &Stored, kind: &'static Kind) -> bool {
    is_written_as(stored, kind)
        || stored
            .value()
            .get("apiVersion")
            .is_some_and(|found| *found == kind.api_version())
}

/// Whether the bytes of an object begin with this version: fields are written in the order of their names.
pub(crate) fn is_written_as(stored: &Stored, kind: &'static Kind) -> bool {
    let json = stored.json();
    let Some(rest) = json.strip_prefix(br#"{"apiVersion":""#) else {
        return false;
    };
    let rest = rest
        .strip_prefix(kind.group.as_bytes())
        .and_then(|rest| rest.strip_prefix(b"/"));
    rest.and_then(|rest| rest.strip_prefix(kind.version.as_bytes()))
        .is_some_and(|rest| rest.starts_with(b"\""))
}

/// Kubernetes gives such errors no reason.
fn refusal(problem: &ConversionError) -> Status {
    Status::custom(500, "", problem.to_string(), None)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::store::{Key, Resource};

    fn stored(revision: u64, value: &Value) -> Stored {
        let resource = Resource::find("", "configmaps").unwrap();
        Stored::unparsed(
            Key::new(resource, Some("a"), "b"),
            revision,
            Bytes::from(value.to_string()),
        )
    }

    #[test]
    fn the_version_of_an_object_is_read_from_its_bytes() {
        let kind = toolforge_kinds::by_kind("apps", "v1", "Deployment").unwrap();
        for (version, expected) in [
            ("apps/v1", true),
            ("apps/v1beta1", false),
            ("v1", false),
            ("apps", false),
        ] {
            let object = stored(1, &json!({"kind": "Deployment", "apiVersion": version}));
            assert_eq!(is_written_as(&object, kind), expected, "{version}");
        }
    }

    #[test]
    fn what_is_kept_for_watches_is_bounded() {
        let mut kept = Kept::default();
        let large = json!({"text": "x".repeat(KEPT_BYTES / 4)});
        for revision in 0..100 {
            kept.keep("v1", &Arc::new(stored(revision, &large)));
            kept.keep("v1", &Arc::new(stored(revision, &large)));
            assert!(kept.bytes <= KEPT_BYTES, "{}", kept.bytes);
            assert!(kept.objects.contains_key(&(revision, "v1")));
        }
    }
}
