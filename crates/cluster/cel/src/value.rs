//! The values of expressions, and their way from and to JSON.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use toolforge_model::Quantity;

use crate::authorizer::{Asking, Decision};

/// A value. Copies share what is inside.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing.
    Null,
    /// A flag.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number without a sign.
    Uint(u64),
    /// Any number.
    Double(f64),
    /// Text.
    Text(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A list.
    List(Arc<Vec<Value>>),
    /// A map; also what JSON calls an object.
    Map(Arc<BTreeMap<Key, Value>>),
    /// A moment.
    Timestamp(Timestamp),
    /// A length of time.
    Duration(SignedDuration),
    /// The name of a type.
    Type(&'static str),
    /// A value that may not be there.
    Optional(Option<Arc<Value>>),
    /// A Kubernetes quantity.
    Quantity(Quantity),
    /// An absolute URL or path.
    Url(Arc<url::Url>),
    /// An IP address.
    Ip(IpAddr),
    /// A network: an address, and how many of its bits are the network's.
    Cidr(IpAddr, u8),
    /// A semantic version.
    Semver(Arc<semver::Version>),
    /// A named format, such as `dns1123Label`.
    Format(&'static str),
    /// A question about rights.
    Asking(Arc<Asking>),
    /// An answer to one.
    Decision(Arc<Decision>),
}

/// A key of a map. Whole numbers with and without sign are one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A flag.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Text.
    Text(Arc<str>),
}

impl Value {
    /// The value of JSON: whole numbers become `int`, others `double`.
    pub fn from_json(json: &serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Bool(*flag),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(whole), _) => Self::Int(whole),
                (None, Some(whole)) => Self::Uint(whole),
                (None, None) => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::list(items.iter().map(Self::from_json).collect()),
            Json::Object(map) => Self::map(
                map.iter()
                    .map(|(name, value)| (name.as_str(), Self::from_json(value))),
            ),
        }
    }

    /// The value as JSON; `None` for what JSON has no form for.
    pub fn to_json(&self) -> Option<serde_json::Value> {
        use serde_json::Value as Json;
        Some(match self {
            Self::Null | Self::Optional(None) => Json::Null,
            Self::Bool(flag) => Json::from(*flag),
            Self::Int(number) => Json::from(*number),
            Self::Uint(number) => Json::from(*number),
            Self::Double(number) => Json::from(*number),
            Self::Text(text) => Json::from(&**text),
            Self::Bytes(bytes) => Json::from(STANDARD.encode(bytes)),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect::<Option<_>>()?),
            Self::Map(map) => Json::Object(
                map.iter()
                    .map(|(key, value)| Some((key.to_string(), value.to_json()?)))
                    .collect::<Option<_>>()?,
            ),
            Self::Timestamp(moment) => Json::from(moment.to_string()),
            Self::Duration(length) => Json::from(duration_text(*length)),
            Self::Optional(Some(value)) => value.to_json()?,
            Self::Quantity(amount) => Json::from(amount.to_string()),
            Self::Url(url) => Json::from(url.as_str()),
            Self::Ip(address) => Json::from(address.to_string()),
            Self::Cidr(address, bits) => Json::from(format!("{address}/{bits}")),
            Self::Semver(version) => Json::from(version.to_string()),
            Self::Type(_) | Self::Format(_) | Self::Asking(_) | Self::Decision(_) => return None,
        })
    }

    /// Text.
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// A list.
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(Arc::new(items))
    }

    /// A map with texts as keys.
    pub fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::Map(Arc::new(
            entries
                .into_iter()
                .map(|(name, value)| (Key::Text(name.into()), value))
                .collect(),
        ))
    }

    /// The name of the value's type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Type(_) => "type",
            Self::Optional(_) => "optional_type",
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Url(_) => "kubernetes.URL",
            Self::Ip(_) => "net.IP",
            Self::Cidr(..) => "net.CIDR",
            Self::Semver(_) => "kubernetes.Semver",
            Self::Format(_) => "kubernetes.NamedFormat",
            Self::Asking(asking) => asking.type_name(),
            Self::Decision(_) => "kubernetes.authorization.Decision",
        }
    }

    /// Whether the value is the empty one of its type.
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Self::Null | Self::Optional(None) => true,
            Self::Bool(flag) => !flag,
            Self::Int(number) => *number == 0,
            Self::Uint(number) => *number == 0,
            Self::Double(number) => *number == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(map) => map.is_empty(),
            Self::Duration(length) => length.is_zero(),
            _ => false,
        }
    }
}

impl Key {
    /// The key that a value stands for; `None` for values that are no keys.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Int(number) => Self::Int(i128::from(*number)),
            Value::Uint(number) => Self::Int(i128::from(*number)),
            Value::Double(number) => Self::Int(whole(*number)?),
            Value::Text(text) => Self::Text(text.clone()),
            _ => return None,
        })
    }

    /// The key as a value.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(number) => match (i64::try_from(*number), u64::try_from(*number)) {
                (Ok(number), _) => Value::Int(number),
                (Err(_), Ok(number)) => Value::Uint(number),
                (Err(_), Err(_)) => Value::Null,
            },
            Self::Text(text) => Value::Text(text.clone()),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(flag) => flag.fmt(f),
            Self::Int(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// A double that is a whole number of 64 bits.
pub(crate) fn whole(number: f64) -> Option<i128> {
    const EDGE: f64 = 18_446_744_073_709_551_616.0;
    if number.fract() != 0.0 || number.abs() >= EDGE {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and below 2^64, as checked above"
    )]
    let exact = number as i128;
    Some(exact)
}

/// Seconds with as many digits as it takes, as Go writes durations for JSON: `1.5s`.
pub(crate) fn duration_text(length: SignedDuration) -> String {
    let nanos = length.as_nanos();
    let sign = if nanos < 0 { "-" } else { "" };
    let (seconds, rest) = (
        nanos.unsigned_abs() / 1_000_000_000,
        nanos.unsigned_abs() % 1_000_000_000,
    );
    if rest == 0 {
        return format!("{sign}{seconds}s");
    }
    let digits = format!("{rest:09}");
    format!("{sign}{seconds}.{}s", digits.trim_end_matches('0'))
}

/// Equality across kinds of numbers; values of different types are not equal.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Type(a), Self::Type(b)) | (Self::Format(a), Self::Format(b)) => a == b,
            (Self::Optional(a), Self::Optional(b)) => a == b,
            (Self::Url(a), Self::Url(b)) => a == b,
            (Self::Decision(a), Self::Decision(b)) => a == b,
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::Cidr(a, bits), Self::Cidr(b, other)) => a == b && bits == other,
            _ => compare(self, other) == Some(Ordering::Equal),
        }
    }
}

/// The order of two values, where there is one.
pub(crate) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (Value::Quantity(a), Value::Quantity(b)) => Some(a.cmp(b)),
        (Value::Semver(a), Value::Semver(b)) => Some(a.cmp_precedence(b)),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Double(a), b) => compare_with_double(integer(b)?, *a).map(Ordering::reverse),
        (a, Value::Double(b)) => compare_with_double(integer(a)?, *b),
        (a, b) => Some(integer(a)?.cmp(&integer(b)?)),
    }
}

fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::Uint(number) => Some(i128::from(*number)),
        _ => None,
    }
}

fn compare_with_double(number: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    let Some(floor) = whole(double.floor()) else {
        return Some(if double > 0.0 {
            Ordering::Less
        } else {
            Ordering::Greater
        });
    };
    Some(number.cmp(&floor).then(if double.fract() == 0.0 {
        Ordering::Equal
    } else {
        Ordering::Less
    }))
}
