//! What maintainers of the original are used to, by its cases 41 to 46: the same lines, files and words, with the
//! objects and the manifest as they are afterwards. One platform for all of them.

#![expect(
    clippy::unwrap_used,
    reason = "what is not as it should be has failed the test"
)]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use reqwest::StatusCode;
use serde_json::Value;
use toolforge_testkit::{Outcome, Scratch, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

/// Something that the original's webservice made before it had today's labels.
const LEGACY: &str = r#"{"apiVersion":"apps/v1","kind":"Deployment",
"metadata":{"name":"clock","labels":{"tools.wmflabs.org/webservice":"true","name":"clock","toolforge":"tool"}},
"spec":{"selector":{"matchLabels":{"name":"clock","tools.wmflabs.org/webservice":"true"}},
"template":{"metadata":{"labels":{"tools.wmflabs.org/webservice":"true","name":"clock","toolforge":"tool"}},
"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"webservice","image":"docker-registry.tools.wmflabs.org/x:latest",
"command":["sleep","600"],"resources":{"limits":{"cpu":"100m","memory":"128Mi"}}}]}}}}"#;

/// One tool of a platform, as its maintainer sees it.
struct Tool<'a> {
    scratch: &'a Scratch,
    name: &'static str,
}

impl Tool<'_> {
    /// `webservice` with the words of a line.
    fn webservice(&self, line: &str) -> Outcome {
        let words = std::iter::once("webservice").chain(line.split_whitespace());
        self.scratch.as_tool(self.name, &words.collect::<Vec<_>>())
    }

    fn object(&self, kind: &str, name: &str) -> Value {
        let text = self
            .scratch
            .kubectl_as(self.name, &["get", kind, name, "-o", "json"])
            .ok();
        serde_json::from_str(&text).unwrap()
    }

    fn objects(&self) -> String {
        let kinds = "deployments,services,ingresses,replicasets,pods";
        self.scratch
            .kubectl_as(self.name, &["get", kinds, "-o", "name"])
            .ok()
    }

    fn manifest(&self) -> String {
        std::fs::read_to_string(self.file("service.manifest")).unwrap()
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.scratch.home(self.name).join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    fn resources(&self) -> Value {
        let deployment = self.object("deployment", self.name);
        deployment["spec"]["template"]["spec"]["containers"][0]["resources"].clone()
    }
}

#[test]
fn maintainers_of_the_original_find_what_they_know() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let hello = Tool {
        scratch: &scratch,
        name: "hello",
    };
    let clock = Tool {
        scratch: &scratch,
        name: "clock",
    };
    case_41_a_start_makes_everything(&hello);
    case_42_a_second_start_changes_nothing(&hello);
    case_43_resources_are_as_asked(&hello);
    case_44_what_cannot_work_makes_nothing(&clock);
    case_45_templates(&clock);
    case_46_another_backend(&clock);
    what_an_old_webservice_left_is_stopped_too(&clock);
}

fn case_41_a_start_makes_everything(tool: &Tool<'_>) {
    // A leftover of this name blocked the original.
    tool.write("service.manifest~", "");
    let started = tool.webservice("start");
    assert!(
        started.stderr.contains("No type was given; taking static"),
        "{}",
        started.stderr
    );
    let words = started.ok();
    assert!(words.contains("Starting webservice..."), "{words}");

    let deployment = tool.object("deployment", "hello");
    for labels in [
        &deployment["metadata"]["labels"],
        &deployment["spec"]["template"]["metadata"]["labels"],
    ] {
        for (key, value) in [
            ("app.kubernetes.io/component", "web"),
            ("app.kubernetes.io/managed-by", "webservice"),
            ("toolforge", "tool"),
            ("name", "hello"),
        ] {
            assert_eq!(labels[key], value, "{key}");
        }
    }
    let service = tool.object("service", "hello");
    assert_eq!(service["spec"]["ports"][0]["port"], 8000);
    assert_eq!(
        service["spec"]["selector"],
        serde_json::json!({ "name": "hello" })
    );
    let ingress = tool.object("ingress", "hello-subdomain");
    let host = ingress["spec"]["rules"][0]["host"].as_str().unwrap();
    assert!(host.starts_with("hello."), "{host}");
    let visitor = tool.scratch.visitor(&["hello"]);
    let page = visitor.get(&tool.scratch.url("hello")).unwrap();
    assert_eq!(page.status, StatusCode::OK);
    let status = tool.webservice("status").ok();
    assert!(
        status.contains("Your webservice of type static is running on backend kubernetes"),
        "{status}"
    );

    let manifest = tool.manifest();
    let lines: Vec<_> = manifest.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "# This file is used by Toolforge infrastructure.",
            "# Please do not edit manually at this time.",
        ]
    );
    assert_eq!(lines[3..], ["backend: kubernetes", "version: 4", "web: static"]);
    let metadata = std::fs::metadata(tool.file("service.manifest")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o644);
    assert_eq!(metadata.uid(), std::fs::metadata(tool.file(".")).unwrap().uid());
}

