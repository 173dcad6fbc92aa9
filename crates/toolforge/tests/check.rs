//! `toolforge check` from outside: files in, text, JSON and exit codes out. No platform runs.

#![expect(clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "../../core/policy/tests/cases/table.rs"]
mod cases;

use std::{io::Write as _, process::Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use toolforge_testkit::Outcome;

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

const GOOD: &str = "\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: web
    image: registry.example/web:1
";
const BAD: &str = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations:
    nginx.ingress.kubernetes.io/configuration-snippet: x
spec:
  rules:
  - host: alpha.tools.example.evil.com
    http:
      paths:
      - path: /
        pathType: Prefix
        backend: {service: {name: web, port: {number: 8000}}}
";
const OTHER: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: data}\n";

/// A folder with files, and the program in it.
struct Folder(TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a scratch folder"));
        folder.write(
            "policy.txt",
            "domains: [tools.example]\nregistries: [registry.example]\n",
        );
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).expect("the scratch folder can be written");
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(PROGRAM);
        command
            .current_dir(self.0.path())
            .env_remove("KUBECONFIG")
            .args(arguments);
        command
    }

    fn check(&self, arguments: &[&str]) -> Outcome {
        let whole = [
            &["check", "--policy", "policy.txt", "--as-tool", "alpha"],
            arguments,
        ]
        .concat();
        Outcome::of(self.command(&whole).stdin(Stdio::null()))
    }

    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let outcome = self.check(&[arguments, &["-o", "json"]].concat());
        let json = serde_json::from_str(&outcome.stdout).expect("check prints JSON");
        (outcome.code, json)
    }
}

#[test]
fn the_exit_code_says_what_became_of_the_files() {
    let folder = Folder::with(&[
        ("good.yaml", GOOD),
        ("bad.yaml", BAD),
        ("other.yaml", OTHER),
        ("broken.yaml", "a: [\n"),
        ("empty.yaml", "# nothing\n"),
    ]);
    for (files, code) in [
        (&["good.yaml"][..], 0),
        (&["other.yaml"], 0),
        (&["empty.yaml"], 0),
        (&["good.yaml", "bad.yaml"], 1),
        (&["broken.yaml"], 2),
        (&["bad.yaml", "broken.yaml"], 2),
        (&["missing.yaml"], 2),
        (&["."], 2),
    ] {
        let mut arguments = Vec::new();
        for file in files {
            arguments.extend(["-f", file]);
        }
        for format in ["text", "json", "yaml"] {
            let outcome = folder.check(&[arguments.as_slice(), &["-o", format]].concat());
            assert_eq!(
                outcome.code, code,
                "{files:?} {format}: {}{}",
                outcome.stdout, outcome.stderr
            );
        }
    }
    for wrong in [
        &["check"][..],
        &["check", "-f", "good.yaml", "--as-tool", "No_Name"],
    ] {
        assert_eq!(Outcome::of(&mut folder.command(wrong)).code, 2);
    }
    folder.write("policy.txt", "domain: tools.example\n");
    let outcome = folder.check(&["-f", "good.yaml"]);
    assert_eq!(outcome.code, 2);
    assert!(
        outcome.stderr.contains("policy.txt") && outcome.stderr.contains("domain"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn text_has_a_line_for_each_object_its_offences_below_and_a_sum() {
    let folder = Folder::with(&[("a.yaml", &format!("{GOOD}---\n{OTHER}")), ("b.yaml", BAD)]);
    let text = folder.check(&["-f", "."]).stdout;
    insta::assert_snapshot!("check_text", text);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let folder = Folder::with(&[("bad.yaml", BAD)]);
    let colours = |name: &str, value: &str| {
        let arguments = ["check", "--as-tool", "alpha", "-f", "bad.yaml"];
        let mut command = folder.command(&arguments);
        command
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .env(name, value);
        Outcome::of(&mut command).stdout.contains('\u{1b}')
    };
    assert!(!colours("X", "1") && !colours("NO_COLOR", "1") && colours("CLICOLOR_FORCE", "1"));
}

#[test]
fn json_has_names_that_stay() {
    let folder = Folder::with(&[
        ("a.yaml", &format!("{GOOD}---\n{OTHER}")),
        ("b.yaml", BAD),
        ("c.yaml", "a: 1\na: 2\n"),
    ]);
    let (code, json) = folder.json(&["-f", "."]);
    assert_eq!(code, 2);
    insta::assert_json_snapshot!("check_json", json);
}

#[test]
fn lists_json_and_the_standard_input_are_read() {
    let folder = Folder::with(&[]);
    let list = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "one"}, "spec": {"type": "NodePort"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "two"}}
    ]}"#;
    let mut command = folder.command(&["check", "--as-tool", "alpha", "-f", "-", "-o", "json"]);
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut input = process.stdin.take().expect("a pipe");
    input.write_all(list.as_bytes()).expect("the program reads");
    drop(input);
    let output = process.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json[0]["file"], "-");
    assert_eq!(
        (
            &json[0]["verdict"],
            &json[0]["line"],
            &json[0]["offences"][0]["line"]
        ),
        (&"refused".into(), &2.into(), &2.into())
    );
    assert_eq!(json[1]["verdict"], "allowed");
}

