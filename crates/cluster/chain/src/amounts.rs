//! Amounts of resources by name, such as what a Pod requests or what a quota allows.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use toolforge_model::Quantity;

/// Exact amounts by the name of the resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amounts(BTreeMap<String, Quantity>);

impl Amounts {
    /// Reads a resource list; what is no quantity is left out, as validation refuses it elsewhere.
    pub fn read(list: Option<&Value>) -> Self {
        let entries = list.and_then(Value::as_object).into_iter().flatten();
        Self(
            entries
                .filter_map(|(name, value)| read_quantity(value).map(|amount| (name.clone(), amount)))
                .collect(),
        )
    }

    /// The amount of one resource, when it is there.
    pub fn get(&self, name: &str) -> Option<Quantity> {
        self.0.get(name).copied()
    }

    /// Sets the amount of one resource.
    pub fn set(&mut self, name: impl Into<String>, amount: Quantity) {
        self.0.insert(name.into(), amount);
    }

    /// Adds the amounts of another list.
    pub fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            *self.0.entry(name.clone()).or_default() += *amount;
        }
    }

    /// Raises each amount to that of another list.
    pub fn raise(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let known = self.0.entry(name.clone()).or_insert(*amount);
            *known = (*known).max(*amount);
        }
    }

    /// What is more here than in another list, and not nothing.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Self {
        let differences = self
            .0
            .iter()
            .map(|(name, amount)| (name, *amount - other.get(name).unwrap_or_default()));
        Self(
            differences
                .filter(|(_, amount)| *amount > Quantity::ZERO)
                .map(|(name, a)| (name.clone(), a))
                .collect(),
        )
    }

    /// Only the named resources.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(name, _)| wanted(name))
                .map(|(name, amount)| (name.clone(), *amount))
                .collect(),
        )
    }

    /// The same resources, with nothing of each.
    #[must_use]
    pub fn zeroed(&self) -> Self {
        Self(self.0.keys().map(|name| (name.clone(), Quantity::ZERO)).collect())
    }

    /// Names and amounts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Quantity)> {
        self.0.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    /// Whether there is no resource.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const N: usize> From<[(&str, Quantity); N]> for Amounts {
    fn from(entries: [(&str, Quantity); N]) -> Self {
        Self(
            entries
                .into_iter()
                .map(|(name, amount)| (name.to_owned(), amount))
                .collect(),
        )
    }
}

/// As in messages of Kubernetes: `cpu=1,memory=2Gi`.
impl fmt::Display for Amounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, amount)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{name}={amount}")?;
        }
        Ok(())
    }
}

/// Reads a quantity, which may be written as text or as a number.
pub(crate) fn read_quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}
