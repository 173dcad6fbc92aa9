//! A tool with a home, and the runner that runs it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use toolforge_testkit::{DEADLINE, eventually, free_port};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

/// A tool's home.
pub(crate) struct Tool(tempfile::TempDir);

impl Tool {
    /// A home with these files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let tool = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            tool.write(name, text);
        }
        tool
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file; those of `bin` can be run.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if text.starts_with("#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// The runner with these arguments, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(["webservice-runner", "--type"])
            .args(arguments)
            .env("HOME", self.0.path())
            // Pythons that others put first in PATH have not what Debian's packages bring.
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env_remove("PORT")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a type on a free port, until it listens.
    #[track_caller]
    pub(crate) fn run(&self, kind: &str, extra: &[&str]) -> Running {
        let port = free_port();
        let number = port.to_string();
        let command = self.command(&[&[kind, "--port", &number, "--"], extra].concat());
        let mut running = Running::start(command, port);
        eventually("the tool listens", || {
            let ended = running.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the runner ended with {ended:?}; it said:\n{}",
                running.log()
            );
            TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .map(drop)
                .map_err(|_| running.log())
        });
        running
    }

    /// Runs it to its end, which comes by itself: the exit code and what it said.
    pub(crate) fn end(&self, mut command: Command) -> (i32, String) {
        let output = command.env("HOME", self.0.path()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }
}

/// A runner that runs.
pub(crate) struct Running {
    child: Child,
    port: u16,
    log: Arc<Mutex<String>>,
}

impl Running {
    pub(crate) fn start(mut command: Command, port: u16) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let pipes: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for pipe in pipes {
            let log = Arc::clone(&log);
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    let mut log = log.lock().unwrap();
                    log.push_str(&line);
                    log.push('\n');
                }
            });
        }
        Self { child, port, log }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has said this.
    #[track_caller]
    pub(crate) fn says(&self, what: &str) -> String {
        eventually(what, || {
            let log = self.log();
            if log.contains(what) { Ok(log) } else { Err(log) }
        })
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        connection.set_read_timeout(Some(DEADLINE)).unwrap();
        connection.set_write_timeout(Some(DEADLINE)).unwrap();
        connection
    }

    /// The whole answer to a request, of which the connection ends.
    #[track_caller]
    pub(crate) fn ask(&self, head: &str, body: &[u8]) -> String {
        let mut connection = self.connect();
        let head =
            format!("{head}\r\nHost: alpha.example\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n");
        connection.write_all(head.as_bytes()).unwrap();
        // One that answers before it has read everything may close its side.
        let _ = connection.write_all(body);
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1"), b"")
    }

    /// The processes below it that have this in their command line.
    pub(crate) fn processes(&self, program: &str) -> Vec<Pid> {
        let output = Command::new("ps")
            .args(["-eo", "pid,ppid,args"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut below = vec![self.child.id().to_string()];
        let mut found = Vec::new();
        let mut more = true;
        while more {
            more = false;
            for line in text.lines() {
                let mut words = line.split_whitespace();
                let (Some(process), Some(parent)) = (words.next(), words.next()) else {
                    continue;
                };
                if below.iter().any(|known| known == parent) && !below.iter().any(|known| known == process) {
                    below.push(process.to_owned());
                    more = true;
                    if line.contains(program) {
                        found.push(Pid::from_raw(process.parse().unwrap()).unwrap());
                    }
                }
            }
        }
        found
    }

    pub(crate) fn tell(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        eventually("the runner ends", || {
            self.child
                .try_wait()
                .unwrap()
                .ok_or_else(|| self.log.lock().unwrap().clone())
        })
    }

    /// Stops it as Kubernetes does; the exit code.
    #[track_caller]
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        self.tell(Signal::TERM);
        let status = self.ended();
        (status.code(), self.log())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            // In peace first, so that what it started ends too.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            std::thread::sleep(Duration::from_millis(300));
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
