//! The status pages as everybody meets them: through the gateway, with a browser, and when the API is gone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use serde_json::Value;
use toolforge_testkit::{Outcome, Running, Scratch, Visitor, eventually, free_port};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
/// Where `cargo xtask test` puts what comes from npm.
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/npm");
/// A directory without people and tools.
const NOTHING: &str = "version: 1\n\n\
    dn: dc=example,dc=net\nobjectClass: domain\ndc: example\n\n\
    dn: ou=people,dc=example,dc=net\nobjectClass: organizationalUnit\nou: people\n\n\
    dn: ou=servicegroups,dc=example,dc=net\nobjectClass: organizationalUnit\nou: servicegroups\n\n\
    dn: ou=people,ou=servicegroups,dc=example,dc=net\nobjectClass: organizationalUnit\nou: people\n";
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
    // The Pod before it may still be there, on its way out.
    let (pod, shown) = eventually("the new Pod's page", || {
        let known = json(&visitor, &hello);
        for pod in known["pods"].as_array().unwrap() {
            let name = pod["name"].as_str().unwrap();
            let page = visitor.get(&format!("{site}namespaces/tool-hello/pods/{name}/"))?;
            if page.text.contains("PASSWORD") {
                return Ok((name.to_owned(), page.text));
            }
        }
        Err(known["pods"].to_string())
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

    let mut pages = [
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
    ]
    .map(|page| format!("{site}{page}"))
    .to_vec();
    pages.extend(not_there(&scratch));
    let wrong = looked_at("tools", &pages);
    assert_eq!(wrong, "[]", "{wrong}");
}

/// Every page for what is not there, the gateway's own among them.
fn not_there(scratch: &Scratch) -> Vec<String> {
    let platform = format!("https://toolforge.localhost:{}/", scratch.port("--https-port"));
    let mut pages = vec![
        // The tool hello is near.
        scratch.url("helo"),
        scratch.url("nothing-is-called-by-such-a-name-and-nothing-ever-was"),
        // A tool without webservice.
        format!("{}some/page?of=it", scratch.url("admin")),
        format!("{platform}nothing"),
        platform,
    ];
    // The gateway asks in this way when a tool does not answer.
    let fourohfour = scratch.port("--fourohfour-port");
    pages.extend([502, 503, 504].map(|code| {
        format!(
            "http://hello.toolforge.localhost:{fourohfour}/a/rather/long/path/that/goes/on?and=on#code={code}"
        )
    }));
    let nobody = "nginx.ingress.kubernetes.io/whitelist-source-range=192.0.2.1/32";
    scratch
        .kubectl_as("hello", &["annotate", "ingress", "hello-subdomain", nobody])
        .ok();
    let (hello, visitor) = (scratch.url("hello"), scratch.visitor(&["hello"]));
    eventually("the gateway's own page", || {
        let status = visitor.get(&hello)?.status;
        (status == StatusCode::FORBIDDEN)
            .then_some(())
            .ok_or_else(|| status.to_string())
    });
    pages.push(hello);
    pages
}

#[test]
fn a_platform_of_nothing_has_pages_that_can_be_looked_at() {
    let scratch = Scratch::new(PROGRAM);
    let file = scratch.path().join("nothing.ldif");
    std::fs::write(&file, NOTHING).unwrap();
    let _platform = scratch.start(&["--ldif", &*file.to_string_lossy()]);
    let (site, visitor) = (scratch.url("k8s-status"), scratch.visitor(&["k8s-status"]));
    eventually("a front page that knows everything", || {
        let front = json(&visitor, &format!("{site}index.json"));
        let whole = front.get("warning").is_none() && front["nodes"] == 1;
        whole.then_some(()).ok_or_else(|| front.to_string())
    });
    let tools = json(&visitor, &format!("{site}namespaces.json"));
    let tools: Vec<_> = ["active", "inactive"]
        .iter()
        .flat_map(|part| tools[part].as_array().unwrap())
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        tools,
        ["tool-k8s-status", "tool-fourohfour"],
        "only the platform's own"
    );
    let mut pages = [
        "",
        "namespaces/",
        "namespaces/default/",
        "namespaces/tool-hello/",
        "nodes/",
        "nodes/localhost/",
        "images/",
        "search",
        "search?q=hello",
    ]
    .map(|page| format!("{site}{page}"))
    .to_vec();
    pages.push(scratch.url("hello"));
    let wrong = looked_at("nothing", &pages);
    assert_eq!(wrong, "[]", "{wrong}");
}

/// What a browser and axe find wrong with these pages; pages that are not found are pages too.
fn looked_at(name: &str, urls: &[String]) -> String {
    let browser = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find_map(find)
        .unwrap_or_else(|| unreachable!("`cargo xtask test` installs chromium"));
    let mut look = Command::new("node");
    look.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/look.mjs"))
        .args([MODULES, &browser, "MAP *.localhost 127.0.0.1"]);
    if let Some(folder) = std::env::var_os("TOOLFORGE_PICTURES") {
        let folder = Path::new(&folder).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        look.arg("--pictures").arg(folder);
    }
    Outcome::of(look.args(urls)).ok().trim().to_owned()
}

fn find(program: &str) -> Option<String> {
    let path = std::env::var("PATH").ok()?;
    let mut folders = path.split(':').map(|folder| Path::new(folder).join(program));
    folders
        .find(|found| found.is_file())
        .map(|found| found.to_string_lossy().into_owned())
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