#[test]
fn the_completed_object_can_be_seen_and_checked_again() {
    let folder = Folder::with(&[("good.yaml", GOOD)]);
    let text = folder.check(&["-f", "good.yaml", "--show"]).ok();
    assert!(text.contains("runAsUser: <the tool's uid>"), "{text}");
    let account = ["--uid", "52001", "--home", "/home/alpha"];
    let yaml = folder
        .check(&[&account[..], &["-f", "good.yaml", "-o", "yaml"]].concat())
        .ok();
    assert!(
        yaml.contains("runAsUser: 52001") && yaml.contains("namespace: tool-alpha"),
        "{yaml}"
    );
    folder.write("again.yaml", &yaml);
    let again = folder
        .check(&[&account[..], &["-f", "again.yaml", "-o", "yaml"]].concat())
        .ok();
    assert_eq!(again, yaml);
    let (code, json) = folder.json(&["-f", "again.yaml", "--uid", "52002", "--show"]);
    assert_eq!((code, &json[0]["verdict"]), (1, &"refused".into()));
    assert!(json[0]["completed"]["spec"].is_object());
}

/// A policy with one user, given to the tool itself and to one of its service accounts.
const GRANTS: &str = "\
apiVersion: policy.toolforge.org/v1
kind: PodSecurityPolicy
metadata: {name: fixed-user}
spec:
  allowPrivilegeEscalation: false
  volumes: [emptyDir]
  runAsUser: {rule: MustRunAs, ranges: [{min: 61312, max: 61312}]}
  seLinux: {rule: RunAsAny}
  supplementalGroups: {rule: RunAsAny}
  fsGroup: {rule: RunAsAny}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: fixed-user}
rules:
- {apiGroups: [policy.toolforge.org], resources: [podsecuritypolicies], resourceNames: [fixed-user], verbs: [use]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: fixed-user, namespace: tool-alpha}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: fixed-user}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: alpha}
- {kind: ServiceAccount, name: builder}
";

