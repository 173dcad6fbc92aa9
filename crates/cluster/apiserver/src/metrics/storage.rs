//! What is stored and how the disk fares, looked up when somebody asks.

use std::collections::BTreeSet;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::gauge::ConstGauge;
use toolforge_figures::describe;
use toolforge_kinds::Storage;

use super::families;
use crate::definitions::Kinds;
use crate::store::{Resource, Store};

/// The store and what users have defined, for counting.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) store: Arc<Store>,
    pub(super) kinds: Arc<Kinds>,
}

impl Stored {
    /// Every resource that has objects of its own, once however many versions it has.
    fn resources(&self) -> BTreeSet<Resource> {
        let built_in = toolforge_kinds::all()
            .iter()
            .filter(|kind| kind.storage == Storage::Stored)
            .map(Resource::of);
        built_in.chain(self.kinds.resources()).collect()
    }
}

impl Collector for Stored {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut objects = describe(&mut encoder, &families::OBJECTS)?;
        for resource in self.resources() {
            let count = self.store.list(resource, None).objects.len();
            let labels = [("resource", resource.qualified())];
            let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
            gauge.encode(objects.encode_family(&labels)?)?;
        }
        let health = self.store.health();
        for (family, value) in [
            (&families::REVISION, Some(self.store.revision())),
            (&families::SIZE, Some(health.bytes())),
            (&families::REPLAY, Some(health.replay_bytes())),
            (&families::FREE, health.free_bytes()),
            (&families::WRITING, Some(health.is_writing().into())),
        ] {
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(describe(&mut encoder, family)?)?;
        }
        Ok(())
    }
}
