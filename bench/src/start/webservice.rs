//! How fast a tool is on the web and off it again, and what a restart costs those who visit it meanwhile; beside a
//! bare process that serves HTTP on the same machine.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    client::{Call, Target},
    figures::{Figure, milliseconds, shown},
};

/// Nothing here takes as long.
const PATIENCE: Duration = Duration::from_mins(1);
/// Visitors at a time while it restarts, and how long each waits between two requests: a busy tool of a wiki.
const VISITORS: usize = 4;
const VISIT_PAUSE: Duration = Duration::from_millis(2);
/// Between two looks at a URL that does not answer as wanted.
const LOOK_PAUSE: Duration = Duration::from_millis(1);

/// The peer: what a machine can do at best, the interpreter of `python` with a server that does nothing.
const BARE: &str = "import http.server as h, socketserver as s, sys\n\
    class H(h.BaseHTTPRequestHandler):\n\
    \x20def do_GET(self): self.send_response(200); self.end_headers()\n\
    \x20def log_message(self, *a): pass\n\
    class S(s.TCPServer): allow_reuse_address = True\n\
    S(('127.0.0.1', int(sys.argv[1])), H).serve_forever()";

/// All that is measured, once per run.
#[derive(Debug, Default)]
pub(super) struct Figures {
    bare: Figure,
    static_first_answer: Figure,
    static_command: Figure,
    python_first_answer: Figure,
    restart: Figure,
    restart_requests: Figure,
    restart_failed: Figure,
    stop_to_page: Figure,
    stop: Figure,
}

impl Figures {
    /// Says what came out, beside the goals and the peer.
    pub(super) fn print(&self) {
        let goal = |figure: &Figure, most: f64| match figure.median() {
            Some(median) if median <= most => "met",
            _ => "missed",
        };
        super::row(
            "python3 with a bare HTTP server to first 200 (the peer)",
            &self.bare,
            "ms",
        );
        super::row(
            "webservice static start to first 200",
            &self.static_first_answer,
            "ms",
        );
        super::row(
            "webservice static start, whole command",
            &self.static_command,
            "ms",
        );
        super::row(
            "webservice python start to first 200",
            &self.python_first_answer,
            "ms",
        );
        super::row(
            "webservice stop to the page that says so",
            &self.stop_to_page,
            "ms",
        );
        super::row("webservice stop, whole command", &self.stop, "ms");
        super::row(
            "webservice restart under load, whole command",
            &self.restart,
            "ms",
        );
        super::row("requests meanwhile", &self.restart_requests, "");
        super::row("failed requests meanwhile", &self.restart_failed, "");
        if let (Some(python), Some(bare)) = (self.python_first_answer.median(), self.bare.median()) {
            println!("  python start beside the bare server: {}", shown(python / bare));
        }
        println!(
            "  goals: static 300 ms {}, python 1 s {}, stop 300 ms {}, no failed request {}",
            goal(&self.static_first_answer, 300.0),
            goal(&self.python_first_answer, 1000.0),
            goal(&self.stop_to_page, 300.0),
            goal(&self.restart_failed, 0.0),
        );
    }
}

/// A platform, as its maintainers and visitors reach it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) program: &'a Path,
    pub(super) data: &'a Path,
    pub(super) https_port: u16,
}

/// One run: both sample tools go on the web, one is restarted under load, and goes off again.
pub(super) fn measure(place: Place<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        figures.bare.add(milliseconds(bare().await?));
        let hello = place.target("hello")?;
        let (first, whole) = place
            .until("hello", &["static", "start"], &hello, |status| status == 200)
            .await?;
        figures.static_first_answer.add(milliseconds(first));
        figures.static_command.add(milliseconds(whole));
        let clock = place.target("clock")?;
        let (first, _) = place
            .until("clock", &["python", "start"], &clock, |status| status == 200)
            .await?;
        figures.python_first_answer.add(milliseconds(first));
        let (took, requests, failed) = place.restart(&hello).await?;
        figures.restart.add(milliseconds(took));
        figures.restart_requests.add(requests);
        figures.restart_failed.add(failed);
        let gone = |status| status == 404 || status == 503;
        let (page, whole) = place.until("hello", &["stop"], &hello, gone).await?;
        figures.stop_to_page.add(milliseconds(page));
        figures.stop.add(milliseconds(whole));
        Ok(())
    })
}

