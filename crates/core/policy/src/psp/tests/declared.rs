//! A completed Pod says what it said before, and what is declared here that a policy gives it: nothing else, and nothing less.
//!
//! Compared as sets of values and their places, so that nothing here knows how changes are made.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{PSP_ANNOTATION, Phase, PodSecurityPolicy, judge_pod};
use super::properties::{pods, policies};
use super::{SOMEBODY, annotated};
use crate::Workload;

type Said = BTreeMap<String, Value>;

/// All that an object says: each value that is not null or empty, by its place.
fn said(object: &Value) -> Said {
    fn collect(place: &str, value: &Value, all: &mut Said) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    collect(&format!("{place}/{}", key.replace('/', "~1")), value, all);
                }
            }
            Value::Array(items) => {
                for (i, value) in items.iter().enumerate() {
                    collect(&format!("{place}/{i}"), value, all);
                }
            }
            Value::Null => {}
            value => drop(all.insert(place.to_owned(), value.clone())),
        }
    }
    let mut all = Said::new();
    collect("", object, &mut all);
    all
}

/// How a client writes that it says nothing.
#[derive(Clone, Copy, Debug)]
enum Silence {
    Null,
    Absent,
    /// Also no objects and lists in which nothing is left.
    AbsentWhole,
}

fn written(value: Value, silence: Silence) -> Value {
    let silent = |value: &Value| match silence {
        Silence::Null => false,
        Silence::Absent => value.is_null(),
        Silence::AbsentWhole => [json!(null), json!({}), json!([])].contains(value),
    };
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (key, written(value, silence)))
            .filter(|(_, value)| !silent(value))
            .collect(),
        Value::Array(items) => items.into_iter().map(|item| written(item, silence)).collect(),
        other => other,
    }
}

const POD: &str = "/spec/securityContext";
const CONTAINERS: [(&str, &str); 2] = [
    ("first", "/spec/initContainers/0/securityContext"),
    ("web", "/spec/containers/0/securityContext"),
];

/// What a policy gives a Pod: places and values there.
struct Gifts<'a> {
    annotations: &'a Value,
    policy: &'a Value,
    pod: &'a Value,
    given: Said,
}

