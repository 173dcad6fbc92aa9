//! The status pages as everybody meets them: through the gateway, with a browser, and when the API is gone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use serde_json::Value;
use toolforge_testkit::{Outcome, Scratch, Visitor, eventually, free_port};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
/// Where `cargo xtask test` puts what comes from npm.
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/npm");
/// What the pages promise: to say within this time that the API is gone. The rest is what a loaded machine takes.
const SAID_WITHIN: Duration = Duration::from_secs(5 + 10);

fn json(visitor: &Visitor, url: &str) -> Value {
    let answer = visitor.get(url).unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{url}: {}", answer.text);
    serde_json::from_str(&answer.text).unwrap()
}

/// Waits until a tool's page says this.
fn says(visitor: &Visitor, url: &str, standing: &str, words: &str) {
    eventually(&format!("{standing}: {words}"), || {
        let verdict = &json(visitor, url)["verdict"];
        let sentence = verdict["sentence"].as_str().unwrap();
        let found = verdict["standing"] == standing && sentence.contains(words);
        found.then_some(()).ok_or_else(|| verdict.to_string())
    });
}

#[test]
fn everybody_sees_how_tools_are() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&["--status-link", "Maintainers=https://admin.example/tools/{tool}"]);
    let visitor = scratch.visitor(&["k8s-status", "hello", "clock"]);
    let site = scratch.url("k8s-status");
    let hello = format!("{site}namespaces/tool-hello.json");

    says(&visitor, &hello, "idle", "no webservice");
    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    says(&visitor, &hello, "up", "Up: 1 replica answers.");
    let page = json(&visitor, &hello);
    assert_eq!(page["links"][0]["url"], "https://admin.example/tools/hello");
    assert_eq!(
        page["maintainers"],
        serde_json::json!(["Ada Lovelace", "Grace Hopper"])
    );
    let pods = page["quotas"][0]["lines"].as_array().unwrap();
    assert!(
        pods.iter()
            .any(|line| line["resource"] == "pods" && line["used"] == "1"),
        "{pods:?}"
    );

    scratch
        .kubectl_as("hello", &["set", "env", "deployment/hello", "PASSWORD=geheim"])
        .ok();
    scratch
        .kubectl_as(
            "hello",
            &["rollout", "status", "deployment/hello", "--timeout=60s"],
        )
        .ok();
    let pod = scratch
        .kubectl_as(
            "hello",
            &["get", "pods", "-o", "jsonpath={.items[0].metadata.name}"],
        )
        .ok();
    let shown = eventually("the new Pod's page", || {
        let answer = visitor
            .get(&format!("{site}namespaces/tool-hello/pods/{pod}/"))
            .unwrap();
        let found = answer.status == StatusCode::OK && answer.text.contains("PASSWORD");
        found
            .then_some(answer.text)
            .ok_or_else(|| answer.status.to_string())
    });
    assert!(!shown.contains("geheim"), "{shown}");
    assert_eq!(
        visitor
            .get(&format!("{site}namespaces/tool-hello/pods/none/"))
            .unwrap()
            .status,
        StatusCode::NOT_FOUND
    );

    // It says itself that it does not come up.
    scratch.as_tool(
        "clock",
        &[
            "webservice",
            "generic",
            "start",
            "--no-wait",
            "--",
            "sh",
            "-c",
            "exit 7",
        ],
    );
    says(
        &visitor,
        &format!("{site}namespaces/tool-clock.json"),
        "down",
        "exit code 7",
    );
    let front = json(&visitor, &format!("{site}index.json"));
    assert_eq!(front["troubles"][0]["tool"], "clock", "{front}");

    let pages = [
        "",
        "namespaces/",
        "namespaces/tool-hello/",
        "namespaces/tool-clock/",
        "nodes/",
        "nodes/localhost/",
        "images/",
        "search?q=ada",
        "search?q=nobody",
        "nothing",
        &format!("namespaces/tool-hello/pods/{pod}/"),
        "namespaces/tool-hello/ingresses/hello-subdomain/",
    ];
    let wrong = looked_at(&pages.map(|page| format!("{site}{page}")));
    assert_eq!(wrong, "[]", "{wrong}");
}

/// What a browser and axe find wrong with these pages; pages that are not found are pages too.
fn looked_at(urls: &[String]) -> String {
    let browser = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find_map(find)
        .unwrap_or_else(|| unreachable!("`cargo xtask test` installs chromium"));
    let mut look = Command::new("node");
    look.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/look.mjs"))
        .args([MODULES, &browser, "MAP *.localhost 127.0.0.1"]);
    if let Some(folder) = std::env::var_os("TOOLFORGE_PICTURES") {
        std::fs::create_dir_all(Path::new(&folder)).unwrap();
        look.arg("--pictures").arg(folder);
    }
    let wrong = Outcome::of(look.args(urls)).ok();
    // A browser says of every page with an error status that it could not be loaded.
    let mut wrong: Vec<Value> = serde_json::from_str(&wrong).unwrap();
    wrong.retain(|found| {
        !(found["rule"] == "console" && found["help"].as_str().unwrap().contains("status of 404"))
    });
    serde_json::to_string_pretty(&wrong).unwrap()
}

fn find(program: &str) -> Option<String> {
    let path = std::env::var("PATH").ok()?;
    let mut folders = path.split(':').map(|folder| Path::new(folder).join(program));
    folders
        .find(|found| found.is_file())
        .map(|found| found.to_string_lossy().into_owned())
}

/// A process that is ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already, which the test then sees in other ways.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn with_the_api_gone_the_pages_stay_and_say_so() {
    let scratch = Scratch::new(PROGRAM);
    let platform = scratch.start(&[]);
    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    let port = free_port();
    let kubeconfig = scratch.data().join("admin.kubeconfig");
    let mut command = scratch.command(&["k8s-status", "--domain", "toolforge.localhost"]);
    let command = command
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .arg("--kubeconfig")
        .arg(kubeconfig);
    let _pages = Running(command.stdout(Stdio::null()).spawn().unwrap());
    let visitor = scratch.visitor(&["hello"]);
    let url = format!("http://127.0.0.1:{port}/namespaces/tool-hello.json");
    let ask = || match visitor.get(&url) {
        Ok(answer) if answer.status == StatusCode::OK => {
            Ok(serde_json::from_str::<Value>(&answer.text).unwrap())
        }
        other => Err(format!("{other:?}")),
    };
    eventually("a page that knows everything", || {
        let page = ask()?;
        let whole = page.get("warning").is_none() && page["verdict"]["standing"] == "up";
        whole.then_some(()).ok_or_else(|| page.to_string())
    });

    assert_eq!(platform.stop(), 0);
    let gone = Instant::now();
    let page = eventually("a page that says that the API is gone", || {
        let page = ask()?;
        page.get("warning")
            .is_some()
            .then_some(page.clone())
            .ok_or_else(|| page.to_string())
    });
    assert!(gone.elapsed() < SAID_WITHIN, "{:?}", gone.elapsed());
    assert!(
        page["warning"].as_str().unwrap().contains("has not answered"),
        "{page}"
    );
    assert_eq!(page["tool"], "hello", "what was last known stays");
}