#[test]
fn what_was_granted_beside_the_tools_own_policy_counts_when_it_is_given() {
    let fixed = format!("{GOOD}    securityContext: {{runAsUser: 61312}}\n");
    let deployment = |account: &str| {
        let pod = format!("{fixed}  serviceAccountName: {account}\n");
        let spec: String = pod
            .split_once("spec:\n")
            .expect("a spec")
            .1
            .lines()
            .fold(String::new(), |text, line| text + "      " + line + "\n");
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{a: b}}}}\n  \
             template:\n    metadata: {{labels: {{a: b}}}}\n    spec:\n{spec}"
        )
    };
    let folder = Folder::with(&[
        ("pod.yaml", &fixed),
        ("good.yaml", GOOD),
        ("default.yaml", &deployment("default")),
        ("builder.yaml", &deployment("builder")),
        ("grants.txt", GRANTS),
    ]);
    let own = ["--uid", "52001"];
    let granted = ["--uid", "52001", "--grants", "grants.txt", "--show"];
    let check = |file: &str, how: &[&str]| folder.json(&[how, &["-f", file]].concat());
    assert_eq!(check("pod.yaml", &own).0, 1);
    let (code, json) = check("pod.yaml", &granted);
    assert_eq!(code, 0, "{json}");
    let applied = |json: &Value| json[0]["completed"]["metadata"]["annotations"]["kubernetes.io/psp"].clone();
    assert_eq!(applied(&json), "fixed-user");
    // Both fit, and both change something: the first by name.
    let (code, json) = check("good.yaml", &granted);
    assert_eq!((code, applied(&json)), (0, json!("fixed-user")));
    assert_eq!(
        json[0]["completed"]["spec"]["containers"][0]["securityContext"]["runAsUser"],
        61312
    );
    // The tool may write the Deployment; a controller makes its Pods, with what their account may use.
    let (code, json) = check("default.yaml", &granted);
    assert_eq!(code, 1, "{json}");
    let sentence = json[0]["offences"][0]["sentence"].as_str().unwrap_or_default();
    assert!(sentence.starts_with("Its Pods would be refused."), "{json}");
    assert_eq!(check("builder.yaml", &granted).0, 0);
    assert_eq!(check("builder.yaml", &own).0, 1);

    for (grants, words) in [
        (OTHER, "ConfigMap data of v1 grants nothing"),
        (
            "apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata: {name: old}\n",
            "policy.toolforge.org",
        ),
        (
            "apiVersion: policy.toolforge.org/v1\nkind: PodSecurityPolicy\nmetadata: {name: half}\n",
            "half",
        ),
        ("a: [\n", "grants.txt"),
    ] {
        folder.write("grants.txt", grants);
        let outcome = folder.check(&["--grants", "grants.txt", "-f", "good.yaml"]);
        assert_eq!(outcome.code, 2, "{}", outcome.stdout);
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    }
}

#[test]
fn a_file_cannot_give_orders_to_the_terminal() {
    let folder = Folder::with(&[(
        "x.yaml",
        "apiVersion: v1\nkind: \"Pod\\e[2J\"\nmetadata: {name: \"\\u202e\\n\"}\n",
    )]);
    let text = folder.check(&["-f", "x.yaml"]).stdout;
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    assert_eq!(
        text.lines().filter(|line| line.starts_with("x.yaml:1 ")).count(),
        1,
        "{text}"
    );
}

/// What was found against an object, as the guards' own message has it.
fn found(entry: &Value, guard: &str) -> cases::Outcome {
    let offences: Vec<&Value> = entry["offences"].as_array().into_iter().flatten().collect();
    let rule = |offence: &Value| match offence["rule"].as_str().unwrap_or_default() {
        "object/shape" => "unreadable".to_owned(),
        // Nobody could ask the guard.
        "object/namespace" => format!("{guard}/namespace"),
        rule => rule.to_owned(),
    };
    // A case is about one guard; check asks all of them.
    let own = offences.iter().filter(|offence| {
        let rule = rule(offence);
        rule == "unreadable" || rule.split('/').next() == Some(guard)
    });
    let own: Vec<&Value> = own.copied().collect();
    let text = |offence: &Value, key: &str| offence[key].as_str().unwrap_or_default().to_owned();
    let told = own.iter().map(|offence| {
        let [sentence, found, remedy] = ["sentence", "found", "remedy"].map(|key| text(offence, key));
        format!("{sentence}: {found}; {remedy}")
    });
    cases::Outcome {
        allowed: own.is_empty() && entry["verdict"] != "unreadable",
        message: told.collect::<Vec<_>>().join(". ") + entry["problem"].as_str().unwrap_or_default(),
        rules: (entry["verdict"] != "unreadable").then(|| own.iter().map(|offence| rule(offence)).collect()),
        warnings: None,
    }
}

