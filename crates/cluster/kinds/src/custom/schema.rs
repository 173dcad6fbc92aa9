//! A structural schema, compiled: what pruning, defaulting and validation walk along.

use std::collections::BTreeMap;

use serde_json::Value;

use super::limits::Limits;
use super::object;
use super::rules::{Rule, compile_rule};
use crate::value::Read as _;

/// A type of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Object,
    Array,
    Text,
    Integer,
    Number,
    Flag,
}

impl Type {
    /// Reads the name of a type.
    pub(crate) fn read(name: &str) -> Option<Self> {
        Some(match name {
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::Text,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Flag,
            _ => return None,
        })
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Flag => "boolean",
        }
    }
}

/// How the items of a list are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Items {
    #[default]
    Atomic,
    Set,
    /// By the values of these fields.
    Map(Vec<String>),
}

/// A schema and all below it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a word of the schema language by itself"
)]
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) kind: Option<Type>,
    pub(crate) nullable: bool,
    pub(crate) properties: BTreeMap<String, Schema>,
    pub(crate) additional: Option<Box<Schema>>,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) default: Option<Value>,
    /// Unknown fields stay (`x-kubernetes-preserve-unknown-fields`).
    pub(crate) preserves: bool,
    /// An object of some kind of its own (`x-kubernetes-embedded-resource`).
    pub(crate) embedded: bool,
    pub(crate) int_or_string: bool,
    pub(crate) list: Items,
    pub(crate) limits: Limits,
    pub(crate) all_of: Vec<Schema>,
    pub(crate) any_of: Vec<Schema>,
    pub(crate) one_of: Vec<Schema>,
    pub(crate) not: Option<Box<Schema>>,
    pub(crate) rules: Vec<Rule>,
    /// Whether a rule or a default is here or anywhere below.
    pub(crate) has_rules: bool,
    pub(crate) has_defaults: bool,
}

impl Schema {
    /// Compiles a schema that has been validated; what cannot be understood says nothing.
    pub(crate) fn of(value: &Value) -> Self {
        let each = |field: &str| value.list(field).iter().map(Self::of).collect::<Vec<_>>();
        let one = |field: &str| {
            value
                .get(field)
                .filter(|found| found.is_object())
                .map(|found| Box::new(Self::of(found)))
        };
        let mut schema = Self {
            kind: Type::read(value.text("type")),
            nullable: value.flag("nullable"),
            properties: object(value, "properties")
                .into_iter()
                .flatten()
                .map(|(name, schema)| (name.clone(), Self::of(schema)))
                .collect(),
            additional: match value.get("additionalProperties") {
                Some(Value::Bool(true)) => Some(Box::new(Self {
                    preserves: true,
                    ..Self::default()
                })),
                _ => one("additionalProperties"),
            },
            items: one("items"),
            default: value.get("default").cloned(),
            preserves: value.flag("x-kubernetes-preserve-unknown-fields"),
            embedded: value.flag("x-kubernetes-embedded-resource"),
            int_or_string: value.flag("x-kubernetes-int-or-string"),
            list: items(value),
            limits: Limits::of(value),
            all_of: each("allOf"),
            any_of: each("anyOf"),
            one_of: each("oneOf"),
            not: one("not"),
            rules: value
                .list("x-kubernetes-validations")
                .iter()
                .filter_map(|rule| compile_rule(rule).ok())
                .collect(),
            ..Self::default()
        };
        schema.has_rules = !schema.rules.is_empty() || schema.below().any(|below| below.has_rules);
        schema.has_defaults = schema.default.is_some() || schema.below().any(|below| below.has_defaults);
        schema
    }

    fn below(&self) -> impl Iterator<Item = &Self> {
        self.properties
            .values()
            .chain(self.additional.as_deref())
            .chain(self.items.as_deref())
    }

    /// The schema of a field of an object.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        self.properties.get(name).or(self.additional.as_deref())
    }
}

fn items(value: &Value) -> Items {
    match value.text("x-kubernetes-list-type") {
        "set" => Items::Set,
        "map" => Items::Map(
            value
                .list("x-kubernetes-list-map-keys")
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        ),
        _ => Items::Atomic,
    }
}
