//! A table as it is kept on disk: the objects that it was made from. Who writes it where is the gateway's business.

use serde::{Deserialize, Serialize};

use crate::{
    Change, EndpointSlice, Ingress, IngressClass, Object, Registered, RouteTable, Service, Settings,
};

/// The version of the form below; a snapshot of another version is not read.
const VERSION: u32 = 1;

/// Everything that a table was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    version: u32,
    settings: Settings,
    classes: Vec<IngressClass>,
    services: Vec<Service>,
    slices: Vec<EndpointSlice>,
    ingresses: Vec<Ingress>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    registered: Vec<Registered>,
}

/// Why a snapshot is not good for a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It was written by another version.
    #[error("the snapshot has version {0}, and only version {VERSION} can be read")]
    Version(u32),
    /// It was made under other settings, and the verdicts in it may no longer hold.
    #[error("the snapshot was made under other settings")]
    Settings,
}

impl Snapshot {
    /// The snapshot of a table.
    pub fn of(table: &RouteTable) -> Self {
        let mut snapshot = Self {
            version: VERSION,
            settings: table.settings().clone(),
            classes: Vec::new(),
            services: Vec::new(),
            slices: Vec::new(),
            ingresses: Vec::new(),
            registered: Vec::new(),
        };
        for object in table.objects() {
            match object {
                Object::Ingress(ingress) => snapshot.ingresses.push(ingress),
                Object::Service(service) => snapshot.services.push(service),
                Object::Slice(slice) => snapshot.slices.push(slice),
                Object::Class(class) => snapshot.classes.push(class),
                Object::Registered(registered) => snapshot.registered.push(registered),
            }
        }
        snapshot
    }

    /// The table that it was taken of.
    ///
    /// # Errors
    /// When its version is another, or the settings are not those that it was made under.
    pub fn into_table(self, settings: &Settings) -> Result<RouteTable, SnapshotError> {
        if self.version != VERSION {
            return Err(SnapshotError::Version(self.version));
        }
        if self.settings != *settings {
            return Err(SnapshotError::Settings);
        }
        self.into_kept_table()
    }

    /// The table that it was taken of, under the settings that it was made with: to be looked at, not to be served.
    ///
    /// # Errors
    /// When its version is another.
    pub fn into_kept_table(self) -> Result<RouteTable, SnapshotError> {
        if self.version != VERSION {
            return Err(SnapshotError::Version(self.version));
        }
        let classes = self.classes.into_iter().map(Object::Class);
        let services = self.services.into_iter().map(Object::Service);
        let slices = self.slices.into_iter().map(Object::Slice);
        let ingresses = self.ingresses.into_iter().map(Object::Ingress);
        let registered = self.registered.into_iter().map(Object::Registered);
        let objects = classes.chain(services).chain(slices).chain(ingresses);
        let objects = objects.chain(registered);
        Ok(RouteTable::new(self.settings).with(objects.map(Change::Put)))
    }
}
