//! What holds whatever the Pod and whatever the policies.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Phase, PodSecurityPolicy, judge_pod};
use super::{SOMEBODY, annotated};
use crate::Workload;

fn one_of(values: Vec<Value>) -> impl Strategy<Value = Value> {
    prop::sample::select(values)
}

fn ids(first: &'static str) -> impl Strategy<Value = Value> {
    one_of(vec![
        json!({"rule": "RunAsAny"}),
        json!({"rule": first, "ranges": [{"min": 5, "max": 9}]}),
        json!({"rule": "MustRunAs", "ranges": [{"min": 1, "max": 3}, {"min": 7, "max": 7}]}),
    ])
}

prop_compose! {
    pub(super) fn policies()(
        user in ids("MustRunAsNonRoot"), group in ids("MayRunAs"), further in ids("MayRunAs"), files in ids("MayRunAs"),
        selinux in one_of(vec![
            json!({"rule": "RunAsAny"}), json!({"rule": "MustRunAs", "seLinuxOptions": {"level": "s0:c1"}}),
        ]),
        drop in one_of(vec![json!([]), json!(["ALL"]), json!(["NET_RAW"])]),
        add in one_of(vec![json!([]), json!(["CHOWN"])]),
        allowed in one_of(vec![json!([]), json!(["*"]), json!(["NET_ADMIN"])]),
        (root, escalation, privileged) in any::<(bool, Option<bool>, bool)>(),
        volumes in one_of(vec![json!(["*"]), json!(["emptyDir", "secret"]), json!([])]),
        runtime in one_of(vec![
            Value::Null, json!({"allowedRuntimeClassNames": ["a"], "defaultRuntimeClassName": "a"}),
        ]),
        seccomp in one_of(vec![
            json!({}),
            json!({"seccomp.security.alpha.kubernetes.io/allowedProfileNames": "*"}),
            json!({
                "seccomp.security.alpha.kubernetes.io/allowedProfileNames": "runtime/default,localhost/x",
                "seccomp.security.alpha.kubernetes.io/defaultProfileName": "runtime/default",
            }),
            json!({
                "apparmor.security.beta.kubernetes.io/allowedProfileNames": "runtime/default",
                "apparmor.security.beta.kubernetes.io/defaultProfileName": "runtime/default",
            }),
        ]),
    ) -> (Value, Value) {
        (seccomp, json!({
            "privileged": privileged, "runAsUser": user, "runAsGroup": group, "supplementalGroups": further,
            "fsGroup": files, "seLinux": selinux, "requiredDropCapabilities": drop, "defaultAddCapabilities": add,
            "allowedCapabilities": allowed, "readOnlyRootFilesystem": root, "allowPrivilegeEscalation": escalation,
            "volumes": volumes, "runtimeClass": runtime,
        }))
    }
}

prop_compose! {
    fn contexts()(
        user in one_of(vec![Value::Null, json!(0), json!(2), json!(7)]),
        group in one_of(vec![Value::Null, json!(0), json!(7)]),
        non_root in one_of(vec![Value::Null, json!(true), json!(false)]),
        seccomp in one_of(vec![Value::Null, json!({"type": "RuntimeDefault"}), json!({"type": "Unconfined"})]),
    ) -> Value {
        json!({"runAsUser": user, "runAsGroup": group, "runAsNonRoot": non_root, "seccompProfile": seccomp})
    }
}

prop_compose! {
    pub(super) fn pods()(
        mut whole in contexts(), mut own in contexts(),
        files in one_of(vec![Value::Null, json!(2), json!(70)]),
        further in one_of(vec![Value::Null, json!([]), json!([2]), json!([70])]),
        capabilities in one_of(vec![
            Value::Null, json!({"add": ["CHOWN"]}), json!({"drop": ["ALL"]}), json!({"add": ["NET_ADMIN"], "drop": ["CHOWN"]}),
        ]),
        escalation in one_of(vec![Value::Null, json!(true), json!(false)]),
        volumes in one_of(vec![Value::Null, json!([{"name": "v", "emptyDir": {}}])]),
        old in one_of(vec![
            json!({}), json!({"seccomp.security.alpha.kubernetes.io/pod": "runtime/default"}),
            json!({"container.apparmor.security.beta.kubernetes.io/web": "localhost/x"}),
        ]),
    ) -> Value {
        whole["fsGroup"] = files;
        whole["supplementalGroups"] = further;
        own["capabilities"] = capabilities;
        own["allowPrivilegeEscalation"] = escalation;
        json!({
            "metadata": {"name": "p", "annotations": old},
            "spec": {
                "securityContext": whole, "volumes": volumes,
                "initContainers": [{"name": "first", "image": "x"}],
                "containers": [{"name": "web", "image": "x", "securityContext": own}],
            },
        })
    }
}

fn judged(policies: Vec<&PodSecurityPolicy>, phase: Phase, pod: &Value) -> (Option<String>, Value, String) {
    let workload = Workload::read("Pod", "other", pod).unwrap();
    let judgement = judge_pod(policies, SOMEBODY, &workload, phase);
    let mut changed = pod.clone();
    judgement.completion().make_in(&mut changed);
    let message = judgement.verdict().message();
    (
        judgement.policy().map(|policy| policy.name().to_owned()),
        changed,
        message,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_mutation_makes_it_leaves_alone_and_validation_accepts(
        specs in prop::collection::vec(policies(), 1..4), pod in pods(),
    ) {
        let policies: Vec<PodSecurityPolicy> = specs
            .iter().enumerate().map(|(i, (annotations, spec))| annotated(&format!("p{i}"), annotations, spec)).collect();
        let all: Vec<&PodSecurityPolicy> = policies.iter().collect();
        let (applied, made, message) = judged(all.clone(), Phase::Create, &pod);
        prop_assert_eq!(applied.is_some(), message.is_empty());
        if let Some(applied) = applied {
            let only: Vec<_> = all.iter().copied().filter(|policy| policy.name() == applied).collect();
            let (again, remade, message) = judged(only.clone(), Phase::Create, &made);
            prop_assert_eq!(&again.as_deref(), &Some(applied.as_str()), "{}", message);
            prop_assert_eq!(&remade, &made);
            let (valid, unchanged, message) = judged(all.clone(), Phase::Final, &made);
            prop_assert_eq!(valid.as_deref(), Some(applied.as_str()), "{}", message);
            prop_assert_eq!(&unchanged, &made);
        }
    }

    #[test]
    fn the_order_in_which_policies_come_does_not_matter(
        specs in prop::collection::vec(policies(), 2..5), pod in pods(), seed in any::<prop::sample::Index>(),
    ) {
        let policies: Vec<PodSecurityPolicy> = specs
            .iter().enumerate().map(|(i, (annotations, spec))| annotated(&format!("p{i}"), annotations, spec)).collect();
        let all: Vec<&PodSecurityPolicy> = policies.iter().collect();
        let mut turned = all.clone();
        turned.rotate_left(seed.index(all.len()));
        let mut reversed = all.clone();
        reversed.reverse();
        for phase in [Phase::Create, Phase::Final, Phase::Template] {
            let expected = judged(all.clone(), phase, &pod);
            prop_assert_eq!(&judged(turned.clone(), phase, &pod), &expected);
            prop_assert_eq!(&judged(reversed.clone(), phase, &pod), &expected);
        }
    }
}
