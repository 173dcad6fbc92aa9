use toolforge_policy::PolicySettings;

use super::*;

const IMAGE: &str = "registry.example/web:1";

fn policies() -> Policies {
    PolicySettings::with("tools.example", "registry.example")
        .resolve()
        .unwrap()
}

fn judged(tool: Option<&str>, text: &str) -> Judgement {
    let policies = policies();
    let tool: Option<ToolName> = tool.map(|tool| tool.parse().unwrap());
    let check = Check::new(&policies, tool.as_ref(), Accounts::default(), Grants::default());
    let manifest = toolforge_manifest::read(text.as_bytes()).unwrap().remove(0);
    check.judge(&manifest)
}

fn rules(judgement: &Judgement) -> Vec<&str> {
    judgement.offences.iter().map(|found| found.what.rule).collect()
}

fn pod(spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  - name: web\n    image: {IMAGE}\n{spec}"
    )
}

#[test]
fn a_pod_is_completed_before_it_is_judged() {
    let judgement = judged(Some("alpha"), &pod(""));
    assert_eq!(judgement.outcome, Outcome::Allowed, "{:?}", judgement.offences);
    assert_eq!(judgement.namespace.as_deref(), Some("tool-alpha"));
    let completed = &judgement.completed;
    assert_eq!(completed["metadata"]["namespace"], "tool-alpha");
    assert_eq!(
        completed["spec"]["containers"][0]["securityContext"]["runAsUser"],
        "<the tool's uid>"
    );
}

#[test]
fn every_offence_of_every_guard_is_told_with_its_line() {
    let text = pod("  - name: other\n    image: nginx\n  hostNetwork: true\n");
    let judgement = judged(Some("alpha"), &text);
    assert_eq!(judgement.outcome, Outcome::Refused);
    let lines: Vec<(&str, u64)> = judgement
        .offences
        .iter()
        .map(|found| (found.what.rule, found.place.unwrap().line))
        .collect();
    assert!(lines.contains(&("images/registry", 9)), "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|(rule, line)| *line == 10 && rule.starts_with("pod/")),
        "{lines:?}"
    );
}

#[test]
fn a_tool_writes_into_its_own_namespace_only() {
    let service = |namespace: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: {namespace}\nspec: {{}}\n"
        )
    };
    assert_eq!(
        judged(Some("alpha"), &service("tool-alpha")).outcome,
        Outcome::Allowed
    );
    let other = judged(Some("alpha"), &service("tool-beta"));
    assert_eq!(rules(&other), ["tool/namespace"]);
    assert_eq!(other.offences[0].place.unwrap().line, 5);
    assert_eq!(judged(None, &service("tool-beta")).outcome, Outcome::Allowed);
    assert_eq!(rules(&judged(None, &service("''"))), ["object/namespace"]);
}

#[test]
fn kinds_that_a_tool_may_not_write_are_refused_and_others_not_looked_at() {
    let object = |kind: &str| {
        let (version, kind) = kind.rsplit_once('/').unwrap();
        format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\n")
    };
    for kind in [
        "v1/ResourceQuota",
        "v1/Namespace",
        "rbac.authorization.k8s.io/v1/ClusterRole",
        "example.org/v1/Thing",
    ] {
        let judgement = judged(Some("alpha"), &object(kind));
        assert_eq!(judgement.outcome, Outcome::Refused, "{kind}");
        assert_eq!(rules(&judgement), ["tool/role"], "{kind}");
    }
    for kind in ["v1/ConfigMap", "v1/Secret", "networking.k8s.io/v1/NetworkPolicy"] {
        let judgement = judged(Some("alpha"), &object(kind));
        assert_eq!(judgement.outcome, Outcome::NotLookedAt, "{kind}");
        assert!(judgement.reason.unwrap().contains("no guard judges"), "{kind}");
    }
    let namespace = judged(None, &object("v1/Namespace"));
    assert!(namespace.reason.unwrap().contains("whole cluster"));
}

#[test]
fn an_old_version_is_told_with_the_one_that_is_served() {
    let text = "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: x}\n";
    let judgement = judged(Some("alpha"), text);
    assert_eq!(rules(&judgement), ["object/version"]);
    assert!(judgement.offences[0].what.remedy.contains("networking.k8s.io/v1"));
}

#[test]
fn an_id_that_nobody_knows_is_a_warning_and_root_is_refused() {
    let with = |id: u32| pod(&format!("    securityContext:\n      runAsUser: {id}\n"));
    let named = judged(Some("alpha"), &with(1000));
    assert_eq!(named.outcome, Outcome::Allowed, "{:?}", named.offences);
    let warning = &named
        .warnings
        .iter()
        .find(|found| found.what.rule == "pod/run-as")
        .unwrap();
    assert_eq!(warning.what.field, "spec.containers[0].securityContext.runAsUser");
    assert_eq!(warning.place.unwrap().line, 9);
    let root = judged(Some("alpha"), &with(0));
    assert_eq!(root.outcome, Outcome::Refused);
    let text = format!("{:?}", root.offences);
    assert!(!text.contains("42949"), "{text}");
}

#[test]
fn a_template_is_shown_as_its_pods_will_be() {
    let text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  template:\n    metadata: {{labels: {{toolforge: tool}}}}\n    spec:\n      containers:\n      - {{name: web, image: {IMAGE}}}\n"
    );
    let judgement = judged(Some("alpha"), &text);
    assert_eq!(judgement.outcome, Outcome::Allowed, "{:?}", judgement.offences);
    let container = &judgement.completed["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        container["env"][0],
        json!({"name": "HOME", "value": "/data/project/alpha"})
    );
    let refused = judged(Some("alpha"), &text.replace(IMAGE, "nginx"));
    assert_eq!(rules(&refused), ["images/registry"]);
}

#[test]
fn other_namespaces_have_fewer_guards() {
    let text = pod("  hostNetwork: true\n");
    let with =
        |namespace: &str| text.replace("{name: web}", &format!("{{name: web, namespace: {namespace}}}"));
    assert_eq!(judged(None, &with("default")).outcome, Outcome::Allowed);
    let exempt = judged(None, &with("kube-system"));
    assert_eq!(exempt.outcome, Outcome::NotLookedAt);
    assert!(exempt.reason.unwrap().contains("kube-system"));
    assert_eq!(judged(None, &with("tool-alpha")).outcome, Outcome::Refused);
}

#[test]
fn what_does_not_say_what_it_is_or_lies_about_it_is_refused() {
    assert_eq!(rules(&judged(Some("alpha"), "kind: Pod\n")), ["object/kind"]);
    let lie = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: all}\n";
    let judgement = judged(Some("alpha"), lie);
    assert_eq!(rules(&judgement), ["object/shape"]);
    let odd = "apiVersion: v1\nkind: Service\nmetadata: 7\n";
    assert_eq!(judged(Some("alpha"), odd).outcome, Outcome::Refused);
}
