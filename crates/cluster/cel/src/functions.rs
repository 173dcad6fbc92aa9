//! The functions and methods that expressions may call: CEL's own, and those that Kubernetes adds
//! (<https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-cel-libraries>).

mod authority;
mod convert;
mod list;
mod named;
mod network;
mod number;
mod optional;
mod quantity;
mod template;
mod text;
mod time;

use crate::evaluate::{Evaluation, Found, no_overload};
use crate::value::Value;

pub(crate) use list::sorted_by;

/// Names that are called as functions.
const FUNCTIONS: &[&str] = &[
    "base64.decode",
    "base64.encode",
    "bool",
    "bytes",
    "cidr",
    "double",
    "duration",
    "dyn",
    "format.named",
    "int",
    "ip",
    "ip.isCanonical",
    "isCIDR",
    "isIP",
    "isQuantity",
    "isSemver",
    "isURL",
    "lists.range",
    "matches",
    "math.abs",
    "math.bitAnd",
    "math.bitNot",
    "math.bitOr",
    "math.bitShiftLeft",
    "math.bitShiftRight",
    "math.bitXor",
    "math.ceil",
    "math.floor",
    "math.greatest",
    "math.isFinite",
    "math.isInf",
    "math.isNaN",
    "math.least",
    "math.round",
    "math.sign",
    "math.sqrt",
    "math.trunc",
    "optional.none",
    "optional.of",
    "optional.ofNonZeroValue",
    "quantity",
    "semver",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "size",
    "string",
    "strings.quote",
    "timestamp",
    "type",
    "uint",
    "url",
];

/// Names that are called on a value.
const METHODS: &[&str] = &[
    "add",
    "allowed",
    "asApproximateFloat",
    "asInteger",
    "charAt",
    "check",
    "compareTo",
    "contains",
    "containsCIDR",
    "containsIP",
    "distinct",
    "endsWith",
    "error",
    "errored",
    "family",
    "fieldSelector",
    "find",
    "findAll",
    "first",
    "flatten",
    "format",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getEscapedPath",
    "getFullYear",
    "getHost",
    "getHostname",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getPort",
    "getQuery",
    "getScheme",
    "getSeconds",
    "group",
    "hasValue",
    "indexOf",
    "ip",
    "isGlobalUnicast",
    "isGreaterThan",
    "isInteger",
    "isLessThan",
    "isLinkLocalMulticast",
    "isLinkLocalUnicast",
    "isLoopback",
    "isSorted",
    "isUnspecified",
    "join",
    "labelSelector",
    "last",
    "lastIndexOf",
    "lowerAscii",
    "major",
    "masked",
    "matches",
    "max",
    "min",
    "minor",
    "name",
    "namespace",
    "or",
    "orValue",
    "patch",
    "path",
    "prefixLength",
    "reason",
    "replace",
    "resource",
    "reverse",
    "serviceAccount",
    "sign",
    "size",
    "slice",
    "sort",
    "split",
    "startsWith",
    "string",
    "sub",
    "subresource",
    "substring",
    "sum",
    "trim",
    "upperAscii",
    "validate",
    "value",
];

/// Whether there is a function of this name.
pub(crate) fn is_function(name: &str) -> bool {
    FUNCTIONS.contains(&name)
        || name
            .strip_prefix("format.")
            .is_some_and(|format| named::find(format).is_some())
}

/// Whether there is a method of this name.
pub(crate) fn is_method(name: &str) -> bool {
    METHODS.contains(&name)
}

/// A library: `None` where it has no function of this name for these values.
type Library = fn(&mut Evaluation, &str, bool, &[Value]) -> Option<Found>;

const LIBRARIES: &[Library] = &[
    text::call,
    list::call,
    optional::call,
    convert::call,
    number::call,
    time::call,
    quantity::call,
    network::call,
    named::call,
    authority::call,
];

/// Calls a function; the target of a method is the first of the values.
pub(crate) fn call(evaluation: &mut Evaluation, name: &str, method: bool, values: &[Value]) -> Found {
    let known = if method {
        is_method(name)
    } else {
        is_function(name)
    };
    let found = LIBRARIES
        .iter()
        .filter(|_| known)
        .find_map(|library| library(evaluation, name, method, values));
    found.unwrap_or_else(|| Err(no_overload(name, &values.iter().collect::<Vec<_>>())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_once() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a < b));
        assert!(METHODS.is_sorted_by(|a, b| a < b));
    }
}
