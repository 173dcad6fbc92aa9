//! Defaults of `CustomResourceDefinition`s.

use serde_json::{Value, json};

use crate::value::{Read as _, default, default_text, ensure};

/// Port of the Service of a conversion webhook.
const WEBHOOK_PORT: i64 = 443;

/// Names and conversion.
pub(super) fn definition(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").filter(|spec| spec.is_object()) else {
        return;
    };
    default(spec, "conversion", json!({ "strategy": "None" }));
    let service = spec.pointer_mut("/conversion/webhook/clientConfig/service");
    if let Some(service) = service.filter(|service| service.is_object()) {
        default(service, "port", WEBHOOK_PORT);
    }
    if let Some(names) = ensure(spec, "names") {
        let kind = names.text("kind").to_owned();
        if !kind.is_empty() {
            default_text(names, "singular", &kind.to_lowercase());
            default_text(names, "listKind", &format!("{kind}List"));
        }
    }
}
