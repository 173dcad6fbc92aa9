//! Addresses of a Service and their families (`ValidateServiceClusterIPsRelatedFields`).
//!
//! There is one network, of IPv4: who demands another is told what Kubernetes says on a cluster of one family.

use std::net::IpAddr;

use serde_json::Value;

use super::super::names;
use super::super::path::{Errors, messages, nth, optional_one_of};
use super::ONCE_SET;
use crate::FieldError;
use crate::value::Read as _;

const IPS: &str = "spec.clusterIPs";

/// Whether a Service has no address, by its own wish.
pub(super) fn is_headless(spec: &Value) -> bool {
    matches!(spec.list("clusterIPs"), [only] if only == "None")
}

/// Cluster addresses, their families, and addresses from outside.
pub(super) fn validate(spec: &Value, errors: &mut Errors) {
    if spec.text("type") != "ExternalName" {
        in_step(spec, errors);
        families(spec, errors);
        let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
        optional_one_of(spec, "spec", "ipFamilyPolicy", &policies, errors);
        cluster(spec, errors);
    }
    for (index, address) in spec.list("externalIPs").iter().enumerate() {
        let address = address.as_str().unwrap_or_default();
        let path = nth("spec", "externalIPs", index);
        let found = names::address(address);
        if found.is_empty() {
            special(&path, address, errors);
        }
        messages(&path, address, found, errors);
    }
}

/// Addresses that reach nobody else. Those of the machine itself are what this platform has.
fn special(path: &str, address: &str, errors: &mut Errors) {
    let Ok(ip) = address.parse::<IpAddr>() else { return };
    let local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    if ip.is_unspecified() {
        let detail = format!("may not be unspecified ({address})");
        errors.push(FieldError::invalid(path, address, &detail));
    }
    if local {
        let detail = "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
        errors.push(FieldError::invalid(path, address, detail));
    }
}

/// `clusterIP` is the first of `clusterIPs`.
fn in_step(spec: &Value, errors: &mut Errors) {
    let (address, all) = (spec.text("clusterIP"), spec.list("clusterIPs"));
    let detail = match (address.is_empty(), all.first()) {
        (false, None) => return errors.push(FieldError::required(IPS, "")),
        (false, Some(first)) if first != address => "first value must match `clusterIP`",
        (true, Some(_)) => "must be empty when `clusterIP` is not specified",
        _ => return,
    };
    errors.push(FieldError::invalid(IPS, all.to_vec(), detail));
}

fn families(spec: &Value, errors: &mut Errors) {
    let list = spec.list("ipFamilies");
    for (index, family) in list.iter().enumerate() {
        let path = nth("spec", "ipFamilies", index);
        if family != "IPv4" && family != "IPv6" {
            errors.push(FieldError::not_supported(
                &path,
                family.clone(),
                &["IPv4", "IPv6"],
            ));
        }
        if list[..index].contains(family) {
            errors.push(FieldError::duplicate(&path, family.clone()));
        }
    }
}

fn cluster(spec: &Value, errors: &mut Errors) {
    let all = spec.list("clusterIPs");
    let before = errors.len();
    for (index, address) in all.iter().enumerate() {
        let address = address.as_str().unwrap_or_default();
        if index == 0 && address == "None" {
            if all.len() > 1 {
                let detail = "'None' must be the first and only value";
                errors.push(FieldError::invalid(IPS, all.to_vec(), detail));
            }
            continue;
        }
        let path = nth("spec", "clusterIPs", index);
        messages(&path, address, names::address(address), errors);
    }
    let wrong = errors.len() > before;
    if all.len() > 2 {
        let detail = "may only hold up to 2 values";
        errors.push(FieldError::invalid(IPS, all.to_vec(), detail));
    }
    if wrong || is_headless(spec) {
        return;
    }
    let is_four = |address: &Value| {
        let ip = address.as_str().and_then(|text| text.parse::<IpAddr>().ok());
        ip.is_some_and(|ip| ip.is_ipv4())
    };
    if all.len() > 1 && all.iter().filter(|address| is_four(address)).count() != 1 {
        let detail = "may specify no more than one IP for each IP family";
        errors.push(FieldError::invalid(IPS, all.to_vec(), detail));
    }
    for (index, (address, family)) in all.iter().zip(spec.list("ipFamilies")).enumerate() {
        if is_four(address) != (family == "IPv4") {
            let family = family.as_str().unwrap_or_default();
            let detail = format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
            let path = nth("spec", "clusterIPs", index);
            errors.push(FieldError::invalid(&path, address.clone(), &detail));
        }
    }
}

/// A Service keeps its first address and family; both it gives back as an external name.
pub(super) fn validate_update(old: &Value, new: &Value, errors: &mut Errors) {
    let external = |spec: &Value| spec.text("type") == "ExternalName";
    if external(old) || external(new) || (is_headless(old) && is_headless(new)) {
        return;
    }
    kept(old, new, "clusterIPs", "clusterIP", errors);
    if is_headless(old) == is_headless(new) {
        kept(old, new, "ipFamilies", "ipFamily", errors);
    }
}

fn kept(old: &Value, new: &Value, list: &str, one: &str, errors: &mut Errors) {
    let (before, after) = (old.list(list), new.list(list));
    let mut refuse = |index: usize, detail: &str| {
        let path = nth("spec", list, index);
        errors.push(FieldError::invalid(&path, after.to_vec(), detail));
    };
    if before.len() == after.len() {
        for index in 0..before.len() {
            if before[index] != after[index] {
                // Of families upstream names the first, whichever has changed.
                refuse(if list == "ipFamilies" { 0 } else { index }, ONCE_SET);
            }
        }
        return;
    }
    match (before.first(), after.first()) {
        (Some(_), None) => refuse(0, &format!("primary {one} can not be unset")),
        (Some(first), Some(now)) if first != now => refuse(0, ONCE_SET),
        _ => {}
    }
    if after.len() == 1 && before.len() > 1 && new.text("ipFamilyPolicy") != "SingleStack" {
        let given = new.get("ipFamilyPolicy").cloned().unwrap_or_default();
        let detail = format!("must be set to 'SingleStack' when releasing the secondary {one}");
        errors.push(FieldError::invalid("spec.ipFamilyPolicy", given, &detail));
    }
}

/// What one network of IPv4 cannot give: a second address, or one of IPv6. A headless Service without a selector has
/// neither from here, and may say what it likes.
pub(super) fn validate_new(spec: &Value, errors: &mut Errors) {
    let free = is_headless(spec) && spec.map("selector").is_none_or(serde_json::Map::is_empty);
    if spec.text("type") == "ExternalName" || free {
        return;
    }
    if spec.text("ipFamilyPolicy") == "RequireDualStack" {
        let detail = "this cluster is not configured for dual-stack services";
        errors.push(FieldError::invalid(
            "spec.ipFamilyPolicy",
            "RequireDualStack",
            detail,
        ));
    }
    for (index, family) in spec.list("ipFamilies").iter().enumerate() {
        if family == "IPv6" {
            let detail = "not configured on this cluster";
            errors.push(FieldError::invalid(
                &nth("spec", "ipFamilies", index),
                "IPv6",
                detail,
            ));
        }
    }
}
