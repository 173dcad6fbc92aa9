//! A gateway's registrations, the machine of a grid before them with its ident, and servers to be registered.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use reqwest::{Method, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use toolforge_model::Problems;
use toolforge_pki::Authority;
use toolforge_registrations::{
    Clock, Config, Followed, Names, RegistrationRules, RegistrationSettings, Registrations, Seen, Tenants,
};
use toolforge_routing::Registered;

/// How long a test waits for what must happen: long enough for a loaded machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// The pause between two looks at something that is about to happen.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Where everything in these tests is.
pub(crate) const HERE: [&str; 1] = ["127.0.0.0/8"];

/// What ident says.
#[derive(Clone, Debug)]
pub(crate) enum Ident {
    /// That this is the user.
    User(String),
    /// These bytes, whatever is asked.
    Bytes(Vec<u8>),
    /// Nothing, for as long as anybody waits.
    Silence,
}

impl Ident {
    pub(crate) fn user(name: &str) -> Self {
        Self::User(name.to_owned())
    }
}

pub(crate) struct Scene {
    pub(crate) lines: SocketAddr,
    pub(crate) api: SocketAddr,
    pub(crate) list: SocketAddr,
    pub(crate) ident: watch::Sender<Ident>,
    /// What ident was asked last.
    pub(crate) asked: watch::Receiver<String>,
    pub(crate) names: watch::Sender<Arc<Names>>,
    pub(crate) rules: watch::Sender<Arc<RegistrationRules>>,
    pub(crate) tenants: watch::Sender<Arc<Tenants>>,
    pub(crate) routed: watch::Receiver<Arc<Vec<Registered>>>,
    pub(crate) seen: Seen,
    pub(crate) clock: Arc<AtomicI64>,
    pub(crate) folder: Arc<TempDir>,
    authority: Arc<Authority>,
    running: JoinHandle<()>,
    stop: CancellationToken,
}

/// The settings of these tests: everybody is let in from here, and may lead here.
pub(crate) fn settings() -> RegistrationSettings {
    let here = || HERE.map(str::to_owned).to_vec();
    RegistrationSettings {
        line_networks: here(),
        list_networks: here(),
        destination_networks: here(),
        check_interval_seconds: 1,
        ..RegistrationSettings::default()
    }
}

pub(crate) fn rules(settings: &RegistrationSettings) -> Arc<RegistrationRules> {
    let mut problems = Problems::default();
    let rules = settings.resolve(&mut problems);
    assert!(problems.is_empty(), "{problems}");
    Arc::new(rules)
}

