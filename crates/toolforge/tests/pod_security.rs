//! Pod security policies, from outside: a tool's own applies from the start, and an operator grants another one with
//! the YAML of old and a `RoleBinding`.

use std::{io::ErrorKind, process::Command};

use serde_json::{Value, json};
use toolforge_testkit::{Outcome, Scratch, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const IMAGE: &str = "docker-registry.tools.wmflabs.org/toolforge-static-sssd-web:latest";

/// A policy as it was written for Kubernetes 1.24; only its group is another one.
const OLD_POLICY: &str = r"
apiVersion: policy.toolforge.org/v1
kind: PodSecurityPolicy
metadata:
  name: fixed-user
  annotations:
    seccomp.security.alpha.kubernetes.io/allowedProfileNames: '*'
spec:
  privileged: false
  allowPrivilegeEscalation: false
  requiredDropCapabilities: [ALL]
  volumes: [emptyDir, configMap, secret, projected, downwardAPI]
  hostNetwork: false
  runAsUser:
    rule: MustRunAs
    ranges: [{min: 61312, max: 61312}]
  seLinux: {rule: RunAsAny}
  supplementalGroups: {rule: RunAsAny}
  fsGroup: {rule: RunAsAny}
";

/// What gives it; `kubectl create role` does not know the verb for this group.
const ROLE: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: fixed-user, namespace: tool-hello}
rules:
  - apiGroups: [policy.toolforge.org]
    resources: [podsecuritypolicies]
    resourceNames: [fixed-user]
    verbs: [use]
";

/// Creates objects, as JSON or YAML, with what does it.
fn create(scratch: &Scratch, text: &str, run: impl Fn(&[&str]) -> Outcome) -> Outcome {
    let file = scratch.path().join("object.yaml");
    std::fs::write(&file, text).expect("the scratch folder can be written");
    run(&["create", "-f", &file.to_string_lossy()])
}

fn pod(name: &str, spec: &Value, security: &Value) -> String {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
        "spec": { "containers": [
            { "name": "main", "image": IMAGE, "command": ["sleep", "600"], "securityContext": security },
        ] },
    });
    for (field, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][field] = value.clone();
    }
    pod.to_string()
}

fn read(scratch: &Scratch, what: &[&str]) -> Value {
    let arguments = [what, &["-o", "json"]].concat();
    serde_json::from_str(&scratch.kubectl(&arguments).ok()).expect("kubectl prints JSON")
}

