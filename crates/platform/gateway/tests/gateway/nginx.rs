//! The same requests to Debian's nginx, configured as the front proxy of the original was, and to the gateway: where they
//! differ the corpus says so, and why. A difference that it does not name is a defect of one of both.

mod corpus;
mod talk;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::{Child, Command},
    sync::Arc,
};

use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use self::{
    corpus::{CASES, Case, EVERYWHERE},
    talk::{OF_TOOL, Recorder, SHARED, Seen, ask},
};
use crate::scene::{BODY_LIMIT_BYTES, DEADLINE, LOOK_AGAIN, PUBLIC_PORT, Scene};

/// What the gateway is told, so that it does what `nginx.conf` says.
const SETTINGS: &str = r"
requireUserAgent: true
blockedUserAgents: [TweetmemeBot]
blockedReferers: ['://spam\.example/']
compression: [gzip]
";

/// nginx, as long as it is held.
struct Nginx {
    process: Child,
    folder: TempDir,
    client: TlsConnector,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has seen by then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Nginx {
    fn start(scene: &Scene, tool: &Recorder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let identity = scene.identity();
        toolforge_pki::write_private(&at("tls.crt"), identity.certificate_pem.as_bytes()).unwrap();
        toolforge_pki::write_private(&at("tls.key"), identity.key_pem.as_bytes()).unwrap();
        let configuration = include_str!("nginx/nginx.conf")
            .replace("@FOLDER@", folder.path().to_str().unwrap())
            .replace("@BODY@", &BODY_LIMIT_BYTES.to_string())
            .replace("@PORT@", &PUBLIC_PORT.to_string())
            .replace("@TOOL@", &tool.tool.address.to_string());
        std::fs::write(at("nginx.conf"), configuration).unwrap();
        let process = Command::new(program())
            .arg("-p")
            .arg(folder.path())
            .args(["-e", "stderr", "-c"])
            .arg(at("nginx.conf"))
            .spawn()
            .expect("nginx is not installed; cargo xtask test installs it");
        let mut config = scene.client_config();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            process,
            folder,
            client: TlsConnector::from(Arc::new(config)),
        }
    }

    async fn connect(&mut self) -> TlsStream<UnixStream> {
        let door = self.folder.path().join("https");
        let opened = async {
            loop {
                if let Ok(stream) = UnixStream::connect(&door).await {
                    return stream;
                }
                assert!(self.process.try_wait().unwrap().is_none(), "nginx has ended");
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let stream = tokio::time::timeout(DEADLINE, opened)
            .await
            .expect("nginx did not open its door in time");
        let name = ServerName::try_from(Scene::host("alpha")).unwrap();
        self.client.connect(name, stream).await.unwrap()
    }
}

/// Debian has it where only root looks.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into());
    let found = folders
        .into_iter()
        .map(|folder| folder.join("nginx"))
        .find(|file| file.exists());
    found.unwrap_or_else(|| "nginx".into())
}

#[tokio::test]
async fn the_gateway_and_the_front_proxy_of_the_original_differ_where_it_is_said() {
    let scene = Scene::new().await;
    let (beside, ours) = (Recorder::new().await, Recorder::new().await);
    scene.settings(SETTINGS);
    scene.route("alpha", &[ours.tool.address]);
    let mut nginx = Nginx::start(&scene, &beside);
    let mut wrong = Vec::new();
    for case in CASES {
        let (request, answer) = (case.request(), case.answer());
        beside.answers(&answer);
        let mut theirs = ask(nginx.connect().await, &request).await;
        theirs.extend(beside.asked());
        ours.answers(&answer);
        let mut own = ask(scene.stream("alpha").await, &request).await;
        own.extend(ours.asked());
        wrong.extend(judge(case, theirs, own));
    }
    assert!(wrong.is_empty(), "{} findings\n{}", wrong.len(), wrong.join("\n"));
}

/// What the corpus does not say of a case, or says wrongly.
fn judge(case: &Case, mut theirs: Seen, mut own: Seen) -> Vec<String> {
    sum_up(&mut theirs, &mut own);
    let aspects: BTreeSet<&str> = theirs.keys().chain(own.keys()).map(String::as_str).collect();
    let differs = |aspect: &&str| theirs.get(*aspect) != own.get(*aspect);
    let found: BTreeSet<&str> = aspects.into_iter().filter(differs).collect();
    let is_everywhere = |aspect: &&str| EVERYWHERE.iter().any(|(known, _)| known == aspect);
    let said: BTreeSet<&str> = case.differs.iter().map(|(aspect, _)| *aspect).collect();
    let unsaid = found
        .iter()
        .filter(|aspect| !said.contains(**aspect) && !is_everywhere(aspect));
    let tell = |aspect: &str| {
        let of = |seen: &Seen| {
            seen.get(aspect)
                .map_or("nothing".to_owned(), |value| format!("{value:?}"))
        };
        format!("  {aspect}: nginx {}, the gateway {}", of(&theirs), of(&own))
    };
    let mut wrong: Vec<String> = unsaid.map(|aspect| tell(aspect)).collect();
    let alike = said.difference(&found);
    wrong.extend(alike.map(|aspect| format!("  {aspect} does not differ: take it out of the corpus")));
    if !wrong.is_empty() {
        wrong.insert(0, format!("{:?} answered with {:?}", case.request, case.answer));
    }
    wrong
}

/// Where only one has asked the tool, or answers with what it said, that is the difference, and not each field of it.
fn sum_up(theirs: &mut Seen, own: &mut Seen) {
    for (part, whole) in [("tool method", "tool"), (OF_TOOL, "answer")] {
        if theirs.contains_key(part) == own.contains_key(part) {
            continue;
        }
        for seen in [&mut *theirs, &mut *own] {
            let is_it = seen.contains_key(part);
            seen.retain(|aspect, _| match whole {
                "tool" => !aspect.starts_with("tool "),
                _ => aspect.starts_with("tool") || SHARED.contains(&aspect.as_str()),
            });
            seen.insert(
                whole.into(),
                if is_it { "the tool's" } else { "not the tool's" }.into(),
            );
        }
    }
    if theirs.get("status") != own.get("status") {
        // Then it goes without saying.
        for seen in [theirs, own] {
            seen.remove("answer");
        }
    }
}
