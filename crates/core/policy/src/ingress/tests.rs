use k8s_openapi::api::networking::v1::Ingress;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{IngressPolicy, IngressPolicyError, admit_ingress};
use crate::Verdict;

fn policy() -> IngressPolicy {
    let domains = vec!["toolforge.org".parse().unwrap(), "wmcloud.org".parse().unwrap()];
    let safe = ["kube-system".to_owned(), "tool-fourohfour".to_owned()];
    IngressPolicy::new(domains, "toolforge", safe).unwrap()
}

fn ingress(object: Value) -> Ingress {
    serde_json::from_value(object).unwrap()
}

fn verdict_in(namespace: &str, object: Value) -> Verdict {
    admit_ingress(&policy(), namespace, &ingress(object))
}

fn verdict(object: Value) -> Verdict {
    verdict_in("tool-alpha", object)
}

fn rule(host: &str) -> Value {
    let backend = json!({"service": {"name": "alpha", "port": {"number": 8000}}});
    json!({"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}})
}

fn with_host(host: &str) -> Value {
    json!({"spec": {"rules": [rule(host)]}})
}

fn with_path(path: &Value) -> Value {
    json!({"spec": {"rules": [{"host": "alpha.toolforge.org", "http": {"paths": [path]}}]}})
}

fn with_annotation(key: &str, value: &str) -> Value {
    json!({"metadata": {"annotations": {key: value}}, "spec": {"rules": [rule("alpha.toolforge.org")]}})
}

#[track_caller]
fn assert_refused(verdict: &Verdict, rule: &str, field: &str) {
    let offences = verdict.offences();
    assert!(
        offences.iter().any(|o| o.rule == rule && o.field == field),
        "{rule} at {field} not in {offences:#?}"
    );
}

#[test]
fn admits_own_hosts_in_every_domain() {
    assert!(verdict(with_host("alpha.toolforge.org")).is_allowed());
    assert!(verdict(with_host("alpha.wmcloud.org")).is_allowed());
    assert!(
        verdict(json!({"spec": {"rules": [rule("alpha.toolforge.org"), rule("alpha.wmcloud.org")]}}))
            .is_allowed()
    );
}

#[test]
fn refuses_every_other_host() {
    for host in [
        "beta.toolforge.org",
        "toolforge.org",
        "",
        "*",
        "*.toolforge.org",
        "*.alpha.toolforge.org",
        "www.alpha.toolforge.org",
        "alpha.toolforge.org.evil.com",
        "alpha.toolforge.orgevil",
        "alpha.toolforgeXorg",
        "alpha.toolforge.org.",
        "ALPHA.toolforge.org",
        "alpha.Toolforge.org",
        " alpha.toolforge.org",
        "alpha.toolforge.org ",
        "alpha.toolforge.org\n",
        "alpha.toolforge.org\0",
        "alpha.toolforge.org:443",
        "alpha.toolforge.org/",
        "user@alpha.toolforge.org",
        "alphа.toolforge.org", // a Cyrillic letter
        "alpha。toolforge.org",
        "xn--alph-1wd.toolforge.org",
        "alpha.example.org",
        "alpha",
        "tool-alpha.toolforge.org",
        "127.0.0.1",
    ] {
        assert_refused(&verdict(with_host(host)), "ingress/host", "spec.rules[0].host");
    }
}

#[test]
fn refuses_rules_without_host_and_one_foreign_rule_among_own_ones() {
    assert_refused(
        &verdict(json!({"spec": {"rules": [{}]}})),
        "ingress/host",
        "spec.rules[0].host",
    );
    assert_refused(
        &verdict(json!({"spec": {"rules": [{"host": null}]}})),
        "ingress/host",
        "spec.rules[0].host",
    );
    let mixed = json!({"spec": {"rules": [rule("alpha.toolforge.org"), rule("beta.toolforge.org")]}});
    assert_refused(&verdict(mixed), "ingress/host", "spec.rules[1].host");
}

#[test]
fn refuses_default_backends() {
    let service = json!({"service": {"name": "alpha", "port": {"number": 8000}}});
    let only = json!({"spec": {"defaultBackend": service}});
    assert_refused(&verdict(only), "ingress/default-backend", "spec.defaultBackend");
    let beside = json!({"spec": {"rules": [rule("alpha.toolforge.org")], "defaultBackend": service}});
    assert_refused(&verdict(beside), "ingress/default-backend", "spec.defaultBackend");
}

#[test]
fn holds_certificates_to_the_same_hosts() {
    let with_tls =
        |hosts: Value| json!({"spec": {"rules": [rule("alpha.toolforge.org")], "tls": [{"hosts": hosts}]}});
    assert!(verdict(with_tls(json!(["alpha.toolforge.org"]))).is_allowed());
    for host in ["beta.toolforge.org", "*.toolforge.org", ""] {
        let verdict = verdict(with_tls(json!(["alpha.toolforge.org", host])));
        assert_refused(&verdict, "ingress/host", "spec.tls[0].hosts[1]");
    }
}

#[test]
fn refuses_backends_that_are_no_service() {
    let resource = json!({"resource": {"kind": "StorageBucket", "name": "x"}});
    let refused = verdict(with_path(
        &json!({"path": "/", "pathType": "Prefix", "backend": resource}),
    ));
    assert_refused(
        &refused,
        "ingress/backend",
        "spec.rules[0].http.paths[0].backend.resource",
    );
    let refused = verdict(with_path(
        &json!({"path": "/", "pathType": "Prefix", "backend": {}}),
    ));
    assert_refused(
        &refused,
        "ingress/backend",
        "spec.rules[0].http.paths[0].backend.service",
    );
}

#[test]
fn refuses_paths_that_could_speak_to_a_proxy() {
    let path = |text: &str| {
        let backend = json!({"service": {"name": "alpha"}});
        with_path(&json!({"path": text, "pathType": "ImplementationSpecific", "backend": backend}))
    };
    for text in ["/", "/a/b.html", "/%20", "/~alpha", "/a@b"] {
        assert!(verdict(path(text)).is_allowed(), "{text}");
    }
    for text in [
        "",
        "a",
        "/a b",
        "/;return 200;",
        "/{",
        "/}",
        "/\n",
        "/\"",
        "/'",
        "/$uri",
        "/\\",
        "/#",
        "/ä",
    ] {
        assert_refused(
            &verdict(path(text)),
            "ingress/path",
            "spec.rules[0].http.paths[0].path",
        );
    }
}

#[test]
fn refuses_annotations_that_a_controller_may_obey() {
    for key in [
        "nginx.ingress.kubernetes.io/configuration-snippet",
        "nginx.ingress.kubernetes.io/server-snippet",
        "nginx.ingress.kubernetes.io/auth-snippet",
        "nginx.ingress.kubernetes.io/server-alias",
        "nginx.ingress.kubernetes.io/canary",
        "nginx.ingress.kubernetes.io/mirror-target",
        "nginx.ingress.kubernetes.io/auth-type",
        "nginx.ingress.kubernetes.io/auth-tls-secret",
        "nginx.ingress.kubernetes.io/something-new",
        "ingress.kubernetes.io/rewrite-target",
        "traefik.ingress.kubernetes.io/router.rule",
        "alb.ingress.kubernetes.io/actions.x",
        "haproxy.org/backend-config-snippet",
        "nginx.org/server-snippets",
        "cert-manager.io/cluster-issuer",
        "external-dns.alpha.kubernetes.io/hostname",
        "unknown.example/anything",
        "/",
    ] {
        let verdict = verdict(with_annotation(key, "x"));
        assert_refused(
            &verdict,
            "ingress/annotation",
            &format!("metadata.annotations[{key:?}]"),
        );
    }
}

#[test]
fn admits_notes_and_harmless_settings() {
    for (key, value) in [
        (
            "kubectl.kubernetes.io/last-applied-configuration",
            "{\"anything\": \";\"}",
        ),
        ("app.kubernetes.io/version", "1.0"),
        ("owner", "Ada Lovelace; do not remove"),
        ("nginx.ingress.kubernetes.io/proxy-body-size", "8m"),
        ("nginx.ingress.kubernetes.io/proxy-read-timeout", "300"),
        ("nginx.ingress.kubernetes.io/ssl-redirect", "true"),
    ] {
        let verdict = verdict(with_annotation(key, value));
        assert!(verdict.is_allowed(), "{key}: {}", verdict.message());
    }
}

#[test]
fn refuses_configuration_hidden_in_a_harmless_setting() {
    for value in ["8m; return 200", "8m\n", "8m}", "\"", "${x}", &"1".repeat(17)] {
        let key = "nginx.ingress.kubernetes.io/proxy-body-size";
        let verdict = verdict(with_annotation(key, value));
        assert_refused(
            &verdict,
            "ingress/annotation-value",
            &format!("metadata.annotations[{key:?}]"),
        );
    }
}

#[test]
fn knows_one_ingress_class_however_it_is_named() {
    let with_class =
        |class: &str| json!({"spec": {"ingressClassName": class, "rules": [rule("alpha.toolforge.org")]}});
    assert!(verdict(with_class("toolforge")).is_allowed());
    assert!(verdict(with_class("")).is_allowed());
    assert_refused(
        &verdict(with_class("nginx")),
        "ingress/class",
        "spec.ingressClassName",
    );
    assert!(verdict(with_annotation("kubernetes.io/ingress.class", "toolforge")).is_allowed());
    let refused = verdict(with_annotation("kubernetes.io/ingress.class", "nginx"));
    assert_refused(
        &refused,
        "ingress/class",
        "metadata.annotations[\"kubernetes.io/ingress.class\"]",
    );
}

#[test]
fn looks_away_in_safe_namespaces_and_refuses_in_those_of_nobody() {
    for namespace in ["kube-system", "tool-fourohfour"] {
        assert!(verdict_in(namespace, with_host("anything.example.org")).is_allowed());
    }
    for namespace in [
        "default",
        "abc",
        "",
        "tool-",
        "tool",
        "TOOL-alpha",
        "tool_alpha",
        "tools-alpha",
        "kube-system ",
    ] {
        let refused = verdict_in(namespace, with_host("alpha.toolforge.org"));
        assert_refused(&refused, "ingress/namespace", "metadata.namespace");
    }
}

#[test]
fn a_tool_whose_name_begins_like_a_namespace_has_its_own_host_only() {
    assert!(verdict_in("tool-tool-alpha", with_host("tool-alpha.toolforge.org")).is_allowed());
    assert!(!verdict_in("tool-tool-alpha", with_host("alpha.toolforge.org")).is_allowed());
}

#[test]
fn says_what_is_wrong_and_what_would_be_right() {
    let message = verdict(with_host("beta.toolforge.org")).message();
    assert_eq!(
        message,
        "Ingress host must be <toolname>.toolforge.org or <toolname>.wmcloud.org: spec.rules[0].host is \
         \"beta.toolforge.org\"; use \"alpha.toolforge.org\" or \"alpha.wmcloud.org\""
    );
}

#[test]
fn an_ingress_that_claims_nothing_is_harmless() {
    assert!(verdict(json!({})).is_allowed());
    assert!(verdict(json!({"spec": {}})).is_allowed());
}

#[test]
fn there_is_no_policy_without_a_domain() {
    assert_eq!(
        IngressPolicy::new(vec![], "toolforge", []).unwrap_err(),
        IngressPolicyError::NoDomains
    );
}

proptest! {
    #[test]
    fn no_host_but_the_own_ones_is_ever_admitted(
        host in prop_oneof!["\\PC*", "[a-z.*]{0,4}alpha[.]?(toolforge|wmcloud)[.]org[a-z./]{0,4}", "(?i)alpha\\.toolforge\\.org"],
    ) {
        let admitted = verdict(with_host(&host)).is_allowed();
        let own = host == "alpha.toolforge.org" || host == "alpha.wmcloud.org";
        prop_assert_eq!(admitted, own);
        let tls = json!({"spec": {"tls": [{"hosts": [host]}]}});
        prop_assert_eq!(verdict(tls).is_allowed(), own);
    }

    #[test]
    fn what_is_admitted_belongs_to_the_namespaces_own_tool(
        namespace in prop_oneof!["tool-[a-z]{1,3}", "[a-z-]{0,8}"], host in "[a-z]{1,3}\\.toolforge\\.org",
    ) {
        if verdict_in(&namespace, with_host(&host)).is_allowed() {
            prop_assert_eq!(format!("{}.toolforge.org", &namespace["tool-".len()..]), host);
        }
    }
}
