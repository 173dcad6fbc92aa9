//! Tables: the columns that kubectl users know, for every kind. The API server answers with them where a client
//! accepts `as=Table`.
//!
//! The cells are those of Kubernetes' printers (`pkg/printers/internalversion`); columns of priority 1 are shown by
//! `kubectl get -o wide`.

mod age;
mod autoscaler;
mod cluster;
mod config;
mod event;
mod network;
mod pod;
mod rights;
mod text;
mod workload;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::convert::{convert, storage_kind};
use crate::kind::Kind;
use crate::value::text_at;
pub(crate) use age::since;

/// How much of an object goes into its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// Its metadata.
    #[default]
    Metadata,
    /// The whole object.
    Object,
}

/// A `meta.k8s.io/v1 Table` of objects of one kind; ages count up to `now`.
///
/// Metadata of the list, such as its resource version, is the caller's to set. A watch event's table is that of its
/// one object.
pub fn table(kind: &'static Kind, objects: &[&Value], now: Timestamp, include: IncludeObject) -> Value {
    let printer = printer(storage_kind(kind));
    let columns: Vec<Value> = printer.columns.iter().map(Column::definition).collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| row(kind, &printer, object, now, include))
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": columns,
        "rows": rows,
    })
}

/// The table of one `Scale`, as it goes through the subresource of any kind.
pub fn scale_table(scale: &Value, now: Timestamp, include: IncludeObject) -> Value {
    let columns: Vec<Value> = workload::SCALE.iter().map(Column::definition).collect();
    let cells = json!({ "cells": workload::scale(scale, now), "object": shown(scale, include) });
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": columns,
        "rows": [cells],
    })
}

fn row(
    kind: &'static Kind,
    printer: &Printer,
    object: &Value,
    now: Timestamp,
    include: IncludeObject,
) -> Value {
    let stored = storage_kind(kind);
    let cells = if stored == kind {
        (printer.cells)(object, now)
    } else {
        (printer.cells)(&convert(kind, stored, object.clone()), now)
    };
    let mut row = row_of(&cells, object, include);
    if let Some(condition) = pod::completed(stored, object) {
        row["conditions"] = json!([condition]);
    }
    row
}

/// A row of cells, with as much of its object as was asked for.
pub(crate) fn row_of(cells: &[Value], object: &Value, include: IncludeObject) -> Value {
    let mut row = json!({ "cells": cells });
    row["object"] = shown(object, include);
    row
}

/// What of an object goes into its row.
fn shown(object: &Value, include: IncludeObject) -> Value {
    match include {
        IncludeObject::None => Value::Null,
        IncludeObject::Object => object.clone(),
        IncludeObject::Metadata => json!({
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": object.get("metadata"),
        }),
    }
}

/// Makes the cells of an object's row; ages count up to the moment.
type Cells = fn(&Value, Timestamp) -> Vec<Value>;

/// The columns of a kind, and how to fill them.
struct Printer {
    columns: &'static [Column],
    cells: Cells,
}

/// A column.
struct Column {
    name: &'static str,
    kind: &'static str,
    description: &'static str,
    wide: bool,
}

impl Column {
    /// A column of text.
    const fn text(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            kind: "string",
            description,
            wide: false,
        }
    }

    /// A column of whole numbers.
    const fn number(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            kind: "integer",
            description,
            wide: false,
        }
    }

    /// The same column, shown only by `-o wide`.
    const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }

    fn definition(&self) -> Value {
        json!({
            "name": self.name,
            "type": self.kind,
            "format": if self.name == "Name" { "name" } else { "" },
            "description": self.description,
            "priority": i32::from(self.wide),
        })
    }
}

const NAME: Column = Column::text("Name", "Name, unique within the namespace.");
const AGE: Column = Column::text("Age", "Time since the object was created.");
const CREATED_AT: Column = Column::text("Created At", "Time at which the object was created.");

fn printer(kind: &Kind) -> Printer {
    let (columns, cells): (&'static [Column], Cells) = match kind.key() {
        ("", "Pod") => (pod::COLUMNS, pod::cells),
        ("apps", "Deployment") => (workload::DEPLOYMENT, workload::deployment),
        ("apps", "ReplicaSet") => (workload::REPLICA_SET, workload::replica_set),
        ("apps", "StatefulSet") => (workload::STATEFUL_SET, workload::stateful_set),
        ("apps", "ControllerRevision") => (workload::REVISION, workload::revision),
        ("autoscaling", _) => (autoscaler::COLUMNS, autoscaler::cells),
        ("batch", "Job") => (workload::JOB, workload::job),
        ("batch", "CronJob") => (workload::CRON_JOB, workload::cron_job),
        ("", "Service") => (network::SERVICE, network::service),
        ("", "Endpoints") => (network::ENDPOINTS, network::endpoints),
        ("discovery.k8s.io", "EndpointSlice") => (network::ENDPOINT_SLICE, network::endpoint_slice),
        ("networking.k8s.io", "Ingress") => (network::INGRESS, network::ingress),
        ("networking.k8s.io", "IngressClass") => (network::INGRESS_CLASS, network::ingress_class),
        ("networking.k8s.io", "NetworkPolicy") => (network::POLICY, network::policy),
        ("", "Namespace") => (cluster::NAMESPACE, cluster::namespace),
        ("", "Node") => (cluster::NODE, cluster::node),
        ("", "PersistentVolumeClaim") => (cluster::CLAIM, cluster::claim),
        ("coordination.k8s.io", "Lease") => (cluster::LEASE, cluster::lease),
        ("policy", "PodDisruptionBudget") => (cluster::BUDGET, cluster::budget),
        ("", "Event") => (event::COLUMNS, event::cells),
        ("", "ConfigMap") => (config::CONFIG_MAP, config::config_map),
        ("", "Secret") => (config::SECRET, config::secret),
        ("", "ServiceAccount") => (config::SERVICE_ACCOUNT, config::service_account),
        ("", "ResourceQuota") => (config::QUOTA, config::quota),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            (rights::BINDING, rights::binding)
        }
        ("apiregistration.k8s.io", _) => (cluster::API_SERVICE, cluster::api_service),
        ("certificates.k8s.io", _) => (rights::REQUEST, rights::request),
        ("admissionregistration.k8s.io", _) => (rights::WEBHOOKS, rights::webhooks),
        _ => (&[NAME, CREATED_AT], name_and_creation),
    };
    Printer { columns, cells }
}

fn name_and_creation(object: &Value, _now: Timestamp) -> Vec<Value> {
    let created = text_at(object, &["metadata", "creationTimestamp"]);
    vec![
        name(object),
        if created.is_empty() {
            "<unknown>".into()
        } else {
            created.into()
        },
    ]
}

fn name(object: &Value) -> Value {
    text_at(object, &["metadata", "name"]).into()
}

fn age(object: &Value, now: Timestamp) -> Value {
    since(text_at(object, &["metadata", "creationTimestamp"]), now).into()
}

#[cfg(test)]
mod tests;