fn case_42_a_second_start_changes_nothing(tool: &Tool<'_>) {
    let (before, manifest) = (tool.object("deployment", "hello"), tool.manifest());
    let again = tool.webservice("--cpu 1 static start");
    assert_eq!(again.code, 1);
    assert!(
        again.stderr.contains("Your job is already running"),
        "{}",
        again.stderr
    );
    let after = tool.object("deployment", "hello");
    assert_eq!(before["metadata"]["generation"], after["metadata"]["generation"]);
    assert_eq!(tool.manifest(), manifest);

    let stopped = tool.webservice("static stop").ok();
    assert!(stopped.contains("Stopping webservice..."), "{stopped}");
    eventually("nothing of the webservice", || match tool.objects().as_str() {
        "" => Ok(()),
        left => Err(left.to_owned()),
    });
    assert!(tool.manifest().ends_with("\nversion: 4\n"), "{}", tool.manifest());
    assert_eq!(tool.manifest().lines().count(), 4);
    let twice = tool.webservice("stop").ok();
    assert!(twice.contains("Your webservice is not running"), "{twice}");
}

fn case_43_resources_are_as_asked(tool: &Tool<'_>) {
    let wrong = tool.webservice("--mem lots static start");
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(
        wrong.stderr.contains("lots is not a valid Kubernetes quantity"),
        "{}",
        wrong.stderr
    );
    assert_eq!(tool.objects(), "");

    // `restart` of what does not run starts it.
    let started = tool.webservice("--cpu 1 --mem 1Gi --health-check-path / static restart");
    assert!(
        started.stderr.contains("Your job is not running, starting"),
        "{}",
        started.stderr
    );
    started.ok();
    let resources = tool.resources();
    for (field, value) in [
        ("/limits/cpu", "1"),
        ("/limits/memory", "1Gi"),
        ("/requests/cpu", "500m"),
        ("/requests/memory", "512Mi"),
    ] {
        assert_eq!(resources.pointer(field).unwrap(), value, "{field}");
    }

    // What the original forgot: given later, it is recorded, and the rest stays.
    let restarted = tool.webservice("--mem 100Mi restart").ok();
    assert!(restarted.contains("Restarting..."), "{restarted}");
    let resources = tool.resources();
    for (field, value) in [
        ("/limits/cpu", "1"),
        ("/limits/memory", "100Mi"),
        ("/requests/memory", "100Mi"),
    ] {
        assert_eq!(resources.pointer(field).unwrap(), value, "{field}");
    }
    let manifest = tool.manifest();
    for line in [
        "cpu: \"1\"",
        "health-check-path: /",
        "memory: 100Mi",
        "web: static",
    ] {
        assert!(manifest.lines().any(|known| known == line), "{line}: {manifest}");
    }
    let container = &tool.object("deployment", "hello")["spec"]["template"]["spec"]["containers"][0];
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        assert_eq!(container[probe]["httpGet"]["path"], "/", "{probe}");
    }
    tool.webservice("stop").ok();
}