#[test]
fn a_tools_pods_run_as_the_tool_unless_an_operator_grants_another_policy() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let hello = |arguments: &[&str]| scratch.kubectl_as("hello", arguments);
    let admin = |arguments: &[&str]| scratch.kubectl(arguments);
    let nothing = json!({});

    // The classes and their columns are there.
    let classes = admin(&["get", "psp"]).ok();
    for word in [
        "PRIV",
        "RUNASUSER",
        "privileged-psp",
        "default",
        "tool-hello-psp",
        "MustRunAs",
    ] {
        assert!(classes.contains(word), "{classes}");
    }

    // A Pod that names nothing gets what the tool's policy gives.
    create(&scratch, &pod("plain", &nothing, &nothing), hello).ok();
    let made = read(&scratch, &["get", "pod", "plain", "-n", "tool-hello"]);
    let namespace = read(&scratch, &["get", "namespace", "tool-hello"]);
    let uid = namespace["metadata"]["annotations"]["toolforge.org/uid"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert_eq!(
        made["metadata"]["annotations"]["kubernetes.io/psp"],
        "tool-hello-psp"
    );
    assert_eq!(
        made["spec"]["containers"][0]["securityContext"]["runAsUser"].to_string(),
        uid
    );
    assert_eq!(made["spec"]["securityContext"]["fsGroup"].to_string(), uid);

    // What it does not allow is refused in words, with every reason at once.
    let root = json!({ "runAsUser": 0, "privileged": true });
    let etc = json!({ "volumes": [{ "name": "etc", "hostPath": { "path": "/etc" } }] });
    let refused = create(&scratch, &pod("root", &etc, &root), hello).refused();
    for words in [
        &format!(
            "Pods must run as user {uid}: spec.containers[0].securityContext.runAsUser is 0; leave it out"
        ),
        "Containers must not be privileged",
        "spec.volumes[0].hostPath.path is \"/etc\"",
    ] {
        assert!(refused.contains(words), "{refused}");
    }
    let template = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": { "selector": { "matchLabels": { "a": "b" } }, "template": {
            "metadata": { "labels": { "a": "b" } },
            "spec": { "containers": [{ "name": "web", "image": IMAGE, "securityContext": { "runAsUser": 0 } }] },
        } },
    });
    let refused = create(&scratch, &template.to_string(), hello).refused();
    assert!(
        refused.contains("spec.template.spec.containers[0].securityContext.runAsUser"),
        "{refused}"
    );

    // Another policy, granted: at once, and gone with the grant.
    let fixed = json!({ "runAsUser": 61312 });
    create(&scratch, &pod("before", &nothing, &fixed), hello).refused();
    create(&scratch, OLD_POLICY, admin).ok();
    create(&scratch, ROLE, admin).ok();
    admin(&[
        "create",
        "rolebinding",
        "fixed-user",
        "-n",
        "tool-hello",
        "--role=fixed-user",
        "--user=hello",
    ])
    .ok();
    create(&scratch, &pod("granted", &nothing, &fixed), hello).ok();
    let made = read(&scratch, &["get", "pod", "granted", "-n", "tool-hello"]);
    assert_eq!(made["metadata"]["annotations"]["kubernetes.io/psp"], "fixed-user");
    foretold(&scratch, &fixed);
    admin(&["delete", "rolebinding", "fixed-user", "-n", "tool-hello"]).ok();
    eventually("the grant is gone", || {
        let tried = create(&scratch, &pod("after", &nothing, &fixed), |arguments| {
            hello(&[arguments, &["--dry-run=server"]].concat())
        });
        if tried.code == 0 {
            Err("the Pod is still let in".to_owned())
        } else {
            Ok(())
        }
    });

    // A mistyped policy is refused by its schema.
    let mistyped = OLD_POLICY
        .replace("fixed-user", "half")
        .replace("ranges: [{min: 61312, max: 61312}]", "");
    let refused = create(&scratch, &mistyped, admin).refused();
    assert!(refused.contains("this rule needs ranges"), "{refused}");
}

/// What was granted counts for `toolforge check` as it does for the webhook: with the tool's own rights, with an operator's, and
/// by files of what an operator exported.
fn foretold(scratch: &Scratch, fixed: &Value) {
    let template: Value = serde_json::from_str(&pod("web", &json!({}), fixed)).expect("JSON");
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": { "selector": { "matchLabels": { "a": "b" } }, "template": {
            "metadata": { "labels": { "a": "b" } }, "spec": template["spec"],
        } },
    });
    let export = |what: &[&str], name: &str| {
        let file = scratch.path().join(name);
        let objects = scratch.kubectl(&[&["get", "-o", "yaml"], what].concat()).ok();
        std::fs::write(&file, objects).expect("the scratch folder can be written");
        file.to_string_lossy().into_owned()
    };
    let cluster = export(&["psp,clusterroles,clusterrolebindings"], "cluster.yaml");
    let roles = export(&["roles,rolebindings", "-n", "tool-hello"], "roles.yaml");
    let of_tool = scratch
        .home("hello")
        .join(".kube/config")
        .to_string_lossy()
        .into_owned();
    let of_operator = scratch
        .data()
        .join("admin.kubeconfig")
        .to_string_lossy()
        .into_owned();
    let file = scratch.path().join("foretold.json");
    let check = |object: &str, how: &[&str]| {
        std::fs::write(&file, object).expect("the scratch folder can be written");
        let mut check = scratch.command(&["check", "--as-tool", "hello", "-f"]);
        Outcome::of(check.arg(&file).args(how).args(["-o", "json", "--show"]))
    };
    let tool = ["--from-platform", "--kubeconfig", &of_tool];
    let operator = ["--from-platform", "--kubeconfig", &of_operator];
    let files = ["--uid", "1", "--grants", &cluster, &roles];
    for how in [&tool[..], &operator, &files] {
        let allowed: Value =
            serde_json::from_str(&check(&pod("granted", &json!({}), fixed), how).ok()).expect("JSON");
        let annotations = &allowed[0]["completed"]["metadata"]["annotations"];
        assert_eq!(annotations["kubernetes.io/psp"], "fixed-user", "{how:?}");
        // The tool may use it, and the service account of the Pods of its Deployments may not.
        let refused = check(&deployment.to_string(), how);
        assert_eq!(refused.code, 1, "{}", refused.stderr);
        assert!(
            refused.stdout.contains("Its Pods would be refused."),
            "{}",
            refused.stdout
        );
        let doubted = refused.stdout.contains("only operators can read");
        assert_eq!(doubted, how == tool, "{}", refused.stdout);
    }
    // What no policy lifts is no matter of grants that only operators can read.
    let refused = check(&pod("first", &json!({ "priority": 5 }), &json!({})), &tool);
    assert!(
        refused.code == 1
            && refused.stdout.contains("pod/priority")
            && !refused.stdout.contains("only operators can read"),
        "{}",
        refused.stdout
    );
    // Nobody else's rights are told.
    let other = scratch
        .home("clock")
        .join(".kube/config")
        .to_string_lossy()
        .into_owned();
    let forbidden = check(
        &pod("granted", &json!({}), fixed),
        &["--from-platform", "--kubeconfig", &other],
    );
    assert_eq!(forbidden.code, 2, "{}", forbidden.stdout);
    let says = |outcome: &Outcome, words: &str| assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    says(&forbidden, "take that of the tool itself or an operator's");
    let mut nobody = scratch.command(&["check", "--as-tool", "nobody", "--from-platform", "--kubeconfig"]);
    let nobody = Outcome::of(nobody.arg(&of_operator).arg("-f").arg(&file));
    assert_eq!(nobody.code, 2, "{}", nobody.stdout);
    says(&nobody, "there is no tool nobody on this platform");
}

