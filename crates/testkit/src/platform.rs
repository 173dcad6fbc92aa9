//! The program under test, running on scratch data.

use std::{
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{DEADLINE, Outcome, Visitor, eventually, network::Network, ports::free_port};

/// The flags of the ports, gateway's first.
const FLAGS: [&str; 7] = [
    "--https-port",
    "--http-port",
    "--api-port",
    "--ldap-port",
    "--node-port",
    "--admission-port",
    "--fourohfour-port",
];

/// A place for a platform: a data folder, ports, and the program where every user can run it.
#[derive(Debug)]
pub struct Scratch {
    folder: tempfile::TempDir,
    program: PathBuf,
    ports: [u16; FLAGS.len()],
    network: Network,
    /// A user id to run as, instead of the test's own.
    user: Option<u32>,
}

impl Scratch {
    /// A place for this program (`env!("CARGO_BIN_EXE_toolforge")` in a test).
    pub fn new(program: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("toolforge-").tempdir().unwrap();
        // Tools have user ids of their own, and must reach their homes below.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let copy = folder.path().join("toolforge");
        // A link: a copy that is being written cannot be run, and another test's child may hold it open.
        std::fs::hard_link(program, &copy)
            .or_else(|_| std::fs::copy(program, &copy).map(drop))
            .unwrap();
        let ports = FLAGS.map(|_| free_port());
        Self {
            folder,
            program: copy,
            ports,
            network: Network::claim(),
            user: None,
        }
    }

    /// As [`Scratch::new`], for a platform that runs as an ordinary user. Only root can ask for it.
    pub fn for_user(program: &str, user: u32) -> Self {
        let mut scratch = Self::new(program);
        std::os::unix::fs::chown(scratch.folder.path(), Some(user), Some(user)).unwrap();
        scratch.user = Some(user);
        scratch
    }

    /// A folder of the test's own, gone with the platform.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The platform's data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The program with these arguments, on this data.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.user {
            None => Command::new(&self.program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                let id = user.to_string();
                command
                    .args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"])
                    .arg(&self.program);
                command
            }
        };
        command
            .args(arguments)
            .env("TOOLFORGE_DATA", self.data())
            .env("HOME", self.folder.path());
        command.env_remove("KUBECONFIG").stdin(Stdio::null());
        command
    }

    /// `toolforge up` with these further arguments.
    pub fn up(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&["up"]);
        for (flag, port) in FLAGS.iter().zip(&self.ports) {
            command.arg(flag).arg(port.to_string());
        }
        command.arg("--network").arg(self.network.number().to_string());
        command.args(arguments);
        command
    }

    /// Starts the platform and waits until it is ready.
    #[track_caller]
    pub fn start(&self, arguments: &[&str]) -> Platform<'_> {
        let mut process = self
            .up(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("the platform cannot be run: {error}"));
        let (say, heard) = mpsc::channel();
        for pipe in [
            Box::new(process.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>,
            Box::new(process.stderr.take().unwrap()),
        ] {
            let say = say.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    eprintln!("up: {line}");
                    // Nobody listens any more once the platform is ready.
                    let _ = say.send(line);
                }
            });
        }
        drop(say);
        let platform = Platform {
            scratch: self,
            process,
        };
        let mut said = Vec::new();
        loop {
            match heard.recv_timeout(DEADLINE) {
                Ok(line) if line.starts_with("Ready") => return platform,
                Ok(line) => said.push(line),
                Err(error) => panic!(
                    "the platform did not get ready ({error}); it said:\n{}",
                    said.join("\n")
                ),
            }
        }
    }

    /// The port behind a flag such as `--api-port`.
    pub fn port(&self, flag: &str) -> u16 {
        let index = FLAGS.iter().position(|known| *known == flag).unwrap();
        self.ports[index]
    }

    /// Where a tool is served.
    pub fn url(&self, tool: &str) -> String {
        format!(
            "https://{tool}.toolforge.localhost:{}/",
            self.port("--https-port")
        )
    }

    /// The home of a tool.
    pub fn home(&self, tool: &str) -> PathBuf {
        self.data().join("homes/tools").join(tool)
    }

    /// `kubectl` with the operator's kubeconfig.
    pub fn kubectl(&self, arguments: &[&str]) -> Outcome {
        self.kubectl_with(&self.data().join("admin.kubeconfig"), arguments)
    }

    /// `kubectl` with a tool's kubeconfig.
    pub fn kubectl_as(&self, tool: &str, arguments: &[&str]) -> Outcome {
        self.kubectl_with(&self.home(tool).join(".kube/config"), arguments)
    }

    /// `kubectl` with any kubeconfig.
    pub fn kubectl_with(&self, kubeconfig: &Path, arguments: &[&str]) -> Outcome {
        let mut command = Command::new("kubectl");
        command
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(arguments)
            .stdin(Stdio::null());
        // kubectl keeps what it discovers; a scratch platform must not meet what another left.
        command.env("KUBECACHEDIR", self.folder.path().join("kubectl-cache"));
        Outcome::of(&mut command)
    }

    /// A command as a tool, by `toolforge become`.
    pub fn as_tool(&self, tool: &str, command: &[&str]) -> Outcome {
        Outcome::of(self.command(&["become", tool, "--"]).args(command))
    }

    /// A visitor who knows the way to these hosts, given without the domain.
    pub fn visitor(&self, tools: &[&str]) -> Visitor {
        let authority = Outcome::of(&mut self.command(&["trust"])).ok();
        let gateway = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let names: Vec<String> = tools
            .iter()
            .map(|tool| format!("{tool}.toolforge.localhost"))
            .collect();
        let names: Vec<(&str, SocketAddr)> = names.iter().map(|name| (name.as_str(), gateway)).collect();
        Visitor::new(&authority, &names)
    }
}

/// A running platform. Stopped when dropped.
#[derive(Debug)]
pub struct Platform<'a> {
    scratch: &'a Scratch,
    process: Child,
}

impl Platform<'_> {
    /// Stops the platform as Ctrl-C does, and waits until it has ended; its exit code.
    pub fn stop(mut self) -> i32 {
        self.signal(Signal::INT);
        let code = eventually("the end of the platform", || {
            self.process
                .try_wait()
                .unwrap()
                .ok_or_else(|| "it runs".to_owned())
        });
        code.code().unwrap_or(-1)
    }

    /// Ends the platform without any warning.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Where it runs.
    pub fn scratch(&self) -> &Scratch {
        self.scratch
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw)
            .unwrap();
        // It may have ended already.
        let _ = kill_process(pid, signal);
    }
}

impl Drop for Platform<'_> {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.signal(Signal::TERM);
            // A test that fails must not leave a platform behind, nor wait for ever.
            for _ in 0..200 {
                if !matches!(self.process.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
