//! Whatever the ingress guard lets through, the gateway's table gives to that tool only: an Ingress out of bytes that choose
//! among hostile fragments, or one as JSON.
#![no_main]

#[path = "../../crates/core/policy/tests/hostile/ingress.rs"]
mod ingress;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    ingress::is_harmless_or_refused(&ingress::ingress(data));
    if let Ok(mut written) = serde_json::from_slice::<k8s_openapi::api::networking::v1::Ingress>(data) {
        written.metadata.name = Some("hostile".to_owned());
        written.metadata.namespace = Some("tool-alpha".to_owned());
        ingress::is_harmless_or_refused(&written);
    }
});
