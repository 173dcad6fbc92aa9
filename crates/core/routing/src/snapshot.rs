//! A table as it is kept on disk: the objects that it was made from. Who writes it where is the gateway's business.
//!
//! A large table is as large on disk. So it is written object by object, and read object by object into the table: a list
//! of them all beside the table is never in memory.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
    ser::{Error as _, SerializeStruct as _},
};

use crate::{
    EndpointSlice, Ingress, IngressClass, Object, Registered, RouteTable, Service, Settings, table::Making,
};

/// The version of the form below; a snapshot of another version is not read.
const VERSION: u32 = 1;

/// The fields of that form.
const FIELDS: &[&str] = &[
    "version",
    "settings",
    "classes",
    "services",
    "slices",
    "ingresses",
    "registered",
];

/// Everything that a table was made from.
#[derive(Clone, Debug)]
pub struct Snapshot(Result<RouteTable, SnapshotError>);

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
        Self(Ok(table.clone()))
    }

    /// The table that it was taken of.
    ///
    /// # Errors
    /// When its version is another, or the settings are not those that it was made under.
    pub fn into_table(self, settings: &Settings) -> Result<RouteTable, SnapshotError> {
        let table = self.into_kept_table()?;
        if table.settings() != settings {
            return Err(SnapshotError::Settings);
        }
        Ok(table)
    }

    /// The table that it was taken of, under the settings that it was made with: to be looked at, not to be served.
    ///
    /// # Errors
    /// When its version is another.
    pub fn into_kept_table(self) -> Result<RouteTable, SnapshotError> {
        self.0
    }
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let table = self.0.as_ref().map_err(S::Error::custom)?;
        let states = table.sorted_namespaces();
        let mut fields = serializer.serialize_struct("Snapshot", FIELDS.len())?;
        fields.serialize_field("version", &VERSION)?;
        fields.serialize_field("settings", table.settings())?;
        fields.serialize_field("classes", &InTurn(|| table.classes().values()))?;
        let services = || states.iter().flat_map(|state| state.services.values());
        fields.serialize_field("services", &InTurn(|| services().map(|service| &**service)))?;
        let slices = || states.iter().flat_map(|state| state.slices.values());
        fields.serialize_field("slices", &InTurn(|| slices().map(|slice| &**slice)))?;
        let ingresses = || states.iter().flat_map(|state| state.ingresses.values());
        fields.serialize_field("ingresses", &InTurn(|| ingresses().map(|ingress| &**ingress)))?;
        let registered = || states.iter().flat_map(|state| state.registered.values());
        if registered().next().is_some() {
            let registered = InTurn(|| registered().map(|registered| &**registered));
            fields.serialize_field("registered", &registered)?;
        }
        fields.end()
    }
}

/// A list that is written as it is gone through.
struct InTurn<F>(F);

impl<F, I> Serialize for InTurn<F>
where
    F: Fn() -> I,
    I: IntoIterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Snapshot", FIELDS, Reader)
    }
}

/// Reads the fields in whatever order they come.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Snapshot;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the table of a gateway")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Snapshot, A::Error> {
        let (mut version, mut settings, mut making) = (None, None, Making::default());
        while let Some(field) = map.next_key::<String>()? {
            let making = &mut making;
            match field.as_str() {
                "version" => version = Some(map.next_value()?),
                "settings" => settings = Some(map.next_value()?),
                "classes" => map.next_value_seed(Objects::<IngressClass>::into(making))?,
                "services" => map.next_value_seed(Objects::<Service>::into(making))?,
                "slices" => map.next_value_seed(Objects::<EndpointSlice>::into(making))?,
                "ingresses" => map.next_value_seed(Objects::<Ingress>::into(making))?,
                "registered" => map.next_value_seed(Objects::<Registered>::into(making))?,
                _ => return Err(de::Error::unknown_field(&field, FIELDS)),
            }
        }
        let version: u32 = version.ok_or_else(|| de::Error::missing_field("version"))?;
        if version != VERSION {
            return Ok(Snapshot(Err(SnapshotError::Version(version))));
        }
        let settings = settings.ok_or_else(|| de::Error::missing_field("settings"))?;
        Ok(Snapshot(Ok(making.made(settings))))
    }
}

/// A list whose objects become part of a table.
struct Objects<'m, T> {
    making: &'m mut Making,
    of: PhantomData<T>,
}

impl<'m, T> Objects<'m, T> {
    fn into(making: &'m mut Making) -> Self {
        Self {
            making,
            of: PhantomData,
        }
    }
}

impl<'de, T: Deserialize<'de> + Into<Object>> DeserializeSeed<'de> for Objects<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de> + Into<Object>> Visitor<'de> for Objects<'_, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(object) = list.next_element::<T>()? {
            self.making.put(object.into());
        }
        Ok(())
    }
}
