//! A thousand changes of what `toolforge gateway` hears from the API cost no visitor anything: whatever other tools do, and
//! whatever a tool changes of its own that leaves it served.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use kube::{
    Api,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{sleep, timeout},
};

#[path = "load/api.rs"]
mod api;
#[path = "load/visitors.rs"]
mod load;

use api::Cluster;
use load::{Door, Load, REQUESTS, echo, tool};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const HOST: &str = "alpha.toolforge.test";
const CHANGES: usize = 1000;
/// After so many changes it is seen that they have arrived, and that everything goes on.
const ROUND: usize = 100;
const CHATS: usize = 4;
/// Other tools whose hosts come and go.
const HOSTS: usize = 10;
/// How long what must happen may take, on a loaded machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// Ended when dropped.
struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already, which the test then sees in other ways.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn gateway(cluster: &Cluster) -> (Gateway, Door) {
    let identity = cluster.authority.issue_server(&["*.toolforge.test"]).unwrap();
    let folder = cluster.folder.path();
    fs::write(folder.join("tls.crt"), &identity.certificate_pem).unwrap();
    fs::write(folder.join("tls.key"), &identity.key_pem).unwrap();
    write_policy(cluster, "domains: [toolforge.test]");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, toolforge_testkit::free_port()));
    let child = Command::new(PROGRAM)
        .args(["gateway", "--policy", "policy.yaml", "--workers", "2"])
        .args(["--https", &address.to_string(), "--publish", "127.0.0.1"])
        .args(["--tls-cert", "tls.crt", "--tls-key", "tls.key"])
        .args(["--kubeconfig", "kubeconfig", "--table", "table.json"])
        .current_dir(folder)
        .env("RUST_LOG", "error")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let door = Door {
        authority: cluster.authority.certificate_pem().to_owned(),
        host: HOST,
        address,
    };
    (Gateway(child), door)
}

fn write_policy(cluster: &Cluster, text: &str) {
    fs::write(cluster.folder.path().join("policy.yaml"), text).unwrap();
}

/// Makes objects what they are to be, and has them gone.
struct Writer<'a>(&'a Cluster);

impl Writer<'_> {
    fn api(&self, object: &Value) -> (Api<DynamicObject>, String) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let version = text(&object["apiVersion"]);
        let (group, version) = version.split_once('/').unwrap_or(("", &version));
        let kind = GroupVersionKind::gvk(group, version, &text(&object["kind"]));
        let plural = match kind.kind.as_str() {
            "Ingress" => "ingresses".to_owned(),
            "IngressClass" => "ingressclasses".to_owned(),
            other => format!("{}s", other.to_lowercase()),
        };
        let resource = ApiResource::from_gvk_with_plural(&kind, &plural);
        let client = self.0.admin.clone();
        let name = text(&object["metadata"]["name"]);
        let api = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        };
        (api, name)
    }

    async fn put(&self, object: Value) {
        let (api, name) = self.api(&object);
        let parameters = PatchParams::apply("test").force();
        api.patch(&name, &parameters, &Patch::Apply(object))
            .await
            .unwrap();
    }

    async fn remove(&self, object: Value) {
        let (api, name) = self.api(&object);
        api.delete(&name, &DeleteParams::default()).await.unwrap();
    }
}

fn metadata(tool: &str, name: &str) -> Value {
    json!({"name": name, "namespace": format!("tool-{tool}"), "labels": {"kubernetes.io/service-name": "web"}})
}

/// What all tools have, with one port more in every other version.
fn service(tool: &str, version: usize) -> Value {
    let mut ports = vec![json!({"name": "http", "port": 8000, "protocol": "TCP"})];
    if version % 2 == 1 {
        ports.insert(
            0,
            json!({"name": "figures", "port": 9000 + version, "protocol": "TCP"}),
        );
    }
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata(tool, "web"), "spec": {"ports": ports}})
}

/// A slice with these endpoints, each with what is said of it.
fn slice(tool: &str, name: &str, endpoints: &[(SocketAddr, Value)]) -> Value {
    let ports: Vec<u16> = endpoints.iter().map(|(address, _)| address.port()).collect();
    let of = |(address, conditions): &(SocketAddr, Value)| json!({"addresses": [address.ip()], "conditions": conditions});
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata(tool, name),
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": ports[0], "protocol": "TCP"}],
        "endpoints": endpoints.iter().map(of).collect::<Value>(),
    })
}

fn ready() -> Value {
    json!({"ready": true, "serving": true, "terminating": false})
}

