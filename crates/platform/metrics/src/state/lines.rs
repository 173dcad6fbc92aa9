//! The figures of one object, while they are rendered. Pure.

use std::fmt::Display;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use toolforge_exposition::{Kind, write_sample};

/// One family of figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
}

/// A gauge.
pub(super) const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        kind: Kind::Gauge,
        help,
    }
}

/// A counter.
pub(super) const fn counter(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        kind: Kind::Counter,
        help,
    }
}

/// Labels and their values.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// The lines of one object, by family.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    families: &'static [Family],
    texts: Vec<String>,
    base: Vec<(&'a str, &'a str)>,
}

impl<'a> Lines<'a> {
    /// None yet, of these families. All will have these labels.
    pub(crate) fn new(families: &'static [Family]) -> Self {
        Self {
            families,
            texts: vec![String::new(); families.len()],
            base: Vec::new(),
        }
    }

    /// What identifies the object stands on every line from now on.
    pub(super) fn of(&mut self, base: &[(&'a str, &'a str)]) {
        self.base = base.to_vec();
    }

    /// A figure with further labels.
    pub(super) fn put(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        let Some(at) = self.families.iter().position(|family| family.name == name) else {
            debug_assert!(false, "{name} is no family of this kind");
            return;
        };
        let mut all: Vec<(&str, &str)> = Vec::with_capacity(self.base.len() + labels.len());
        all.extend_from_slice(&self.base);
        all.extend_from_slice(labels);
        write_sample(&mut self.texts[at], name, &all, value, None);
    }

    /// A figure without further labels, where it is known.
    pub(super) fn maybe(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.put(name, &[], value);
        }
    }

    /// A moment, in seconds since 1970.
    pub(super) fn time(&mut self, name: &str, time: Option<&Time>) {
        self.maybe(name, time.map(|time| time.0.as_second()));
    }

    /// A figure for each value that a label may have: 1 for the one that it has, else 0.
    pub(super) fn one_of(&mut self, name: &str, label: &str, values: &[&str], is: &str) {
        for value in values {
            self.put(name, &[(label, value)], u8::from(*value == is));
        }
    }

    /// The three figures of a condition: whether it is true, false or unknown.
    pub(super) fn condition(&mut self, name: &str, label: &str, labels: Labels<'_>, status: &str) {
        for value in ["true", "false", "unknown"] {
            let mut all = labels.to_vec();
            all.push((label, value));
            self.put(name, &all, u8::from(status.eq_ignore_ascii_case(value)));
        }
    }

    /// Who owns the object; a line with `<none>` for nobody.
    pub(super) fn owners(&mut self, name: &str, owners: Option<&Vec<OwnerReference>>) {
        let owners = owners.map(Vec::as_slice).unwrap_or_default();
        for owner in owners {
            let controls = if owner.controller == Some(true) {
                "true"
            } else {
                "false"
            };
            let labels = [
                ("owner_kind", owner.kind.as_str()),
                ("owner_name", owner.name.as_str()),
                ("owner_is_controller", controls),
            ];
            self.put(name, &labels, 1);
        }
        if owners.is_empty() {
            let none = [
                ("owner_kind", ""),
                ("owner_name", ""),
                ("owner_is_controller", ""),
            ];
            self.put(name, &none, 1);
        }
    }

    /// Resources with their units.
    pub(super) fn amounts<'b>(
        &mut self,
        name: &str,
        labels: Labels<'_>,
        amounts: impl IntoIterator<Item = (&'b String, &'b Quantity)>,
    ) {
        for (resource, amount) in amounts {
            let (resource, unit) = resource_and_unit(resource);
            if let Some(value) = number(amount) {
                let mut all = labels.to_vec();
                all.extend([("resource", resource.as_str()), ("unit", unit)]);
                self.put(name, &all, value);
            }
        }
    }

    /// The texts, in the order of the families.
    pub(crate) fn into_texts(self) -> Vec<String> {
        self.texts
    }
}

/// A quantity as a number of whole units.
pub(super) fn number(quantity: &Quantity) -> Option<f64> {
    let read: toolforge_model::Quantity = quantity.0.parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "quantities are small against 2^53")]
    let millis = read.millis() as f64;
    Some(millis / 1000.0)
}

/// The name of a resource as a value, and what it is counted in.
fn resource_and_unit(resource: &str) -> (String, &'static str) {
    let name = resource.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let unit = match resource {
        "cpu" => "core",
        "memory" | "storage" | "ephemeral-storage" => "byte",
        _ if resource.starts_with("hugepages-") => "byte",
        _ => "integer",
    };
    (name, unit)
}

/// A text that may be missing.
pub(super) fn text(value: Option<&String>) -> &str {
    value.map(String::as_str).unwrap_or_default()
}
