//! Values that may not be there.

use std::sync::Arc;

use crate::evaluate::{Evaluation, Found};
use crate::program::EvaluateError;
use crate::value::Value;

/// Calls a function of this library.
pub(super) fn call(_: &mut Evaluation, name: &str, _method: bool, values: &[Value]) -> Option<Found> {
    use Value::Optional;
    match (name, values) {
        ("optional.none", []) => Some(Ok(Optional(None))),
        ("optional.of", [value]) => Some(Ok(Optional(Some(Arc::new(value.clone()))))),
        ("optional.ofNonZeroValue", [value]) => {
            Some(Ok(Optional((!value.is_zero()).then(|| Arc::new(value.clone())))))
        }
        ("hasValue", [Optional(inner)]) => Some(Ok(Value::Bool(inner.is_some()))),
        ("value", [Optional(Some(inner))]) => Some(Ok(Value::clone(inner))),
        ("value", [Optional(None)]) => Some(Err(EvaluateError::Failed(
            "optional.none() dereference".to_owned(),
        ))),
        ("or", [Optional(inner), Optional(other)]) => {
            Some(Ok(Optional(inner.clone().or_else(|| other.clone()))))
        }
        ("orValue", [Optional(inner), other]) => Some(Ok(inner
            .as_ref()
            .map_or_else(|| other.clone(), |inner| Value::clone(inner)))),
        _ => None,
    }
}