fn case_44_what_cannot_work_makes_nothing(tool: &Tool<'_>) {
    for (line, words) in [
        ("static start", "public_html"),
        ("cobol start", "type must be one of:"),
        ("--mount none python start", "--mount none is not for type"),
    ] {
        let refused = tool.webservice(line);
        assert_eq!(refused.code, 1, "{line}: {}", refused.stderr);
        assert!(refused.stderr.contains(words), "{line}: {}", refused.stderr);
    }
    assert_eq!(tool.objects(), "");
    assert!(
        !tool.file("service.manifest").exists(),
        "nothing was started, so nothing is recorded"
    );
}

fn case_45_templates(tool: &Tool<'_>) {
    let template = "www/python/src/service.template";
    tool.write(template, "- type: python\n");
    let refused = tool.webservice("start");
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .stderr
            .contains("Your template file (~/www/python/src/service.template) contains errors:"),
        "{}",
        refused.stderr
    );

    tool.write(template, "type: cobol\ncpu: 1\ncolour: red\n");
    tool.write("service.template", "type: python\n");
    let several = tool.webservice("start");
    assert_eq!(several.code, 1);
    assert!(
        several.stderr.contains("More than one template"),
        "{}",
        several.stderr
    );

    std::fs::remove_file(tool.file("service.template")).unwrap();
    let started = tool.webservice("python start");
    assert!(
        started.stderr.contains("contains unknown keys: colour"),
        "{}",
        started.stderr
    );
    started.ok();
    assert_eq!(tool.resources()["limits"]["cpu"], "1");
    let manifest = tool.manifest();
    assert!(
        manifest.contains("cpu: \"1\"") && manifest.contains("web: python"),
        "{manifest}"
    );
    tool.webservice("stop").ok();
    std::fs::remove_file(tool.file(template)).unwrap();
}

fn case_46_another_backend(tool: &Tool<'_>) {
    tool.write(
        "service.manifest",
        "backend: gridengine\ndistribution: debian\nrelease: buster\nversion: 4\nweb: lighttpd\n",
    );
    let refused = tool.webservice("--backend=kubernetes python start");
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .stderr
            .contains("Backend 'gridengine' from ~/service.manifest does not match 'kubernetes'"),
        "{}",
        refused.stderr
    );
    assert_eq!(tool.objects(), "");
    let limits = tool.webservice("--backend=gridengine --mem 1Gi start");
    assert_eq!(limits.code, 1);
    assert!(
        limits.stderr.contains("--mem is only for --backend=kubernetes"),
        "{}",
        limits.stderr
    );
    std::fs::remove_file(tool.file("service.manifest")).unwrap();
}

fn what_an_old_webservice_left_is_stopped_too(tool: &Tool<'_>) {
    let file = tool.scratch.path().join("legacy.json");
    std::fs::write(&file, LEGACY).unwrap();
    let path = file.to_str().unwrap();
    tool.scratch.kubectl_as("clock", &["apply", "-f", path]).ok();
    let status = tool.webservice("status").ok();
    assert!(!status.contains("not running"), "{status}");
    tool.webservice("stop").ok();
    nothing_is_left(tool);

    // A restart takes it over, though a Deployment never selects other labels.
    tool.scratch.kubectl_as("clock", &["apply", "-f", path]).ok();
    tool.webservice("python restart").ok();
    let selector = &tool.object("deployment", "clock")["spec"]["selector"]["matchLabels"];
    assert_eq!(selector["app.kubernetes.io/component"], "web");
    let old = ["get", "pods", "-o", "name", "-l", "tools.wmflabs.org/webservice"];
    eventually("the end of the old Pods", || {
        match tool.scratch.kubectl_as("clock", &old).ok().as_str() {
            "" => Ok(()),
            left => Err(left.to_owned()),
        }
    });
    tool.webservice("stop").ok();
    nothing_is_left(tool);
}

fn nothing_is_left(tool: &Tool<'_>) {
    eventually("nothing of the old webservice", || {
        match tool.objects().as_str() {
            "" => Ok(()),
            left => Err(left.to_owned()),
        }
    });
}
