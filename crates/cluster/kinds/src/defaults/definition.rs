//! Defaults of `CustomResourceDefinition`s.

use serde_json::{Value, json};

use crate::value::{Read as _, default, default_text, ensure};

/// Names, scope of conversion.
pub(super) fn definition(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").filter(|spec| spec.is_object()) else {
        return;
    };
    default(spec, "conversion", json!({ "strategy": "None" }));
    if let Some(names) = ensure(spec, "names") {
        let kind = names.text("kind").to_owned();
        if !kind.is_empty() {
            default_text(names, "singular", &kind.to_lowercase());
            default_text(names, "listKind", &format!("{kind}List"));
        }
    }
}
