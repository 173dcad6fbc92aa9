//! Annotations of an Ingress: controllers take orders from them, so only what is known to be harmless is let through.

use k8s_openapi::api::networking::v1::Ingress;

use super::check_class;
use crate::annotations;
use crate::verdict::{Law, Offences, quoted};

/// The old way to name an ingress class.
const CLASS: &str = "kubernetes.io/ingress.class";
/// The family of the widespread controller, of which a few are allowed.
pub(crate) const NGINX: &str = "nginx.ingress.kubernetes.io";
/// Those that change how the tool's own traffic is carried, never where it goes.
pub(crate) const NGINX_ALLOWED: [&str; 9] = [
    "force-ssl-redirect",
    "proxy-body-size",
    "proxy-buffer-size",
    "proxy-buffering",
    "proxy-connect-timeout",
    "proxy-read-timeout",
    "proxy-request-buffering",
    "proxy-send-timeout",
    "ssl-redirect",
];
/// The longest value in bytes of an allowed one: a number with a unit, or a word.
const LONGEST_VALUE: usize = 16;

const ANNOTATION: Law = Law::fixed(
    "ingress/annotation",
    "Annotations that ingress controllers may take orders from are not allowed",
    "leave it out; for a note of your own use a key without a slash",
);
const VALUE: Law = Law::fixed(
    "ingress/annotation-value",
    "The value of this annotation must be one word of letters and digits",
    "write it like \"8m\", \"300\" or \"true\"",
);

/// Adds every annotation that is not known to be harmless, and warns of those that do nothing here.
pub(super) fn check(ingress: &Ingress, class: &str, offences: &mut Offences) {
    for (key, value) in ingress.metadata.annotations.iter().flatten() {
        if annotations::is_note(key, &[]) {
            continue;
        }
        let field = annotations::field(key);
        let name = key.strip_prefix(NGINX).and_then(|rest| rest.strip_prefix('/'));
        if key == CLASS {
            check_class(class, &field, Some(value), offences);
        } else if name.is_some_and(|name| NGINX_ALLOWED.contains(&name)) {
            check_value(field, value, offences);
        } else {
            let found = format!("{field} is set");
            offences.shown_as(&ANNOTATION, field, found);
        }
    }
}

/// Values end up in a proxy's configuration: letters and digits cannot mean anything else there.
fn check_value(field: String, value: &str, offences: &mut Offences) {
    if value.len() > LONGEST_VALUE || !value.bytes().all(|b| b.is_ascii_alphanumeric()) {
        offences.value(&VALUE, field, &quoted(value));
    } else {
        let text = "the gateway does not read it, its limits are the same for all tools; leave it out";
        offences.warn("ingress/annotation-ignored", field, text);
    }
}