#[test]
fn nothing_gets_past_that_the_guards_refuse() {
    let (mut count, mut complaints) = (0, Vec::new());
    for table in cases::tables() {
        let policy = serde_json::to_string(&table.settings).unwrap();
        let folder = Folder::with(&[("policy.txt", &policy)]);
        // Containers for debugging and the controllers' own writes are no files that somebody applies.
        let cases = table
            .cases
            .iter()
            .filter(|case| case.sub_resource.is_none() && case.writer == "alpha");
        let cases: Vec<&cases::Case> = cases.collect();
        for (i, case) in cases.iter().enumerate() {
            let mut body = case.body.clone();
            if let Ok(mut object) = serde_json::from_str::<Value>(&body)
                && object["metadata"].is_object()
                && object.to_string().len() == body.len()
            {
                object["metadata"]["namespace"] = json!(case.namespace);
                body = object.to_string();
            }
            folder.write(&format!("{i:04}.json"), &body);
        }
        let mut arguments = vec!["check", "--policy", "policy.txt", "-f", ".", "-o", "json"];
        if table.file == "pods.yaml" {
            // As whom a Pod may run depends on the tool's id, which no file says.
            arguments.extend(["--as-tool", "alpha", "--uid", "52001"]);
        }
        let outcome = Outcome::of(folder.command(&arguments).stdin(Stdio::null()));
        let entries: Vec<Value> = serde_json::from_str(&outcome.stdout).expect("check prints JSON");
        for (i, case) in cases.iter().enumerate() {
            let file = format!("./{i:04}.json");
            let entry = entries.iter().find(|entry| entry["file"] == file.as_str());
            let cases::Gvk { group, version, kind } = &case.kind;
            let entry =
                entry.unwrap_or_else(|| panic!("{group}/{version} {kind}: nothing is said of {}", case.name));
            count += 1;
            complaints.extend(case.complaint(table.file, &found(entry, &case.guard)));
        }
    }
    assert!(count > 400, "{count} cases");
    assert!(
        complaints.is_empty(),
        "{} of {count}:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

#[test]
fn the_policy_is_explained_in_words_and_as_the_file_itself() {
    let folder = Folder::with(&[]);
    let explain = |arguments: &[&str]| {
        let whole = [&["policy", "explain", "--policy", "policy.txt"], arguments].concat();
        Outcome::of(folder.command(&whole).stdin(Stdio::null()))
    };
    let words = explain(&["--as-tool", "alpha"]).ok();
    for word in [
        "alpha.tools.example",
        "registry.example",
        "deployments",
        "resourcequotas",
    ] {
        assert!(words.contains(word), "{word} in {words}");
    }
    assert!(explain(&[]).ok().contains("<toolname>.tools.example"));
    let yaml = explain(&["--as-tool", "alpha", "-o", "yaml"]).ok();
    let (file, object) = yaml.split_once("---\n").expect("two documents");
    assert!(object.contains("name: tool-alpha-psp"), "{object}");
    // What was printed is a policy file, and says the same.
    folder.write("policy.txt", file);
    assert_eq!(explain(&["--as-tool", "alpha", "-o", "yaml"]).ok(), yaml);
    let json: Value =
        serde_json::from_str(&explain(&["--as-tool", "alpha", "-o", "json"]).ok()).expect("JSON");
    assert_eq!(json["policy"]["domains"], json!(["tools.example"]));
    assert_eq!(json["podSecurityPolicy"]["kind"], "PodSecurityPolicy");
    assert!(json["chapters"][0]["lines"].is_array());
}