impl Place<'_> {
    fn target(&self, tool: &str) -> anyhow::Result<Target> {
        let authority = self.data.join("pki/web-ca.crt");
        let authority = std::fs::read_to_string(&authority)
            .with_context(|| format!("{} cannot be read", authority.display()))?;
        let url = format!("https://{tool}.toolforge.localhost:{}/", self.https_port);
        let gateway = SocketAddr::from((Ipv4Addr::LOCALHOST, self.https_port));
        Ok(Target::public(&url, &authority)?.found_at(gateway))
    }

    /// Says something to `webservice`.
    fn say(&self, tool: &str, words: &[&str]) -> anyhow::Result<Child> {
        let mut command = Command::new(self.program);
        command
            .args(["become", tool, "--data"])
            .arg(self.data)
            .args(["--", "webservice"])
            .args(words);
        Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
    }

    /// From the command to the first answer as wanted, as another process sees it, and to the command's end.
    async fn until(
        &self,
        tool: &str,
        words: &[&str],
        target: &Target,
        wanted: impl Fn(u16) -> bool,
    ) -> anyhow::Result<(Duration, Duration)> {
        let began = Instant::now();
        let mut command = self.say(tool, words)?;
        while !target_status(target).await.is_ok_and(&wanted) {
            ensure!(
                began.elapsed() < PATIENCE,
                "{tool} does not answer as it must after a minute"
            );
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        let first = began.elapsed();
        succeeded(end_of(&mut command).await?, words)?;
        Ok((first, began.elapsed()))
    }

    /// How long a restart takes under constant load, how many requests there were, and how many failed.
    async fn restart(&self, target: &Target) -> anyhow::Result<(Duration, f64, f64)> {
        let (over, asked, failed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        let visit = async || {
            let mut connection = None;
            while !over.load(Ordering::Relaxed) {
                if connection.is_none() {
                    connection = target.connect().await.ok();
                }
                let status = match &mut connection {
                    Some(connection) => connection.status(&Call::get("/")).await,
                    None => Err(anyhow::anyhow!("no connection")),
                };
                asked.fetch_add(1, Ordering::Relaxed);
                if !matches!(status, Ok(200)) {
                    failed.fetch_add(1, Ordering::Relaxed);
                    connection = None;
                }
                tokio::time::sleep(VISIT_PAUSE).await;
            }
        };
        let began = Instant::now();
        let restart = async {
            let mut command = self.say("hello", &["restart"])?;
            let status = end_of(&mut command).await;
            let took = began.elapsed();
            // Old Pods are on their way out for some seconds more, and must not take visitors with them.
            tokio::time::sleep(Duration::from_secs(3)).await;
            over.store(true, Ordering::Relaxed);
            succeeded(status?, &["restart"])?;
            anyhow::Ok(took)
        };
        let visitors = futures::future::join_all((0..VISITORS).map(|_| visit()));
        let (took, _) = futures::future::join(restart, visitors).await;
        let number = |count: AtomicUsize| f64::from(u32::try_from(count.into_inner()).unwrap_or(u32::MAX));
        Ok((took?, number(asked), number(failed)))
    }
}

async fn target_status(target: &Target) -> anyhow::Result<u16> {
    target.connect().await?.status(&Call::get("/")).await
}

async fn end_of(command: &mut Child) -> anyhow::Result<ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(status) = command.try_wait()? {
            return Ok(status);
        }
        ensure!(began.elapsed() < PATIENCE, "it does not end");
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

fn succeeded(status: ExitStatus, words: &[&str]) -> anyhow::Result<()> {
    if !status.success() {
        bail!("webservice {} failed ({status})", words.join(" "));
    }
    Ok(())
}

/// From the start of a bare process to its first 200.
async fn bare() -> anyhow::Result<Duration> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let began = Instant::now();
    let mut process = Command::new("python3")
        .args(["-c", BARE, &address.port().to_string()])
        .spawn()
        .context("python3 cannot be run")?;
    let first = loop {
        if bare_answer(address)
            .await
            .is_ok_and(|answer| answer.contains(" 200 "))
        {
            break Ok(began.elapsed());
        }
        if began.elapsed() > PATIENCE {
            break Err(anyhow::anyhow!("a bare process does not answer after a minute"));
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    };
    process.kill()?;
    process.wait()?;
    first
}

async fn bare_answer(address: SocketAddr) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