/// The hosts of tools under this domain, and the one that they share.
pub(crate) fn names(domain: &str) -> Arc<Names> {
    Arc::new(Names {
        domains: vec![domain.parse().unwrap()],
        shared: vec!["tools.test".parse().unwrap()],
    })
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(&settings()).await
    }

    pub(crate) async fn with(settings: &RegistrationSettings) -> Self {
        let authority = Arc::new(Authority::create("test cluster").unwrap());
        Self::on(Arc::new(tempfile::tempdir().unwrap()), authority, settings).await
    }

    /// On what another scene has left.
    async fn on(folder: Arc<TempDir>, authority: Arc<Authority>, settings: &RegistrationSettings) -> Self {
        toolforge_pki::install_provider();
        let (lines, api, list) = (listener().await, listener().await, listener().await);
        let addresses = [&lines, &api, &list].map(|listener| listener.local_addr().unwrap());
        let (ident, ident_port, asked) = start_ident().await;
        let (rules, followed) = watch::channel(rules(settings));
        let (tenants, accounts) = watch::channel(Arc::default());
        let (names, domains) = watch::channel(names("toolforge.test"));
        let clock = Arc::new(AtomicI64::new(1_000_000));
        let told = clock.clone();
        let identity = authority.issue_server(&["127.0.0.1"]).unwrap();
        let tls = toolforge_pki::server_config(&identity, Some(authority.certificate_pem())).unwrap();
        let config = Config {
            file: folder.path().join("data/registrations.json"),
            lines: Some(lines),
            api: Some((api, Arc::new(tls))),
            list: Some(list),
            followed: Followed {
                names: domains,
                rules: followed,
                tenants: accounts,
            },
            own: Vec::new(),
            ident_port,
            clock: Clock::new(move || told.load(Ordering::Relaxed)),
        };
        let registrations = Registrations::open(config).unwrap();
        let (routed, seen) = (registrations.routed(), registrations.seen());
        let stop = CancellationToken::new();
        let running = tokio::spawn(registrations.run(stop.clone()));
        Self {
            lines: addresses[0],
            api: addresses[1],
            list: addresses[2],
            ident,
            asked,
            names,
            rules,
            tenants,
            routed,
            seen,
            clock,
            folder,
            authority,
            running,
            stop,
        }
    }

    /// Ends it without a word, and begins anew on its files.
    pub(crate) async fn killed_and_started(self, settings: &RegistrationSettings) -> Self {
        self.running.abort();
        let _ = self.running.await;
        Self::on(self.folder, self.authority, settings).await
    }

    /// Another one on the same files.
    pub(crate) async fn beside(&self, settings: &RegistrationSettings) -> Self {
        Self::on(self.folder.clone(), self.authority.clone(), settings).await
    }

    pub(crate) async fn stopped(self) -> Arc<TempDir> {
        self.stop.cancel();
        timeout(DEADLINE, self.running).await.unwrap().unwrap();
        self.folder
    }

    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("data/registrations.json")
    }

    /// What a client of the lines gets that sends this, and then waits.
    pub(crate) async fn send(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(self.lines).await.unwrap();
        stream.write_all(bytes.as_ref()).await.unwrap();
        read_all(&mut stream).await
    }

    /// Registers this server as a user for everything, as the original's clients do.
    pub(crate) async fn register(&self, user: &str, server: SocketAddr) {
        self.ident.send_replace(Ident::user(user));
        let answer = self.send(format!("register\n.*\nhttp://{server}\n")).await;
        assert_eq!(answer, "ok");
    }

    /// The addresses to which a tool's own host leads, of those that live.
    pub(crate) fn led_to(&self, tool: &str) -> Vec<SocketAddr> {
        let host = format!("{tool}.toolforge.test");
        let routed = self.routed.borrow();
        let of_host = routed.iter().filter(|registered| {
            registered.is_alive && registered.routes.iter().any(|route| route.host == host)
        });
        of_host.map(|registered| registered.address).collect()
    }

    /// Waits until the table is told what this accepts.
    pub(crate) async fn routed_when(&mut self, accepts: impl Fn(&[Registered]) -> bool) {
        let waiting = self.routed.wait_for(|routed| accepts(routed));
        let routed = timeout(DEADLINE, waiting).await;
        routed.expect("the table is told").unwrap();
    }

    /// Asks the API as somebody with a certificate of the cluster.
    pub(crate) async fn ask(
        &self,
        name: &str,
        group: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let identity = self.authority.issue_client(name, &[group]).unwrap();
        self.ask_with(Some(&identity), method, path, body).await
    }

    /// Asks as a tool.
    pub(crate) async fn ask_as(&self, tool: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.ask(tool, "toolforge", method, path, body).await
    }

    pub(crate) async fn ask_with(
        &self,
        identity: Option<&toolforge_pki::Identity>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let response = self.try_to_ask(identity, method, path, body).await;
        Answer::read(response.unwrap()).await
    }

    pub(crate) async fn try_to_ask(
        &self,
        identity: Option<&toolforge_pki::Identity>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<Response> {
        let tls = toolforge_pki::client_config(self.authority.certificate_pem(), identity).unwrap();
        let client = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .no_proxy()
            .timeout(DEADLINE)
            .build()
            .unwrap();
        let request = client.request(method, format!("https://{}{path}", self.api));
        match body {
            Some(body) => request.body(body.to_string()).send().await,
            None => request.send().await,
        }
    }
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) location: Option<String>,
    pub(crate) json: Value,
}

impl Answer {
    async fn read(response: Response) -> Self {
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        Self {
            status: response.status().as_u16(),
            content_type: header("content-type").unwrap_or_default(),
            location: header("location"),
            json: serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default(),
        }
    }

    /// The rules that were broken.
    pub(crate) fn rules(&self) -> Vec<&str> {
        let errors = self.json["errors"].as_array().into_iter().flatten();
        errors.map(|error| error["rule"].as_str().unwrap()).collect()
    }
}

pub(crate) async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// A server that takes every connection and says this.
pub(crate) async fn server(says: &'static str) -> (SocketAddr, JoinHandle<()>) {
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.write_all(says.as_bytes()).await;
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
            });
        }
    });
    (address, serving)
}

/// Waits until this is so.
pub(crate) async fn eventually(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            sleep(LOOK_AGAIN).await;
        }
    };
    timeout(DEADLINE, waiting).await.expect("it comes about");
}

/// Everything that comes until the other side ends.
pub(crate) async fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut answer)).await;
    read.expect("the connection ends").unwrap();
    String::from_utf8(answer).unwrap()
}

/// The ident of the machine of a grid.
async fn start_ident() -> (watch::Sender<Ident>, u16, watch::Receiver<String>) {
    let listener = listener().await;
    let port = listener.local_addr().unwrap().port();
    let (says, said) = watch::channel(Ident::user("tools.alpha"));
    let (tell, asked) = watch::channel(String::new());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let says = said.borrow().clone();
            let tell = tell.clone();
            tokio::spawn(async move { answer_ident(stream, says, &tell).await });
        }
    });
    (says, port, asked)
}

async fn answer_ident(mut stream: TcpStream, says: Ident, tell: &watch::Sender<String>) -> io::Result<()> {
    let mut question = String::new();
    BufReader::new(&mut stream).read_line(&mut question).await?;
    tell.send_replace(question.clone());
    match says {
        Ident::User(user) => {
            let pair = question.trim().replace(',', " , ");
            stream
                .write_all(format!("{pair} : USERID : UNIX : {user}\r\n").as_bytes())
                .await
        }
        Ident::Bytes(bytes) => stream.write_all(&bytes).await,
        Ident::Silence => {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.map(|_| ())
        }
    }
}

/// Whether only the owner may read a file.
pub(crate) fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600
}