/// An Ingress of a host with these paths and annotations.
fn ingress(tool: &str, name: &str, host: &str, paths: &[&str], annotations: &Value) -> Value {
    let backend = json!({"service": {"name": "web", "port": {"number": 8000}}});
    let path = |path: &&str| json!({"path": path, "pathType": "Prefix", "backend": backend});
    let mut metadata = metadata(tool, name);
    metadata["annotations"] = annotations.clone();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata,
        "spec": {"ingressClassName": "toolforge", "rules": [{"host": host, "http": {
            "paths": paths.iter().map(path).collect::<Value>(),
        }}]},
    })
}

/// What may be asked for without that a visitor notices.
fn annotations(version: usize) -> Value {
    let asked = [
        ("proxy-read-timeout", "120"),
        ("affinity", "cookie"),
        ("enable-cors", "true"),
        ("proxy-body-size", "2m"),
        ("upstream-hash-by", "$remote_addr"),
        ("limit-rps", "100000"),
        ("custom-http-errors", "404,503"),
    ];
    match asked.get(version % (asked.len() + 1)) {
        Some((name, value)) => json!({(format!("nginx.ingress.kubernetes.io/{name}")): value}),
        None => json!({}),
    }
}

/// One change; everything that is done for some numbers is undone for others. `tools` answer for the visited tool.
async fn change(writer: &Writer<'_>, number: usize, tools: &[SocketAddr; 3]) {
    let (what, version) = (number % 10, number / 10);
    let [one, two, third] = *tools;
    let is_odd = version % 2 == 1;
    match what {
        // The visited tool's endpoints come, go, and are stopped.
        0 => {
            let leaving = json!({"ready": false, "serving": true, "terminating": true});
            let starting = json!({"ready": false, "serving": false, "terminating": false});
            let (address, beside) = if is_odd { (two, one) } else { (one, two) };
            // A slice has one number for each port: what is beside is another address at it.
            let beside = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 2).into(), beside.port());
            let said = if version % 4 < 2 { leaving } else { starting };
            writer
                .put(slice("alpha", "web-1", &[(address, ready()), (beside, said)]))
                .await;
        }
        1 if is_odd => writer.remove(slice("alpha", "web-2", &[(third, ready())])).await,
        1 => writer.put(slice("alpha", "web-2", &[(third, ready())])).await,
        // What it asks for.
        2 => {
            let paths: &[&str] = if is_odd { &["/"] } else { &["/", "/deep"] };
            writer
                .put(ingress("alpha", "web", HOST, paths, &annotations(version)))
                .await;
        }
        3 => writer.put(service("alpha", version)).await,
        // Other tools do what they like, also what is refused.
        4 => {
            let (tool, host) = ("beta", "beta.toolforge.test");
            let snippet = json!({"nginx.ingress.kubernetes.io/server-snippet": "return 200;"});
            let asked = if is_odd { annotations(version) } else { snippet };
            writer.put(ingress(tool, "web", host, &["/"], &asked)).await;
        }
        5 => {
            let address = if is_odd { one } else { two };
            writer.put(slice("beta", "web-1", &[(address, ready())])).await;
        }
        6 => {
            let host = if version % 4 < 2 {
                HOST
            } else {
                "beta.toolforge.test"
            };
            let another = ingress("beta", "another", host, &["/", "/another"], &json!({}));
            if is_odd {
                writer.remove(another).await;
            } else {
                writer.put(another).await;
            }
        }
        // Hosts come and go.
        7 => writer.put(host(version % HOSTS)).await,
        8 => writer.remove(host(version % HOSTS)).await,
        // All Ingresses are looked at again.
        _ => {
            let class = json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "toolforge"},
                "spec": {"controller": "toolforge.org/gateway", "parameters": null},
            });
            if is_odd {
                writer.remove(class).await;
            } else {
                writer.put(class).await;
            }
        }
    }
}

/// What other tools have that are served now and then.
async fn other_tools(writer: &Writer<'_>, address: SocketAddr) {
    let tools = (0..HOSTS).map(|number| format!("t{number}"));
    for tool in tools.chain(["beta".to_owned()]) {
        writer.0.tool(&tool).await;
        writer.put(service(&tool, 0)).await;
        writer.put(slice(&tool, "web-1", &[(address, ready())])).await;
    }
}

fn host(number: usize) -> Value {
    let tool = format!("t{number}");
    ingress(
        &tool,
        "web",
        &format!("{tool}.toolforge.test"),
        &["/"],
        &json!({}),
    )
}