impl Gifts<'_> {
    /// Gives a value, if there is one, where nothing is said at its place nor at these others.
    fn give(&mut self, place: &str, value: &Value, others: &[&str]) {
        let silent = |place: &&str| self.pod.pointer(place).is_none_or(Value::is_null);
        if !value.is_null() && others.iter().chain([&place]).all(silent) {
            self.given.insert(place.to_owned(), value.clone());
        }
    }

    fn give_profile(&mut self, place: &str, name: Option<&str>) {
        let (kind, file) = match name {
            None => return,
            Some("runtime/default") => ("RuntimeDefault", Value::Null),
            Some(name) => ("Localhost", json!(name.strip_prefix("localhost/").unwrap())),
        };
        self.give(&format!("{place}/type"), &json!(kind), &[]);
        self.give(
            &format!("{place}/localhostProfile"),
            &file,
            &[&format!("{place}/type")],
        );
    }

    /// Gives a list the names that are neither in it nor in this other one.
    fn give_names(&mut self, list: &str, names: &Value, other: &str) {
        let there = |list: &str| {
            self.pod
                .pointer(list)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let (there, other) = (there(list), there(other));
        let names = names.as_array().into_iter().flatten();
        let missing = names.filter(|name| !there.contains(name) && !other.contains(name));
        for (i, name) in missing.enumerate() {
            self.given
                .insert(format!("{list}/{}", there.len() + i), name.clone());
        }
    }

    /// The id that a rule demands.
    fn id(&self, field: &str) -> Value {
        let strategy = &self.policy[field];
        if strategy["rule"] == "MustRunAs" {
            strategy["ranges"][0]["min"].clone()
        } else {
            Value::Null
        }
    }

    fn noted(&self, key: &str) -> Option<&str> {
        self.pod["metadata"]["annotations"][key].as_str()
    }

    fn give_pod(&mut self) {
        let policy = self.policy;
        let default = self.annotations["seccomp.security.alpha.kubernetes.io/defaultProfileName"].as_str();
        let seccomp = self
            .noted("seccomp.security.alpha.kubernetes.io/pod")
            .or(default)
            .map(str::to_owned);
        self.give_profile(&format!("{POD}/seccompProfile"), seccomp.as_deref());
        self.give(&format!("{POD}/fsGroup"), &self.id("fsGroup"), &[]);
        self.give(
            &format!("{POD}/supplementalGroups/0"),
            &self.id("supplementalGroups"),
            &[],
        );
        let level = &policy["seLinux"]["seLinuxOptions"]["level"];
        self.give(&format!("{POD}/seLinuxOptions/level"), level, &[]);
        let class = &policy["runtimeClass"]["defaultRuntimeClassName"];
        self.give("/spec/runtimeClassName", class, &[]);
    }

    fn give_container(&mut self, name: &str, own: &str) {
        let policy = self.policy;
        let default = self.annotations["apparmor.security.beta.kubernetes.io/defaultProfileName"].as_str();
        let note = format!("container.apparmor.security.beta.kubernetes.io/{name}");
        let apparmor = self.noted(&note).or(default).map(str::to_owned);
        self.give_profile(&format!("{own}/appArmorProfile"), apparmor.as_deref());
        for (field, id) in [
            ("runAsUser", self.id("runAsUser")),
            ("runAsGroup", self.id("runAsGroup")),
        ] {
            self.give(&format!("{own}/{field}"), &id, &[&format!("{POD}/{field}")]);
        }
        if policy["runAsUser"]["rule"] == "MustRunAsNonRoot" {
            let users = [POD, own].map(|context| format!("{context}/runAsUser"));
            let of_pod = format!("{POD}/runAsNonRoot");
            let others = [&users[0], &users[1], &of_pod].map(String::as_str);
            self.give(&format!("{own}/runAsNonRoot"), &json!(true), &others);
        }
        if policy["readOnlyRootFilesystem"] == true {
            self.give(&format!("{own}/readOnlyRootFilesystem"), &json!(true), &[]);
        }
        if policy["allowPrivilegeEscalation"] == false {
            self.give(&format!("{own}/allowPrivilegeEscalation"), &json!(false), &[]);
        }
        let [add, drop] = ["add", "drop"].map(|list| format!("{own}/capabilities/{list}"));
        self.give_names(&add, &policy["defaultAddCapabilities"], &drop);
        self.give_names(&drop, &policy["requiredDropCapabilities"], &drop);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_completed_pod_says_what_it_said_and_what_is_given(
        specs in prop::collection::vec(policies(), 1..3), pod in pods(),
        silence in prop::sample::select(vec![Silence::Null, Silence::Absent, Silence::AbsentWhole]),
    ) {
        let pod = written(pod, silence);
        let all: Vec<PodSecurityPolicy> = specs
            .iter().enumerate().map(|(i, (annotations, spec))| annotated(&format!("{i}"), annotations, spec)).collect();
        let workload = Workload::read("Pod", "other", &pod).unwrap();
        let judgement = judge_pod(all.iter().collect(), SOMEBODY, &workload, Phase::Create);
        let mut completed = pod.clone();
        // A patch that somebody else applies, and that has to fit.
        prop_assert!(judgement.completion().make_in(&mut completed));
        let mut expected = said(&pod);
        if let Some(policy) = judgement.policy() {
            let (annotations, spec) = &specs[policy.name().parse::<usize>().unwrap()];
            let mut gifts = Gifts { annotations, policy: spec, pod: &pod, given: Said::new() };
            gifts.give_pod();
            for (name, own) in CONTAINERS {
                gifts.give_container(name, own);
            }
            expected.extend(gifts.given);
            let note = format!("/metadata/annotations/{}", PSP_ANNOTATION.replace('/', "~1"));
            expected.insert(note, json!(policy.name()));
        }
        prop_assert_eq!(said(&completed), expected);
    }
}
