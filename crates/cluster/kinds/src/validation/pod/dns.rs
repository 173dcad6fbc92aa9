//! What a Pod asks names of (`validatePodDNSConfig`).

use serde_json::Value;

use crate::FieldError;
use crate::validation::names;
use crate::validation::path::{Errors, each, join, messages, nth};
use crate::value::Read as _;

/// Most servers for names.
const SERVERS: usize = 3;
/// Most domains in which short names are searched.
const SEARCHES: usize = 32;
/// Longest list of these domains, in bytes, with a space between two.
const SEARCH_BYTES: usize = 2048;

/// `dnsConfig`, and that who takes no other servers names some.
pub(super) fn validate(spec: &Value, path: &str, errors: &mut Errors) {
    let path = join(path, "dnsConfig");
    let config = &spec["dnsConfig"];
    if spec.text("dnsPolicy") == "None" {
        if !config.is_object() {
            let detail = "must provide `dnsConfig` when `dnsPolicy` is None";
            return errors.push(FieldError::required(&path, detail));
        }
        if config.list("nameservers").is_empty() {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            return errors.push(FieldError::required(&join(&path, "nameservers"), detail));
        }
    }
    servers(config, &path, errors);
    searches(config, &path, errors);
    for (path, option) in each(config, &path, "options") {
        if option.text("name").is_empty() {
            errors.push(FieldError::required(&path, "must not be empty"));
        }
    }
}

fn servers(config: &Value, path: &str, errors: &mut Errors) {
    let all = config.list("nameservers");
    if all.len() > SERVERS {
        let detail = format!("must not have more than {SERVERS} nameservers");
        errors.push(FieldError::invalid(
            &join(path, "nameservers"),
            all.to_vec(),
            &detail,
        ));
    }
    for (index, server) in all.iter().enumerate() {
        let server = server.as_str().unwrap_or_default();
        messages(
            &nth(path, "nameservers", index),
            server,
            names::address(server),
            errors,
        );
    }
}

fn searches(config: &Value, path: &str, errors: &mut Errors) {
    let all = config.list("searches");
    let at = join(path, "searches");
    if all.len() > SEARCHES {
        let detail = format!("must not have more than {SEARCHES} search paths");
        errors.push(FieldError::invalid(&at, all.to_vec(), &detail));
    }
    let texts = || all.iter().filter_map(Value::as_str);
    if texts().map(|text| text.len() + 1).sum::<usize>() > SEARCH_BYTES + 1 {
        let detail = format!(
            "must not have more than {SEARCH_BYTES} characters (including spaces) in the search list"
        );
        errors.push(FieldError::invalid(&at, all.to_vec(), &detail));
    }
    // A domain may end in its dot, be nothing but that, and have underscores, as names of services do.
    for (index, text) in texts().enumerate().filter(|(_, text)| *text != ".") {
        let domain = text.strip_suffix('.').unwrap_or(text);
        let found = names::subdomain(&domain.replace('_', "a"));
        messages(&nth(path, "searches", index), domain, found, errors);
    }
}