/// Waits until the gateway leads visitors to this tool.
async fn answered_by(door: &Door, name: &str) {
    let client = door.client(b"http/1.1");
    let looking = async {
        loop {
            let asked = client.post(door.url()).body("x").send().await;
            let told = asked
                .ok()
                .and_then(|answer| answer.headers().get("x-tool").cloned());
            if told.is_some_and(|told| told == name) {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, looking).await.expect("the change arrives");
}

/// The status for whoever names this host.
async fn status_at(door: &Door, host: &str) -> u16 {
    let client = door.client(b"http/1.1");
    let asked = client.get(door.url()).header("host", host).send().await;
    asked.unwrap().status().as_u16()
}

async fn until_status_at(door: &Door, host: &str, status: u16) {
    let looking = async {
        while status_at(door, host).await != status {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, looking).await.expect("the policy is gone by");
}

/// How long a hundred changes may take, one after the other, on a loaded machine: half a second each. What is gathered for so
/// long, or looked for now and then, takes longer.
const AT_ONCE: Duration = Duration::from_secs(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_changed_endpoint_is_in_effect_at_once() {
    toolforge_pki::install_provider();
    let tools = [("one", tool("one").await), ("two", tool("two").await)];
    let cluster = Cluster::start().await;
    let (writer, (_gateway, door)) = (Writer(&cluster), gateway(&cluster));
    cluster.tool("alpha").await;
    writer.put(service("alpha", 0)).await;
    writer
        .put(slice("alpha", "web-1", &[(tools[0].1, ready())]))
        .await;
    writer
        .put(ingress("alpha", "web", HOST, &["/"], &json!({})))
        .await;
    answered_by(&door, "one").await;
    let began = Instant::now();
    for number in 1..=100 {
        let (name, address) = tools[number % 2];
        writer.put(slice("alpha", "web-1", &[(address, ready())])).await;
        answered_by(&door, name).await;
    }
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_changed_policy_holds_for_what_is_known_and_costs_no_request_and_no_open_connection() {
    toolforge_pki::install_provider();
    let address = tool("one").await;
    let cluster = Cluster::start().await;
    let (writer, (_gateway, door)) = (Writer(&cluster), gateway(&cluster));
    let door = Arc::new(door);
    for (tool, host) in [("alpha", HOST), ("beta", "beta.other.test")] {
        cluster.tool(tool).await;
        writer.put(service(tool, 0)).await;
        writer.put(slice(tool, "web-1", &[(address, ready())])).await;
        writer.put(ingress(tool, "web", host, &["/"], &json!({}))).await;
    }
    answered_by(&door, "one").await;
    let mut chat = echo(&door).await;
    let load = Load::begin(&door).await;
    for _ in 0..5 {
        assert_eq!(status_at(&door, "beta.other.test").await, 404);
        write_policy(&cluster, "domains: [toolforge.test, other.test]");
        until_status_at(&door, "beta.other.test", 200).await;
        // What cannot be gone by leaves what was before.
        write_policy(&cluster, "domains: [not a domain]");
        load.goes_on();
        assert_eq!(status_at(&door, "beta.other.test").await, 200);
        write_policy(&cluster, "domains: [toolforge.test]");
        until_status_at(&door, "beta.other.test", 404).await;
    }
    load.has_made_at_most(5);
    load.end().await;
    let mut heard = [0; 10];
    chat.write_all(b"still here").await.unwrap();
    chat.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_thousand_changes_under_load_cost_no_request_and_no_open_connection() {
    toolforge_pki::install_provider();
    let tools = [tool("one").await, tool("two").await, tool("third").await];
    let cluster = Cluster::start().await;
    let (writer, (_gateway, door)) = (Writer(&cluster), gateway(&cluster));
    let door = Arc::new(door);
    other_tools(&writer, tools[0]).await;
    cluster.tool("alpha").await;
    writer.put(service("alpha", 0)).await;
    writer.put(slice("alpha", "web-1", &[(tools[1], ready())])).await;
    writer
        .put(ingress("alpha", "web", HOST, &["/"], &json!({})))
        .await;
    answered_by(&door, "two").await;
    let mut chats = Vec::new();
    for _ in 0..CHATS {
        chats.push(echo(&door).await);
    }
    let load = Load::begin(&door).await;
    for round in 0..CHANGES / ROUND {
        for number in round * ROUND..(round + 1) * ROUND {
            change(&writer, number, &tools).await;
        }
        // What was changed last of the endpoints is what visitors see.
        let name = ["one", "two"][round % 2];
        writer
            .put(slice("alpha", "web-1", &[(tools[round % 2], ready())]))
            .await;
        answered_by(&door, name).await;
        load.goes_on();
        for chat in &mut chats {
            let mut heard = [0; 10];
            chat.write_all(b"still here").await.unwrap();
            chat.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"still here");
        }
    }
    load.has_made_at_most(5);
    let answered = load.end().await;
    assert!(answered >= CHANGES / ROUND * REQUESTS, "{answered}");
}