/// Takes a tool out of the directory, with the client of `OpenLDAP`; false where there is none.
fn leaves_the_directory(scratch: &Scratch, tool: &str) -> bool {
    let mut delete = Command::new("ldapdelete");
    delete
        .env("LDAPTLS_CACERT", scratch.data().join("pki/cluster-ca.crt"))
        .arg("-H")
        .arg(format!("ldaps://127.0.0.1:{}", scratch.port("--ldap-port")))
        .args(["-x", "-D", "cn=admin,dc=toolforge,dc=org", "-y"])
        .arg(scratch.data().join("directory/admin.password"))
        .arg(format!(
            "uid=tools.{tool},ou=people,ou=servicegroups,dc=toolforge,dc=org"
        ))
        .arg(format!("cn=tools.{tool},ou=servicegroups,dc=toolforge,dc=org"));
    match delete.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        output => {
            let output = output.expect("the client can be run");
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            true
        }
    }
}

#[test]
fn a_tools_policy_and_its_grants_go_with_its_namespace() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let admin = |arguments: &[&str]| scratch.kubectl(arguments);
    let mut create = scratch.command(&["tool", "create", "brief", "--maintainer", "ada"]);
    Outcome::of(&mut create).ok();
    let owner = "jsonpath={.metadata.ownerReferences[*].kind}/{.metadata.ownerReferences[*].name}";
    let belongs_to = admin(&["get", "psp", "tool-brief-psp", "-o", owner]).ok();
    assert_eq!(belongs_to, "Namespace/tool-brief");

    // A tool that is there keeps its place: what was taken away comes back, and belongs to what came back.
    let uid = |kind: &str, name: &str, path: &str| {
        admin(&["get", kind, name, "-o", &format!("jsonpath={{{path}}}")])
    };
    let before = uid("namespace", "tool-brief", ".metadata.uid").ok();
    admin(&["delete", "namespace", "tool-brief", "--wait=false"]).ok();
    eventually("the tool has a namespace and a policy again", || {
        let namespace = uid("namespace", "tool-brief", ".metadata.uid").stdout;
        let policy = uid("psp", "tool-brief-psp", ".metadata.ownerReferences[0].uid").stdout;
        if namespace != before && !namespace.is_empty() && policy == namespace {
            Ok(())
        } else {
            Err(format!("namespace {namespace:?}, policy of {policy:?}"))
        }
    });

    if !leaves_the_directory(&scratch, "brief") {
        return;
    }
    // One that left keeps everything, until an operator takes its namespace away.
    eventually("namespace, policy and grants are gone", || {
        admin(&["delete", "namespace", "tool-brief", "--wait=false"]);
        for what in [
            &["get", "psp", "tool-brief-psp"][..],
            &["get", "namespace", "tool-brief"],
            &["get", "rolebinding", "-n", "tool-brief", "tool-brief-psp-binding"],
        ] {
            let found = admin(what);
            if found.code == 0 {
                return Err(found.stdout);
            }
        }
        Ok(())
    });
    admin(&["get", "psp", "tool-hello-psp"]).ok();
}
