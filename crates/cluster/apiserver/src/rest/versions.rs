//! Between the version that a client asks for and the one in which objects are stored.
//!
//! Built-in kinds and definitions without a webhook are converted here and at once. Where a webhook has to be asked, the
//! verbs have objects converted first ([`Call::as_asked`]); all that follows takes them for what is stored.

use std::sync::Arc;

use serde_json::Value;
use toolforge_kinds::Status;

use super::Call;
use crate::conversion::{Hook, is_of, is_written_as};
use crate::definitions::Custom;
use crate::store::{Event, Previous, Stored};

impl Call {
    /// The webhook that converts objects of the kind, and the wanted version.
    fn hook(&self) -> Option<(&Hook, &Custom)> {
        let custom = self.custom.as_deref()?;
        Some((custom.hook.as_deref()?, custom))
    }

    /// Whether a webhook may have to be asked about objects before they are shown.
    pub(crate) fn asks_webhook(&self) -> bool {
        self.hook().is_some()
    }

    /// An object that was read from the store, in the version that the client asked for.
    pub(crate) async fn as_asked(&self, stored: &Arc<Stored>) -> Result<Arc<Stored>, Status> {
        if self.hook().is_none() || self.shows_as_stored(stored) {
            return Ok(stored.clone());
        }
        let one = self.all_as_asked(vec![stored.clone()]).await?;
        let lost = || Status::internal("the conversion has lost the object");
        one.into_iter().next().ok_or_else(lost)
    }

    /// The same for many, in their order.
    pub(crate) async fn all_as_asked(&self, objects: Vec<Arc<Stored>>) -> Result<Vec<Arc<Stored>>, Status> {
        match self.hook() {
            None => Ok(objects),
            Some((hook, custom)) => {
                let conversion = &self.api.conversion;
                conversion.objects(hook, &custom.kind, objects).await
            }
        }
    }

    /// The same for the events of a watch; what was there before is wanted by those that select.
    pub(crate) async fn events_as_asked(
        &self,
        events: Vec<Arc<Event>>,
        with_previous: bool,
    ) -> Result<Vec<Arc<Event>>, Status> {
        let Some((hook, custom)) = self.hook() else {
            return Ok(events);
        };
        let previous = |event: &Event| match &event.previous {
            Previous::Known(before) if with_previous => Some(before.clone()),
            _ => None,
        };
        let mut objects: Vec<Arc<Stored>> = events.iter().map(|event| event.object.clone()).collect();
        objects.extend(events.iter().filter_map(|event| previous(event)));
        if objects.iter().all(|object| is_of(object, self.kind)) {
            return Ok(events);
        }
        let converted = self.api.conversion.watched(hook, &custom.kind, objects).await?;
        let (objects, before) = converted.split_at(events.len());
        let mut before = before.iter();
        let shown = events.iter().zip(objects).map(|(event, object)| {
            let previous = match previous(event).and_then(|_| before.next()) {
                Some(before) => Previous::Known(before.clone()),
                None => event.previous.clone(),
            };
            Arc::new(Event::new(event.effect, object.clone(), previous))
        });
        Ok(shown.collect())
    }

    /// What the webhook makes of an object that is to be stored; `None` where nobody has to be asked. It is asked before
    /// a quota is held, so that nobody else waits for it.
    pub(crate) async fn converted_to_stored(&self, object: &Value) -> Result<Option<Value>, Status> {
        let Some((hook, custom)) = self.hook().filter(|_| self.stored != self.kind) else {
            return Ok(None);
        };
        let one = vec![Arc::new(object.clone())];
        let converted = self.api.conversion.values(hook, &custom.storage, one).await?;
        Ok(converted.into_iter().next())
    }

    /// The object as it is stored, where nobody has to be asked.
    pub(crate) fn to_stored(&self, object: Value) -> Value {
        if self.stored == self.kind {
            return object;
        }
        match &self.custom {
            Some(custom) => custom.storage.present(object),
            None => toolforge_kinds::convert(self.kind, self.stored, object),
        }
    }

    /// Whether the bytes are what the client shall see.
    pub(crate) fn shows_as_stored(&self, stored: &Stored) -> bool {
        if let Some(kind) = stored.shown_as {
            return std::ptr::eq(kind, self.kind);
        }
        self.stored == self.kind
            && self
                .custom
                .as_ref()
                .is_none_or(|custom| stored.revision > custom.since && is_written_as(stored, self.kind))
    }

    /// The object as the client shall see it, for one that no webhook has to be asked about any more.
    pub(super) fn shown(&self, stored: &Stored) -> Value {
        let object = Value::clone(&stored.value());
        match &self.custom {
            _ if self.shows_as_stored(stored) => object,
            Some(custom) => custom.kind.present(object),
            None => toolforge_kinds::convert(self.stored, self.kind, object),
        }
    }
}
