//! A Grid Engine of a test's own: master and one machine for jobs, in a folder and at ports of their own, with users and
//! host names that nobody else sees. Debian's programs are unpacked by `cargo xtask test` and not installed.

mod cell;

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Outcome, eventually, free_port};

/// Where the programs look for one of their own libraries, whatever they are told; the folder must be there, and may be
/// empty.
const BUILT_FOR: &str = "/usr/lib/gridengine";
/// What is run of the client's programs.
const CLIENTS: [&str; 4] = ["qsub", "qstat", "qdel", "qconf"];

/// Whom jobs may belong to.
#[derive(Debug, Clone)]
pub struct GridUser {
    /// Name, also of the group.
    pub name: String,
    /// Number, also of the group.
    pub id: u32,
    /// Home.
    pub home: PathBuf,
}

/// A running Grid Engine. Its jobs and itself are ended when it is dropped.
#[derive(Debug)]
pub struct GridEngine {
    folder: tempfile::TempDir,
    programs: PathBuf,
    environment: Vec<(&'static str, String)>,
    daemons: Vec<Child>,
}

impl GridEngine {
    /// Starts one with these queues, in which these users may have jobs. Only root can.
    ///
    /// # Panics
    /// When it does not get ready.
    pub fn start(queues: &[&str], users: &[GridUser]) -> Self {
        let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/gridengine/usr");
        let unpacked = unpacked.canonicalize().unwrap_or_else(|error| {
            panic!(
                "Grid Engine is not in {} ({error}); `cargo xtask test` brings it",
                unpacked.display()
            )
        });
        std::fs::create_dir_all(BUILT_FOR).unwrap();
        // A short name: the path of a library must fit into 63 bytes.
        let folder = tempfile::Builder::new().prefix("tf-grid-").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut grid = Self {
            environment: cell::environment(folder.path(), &unpacked, [free_port(), free_port()]),
            programs: unpacked.join("lib/gridengine"),
            folder,
            daemons: Vec::new(),
        };
        cell::write(grid.folder.path(), &unpacked, users);
        for (program, arguments) in cell::spooling(grid.folder.path(), &unpacked) {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            grid.run(program, &arguments).ok();
        }
        grid.write_clients();
        grid.daemon("sge_qmaster");
        eventually("Grid Engine's master", || said(&grid.run("qconf", &["-sh"])));
        grid.run("qconf", &["-as", "localhost"]).ok();
        grid.daemon("sge_execd");
        eventually("Grid Engine's machine for jobs", || {
            said(&grid.run("qconf", &["-se", "localhost"]))
        });
        grid.configure(queues);
        eventually("Grid Engine's queues", || {
            let queues = grid.run("qstat", &["-f"]);
            // One whose machine has said nothing yet is in state u, for unknown.
            let is_known = |line: &str| !line.contains('@') || line.contains("lx-");
            if queues.code == 0 && queues.stdout.contains('@') && queues.stdout.lines().all(is_known) {
                Ok(())
            } else {
                Err(format!("{queues:?}"))
            }
        });
        grid
    }

    /// A folder with `qsub`, `qstat`, `qdel` and `qconf` that speak with this one, for a PATH.
    pub fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// One of its programs, run by its operator.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(self.programs.join(program));
        command
            .args(arguments)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .current_dir(self.folder.path());
        Outcome::of(&mut command)
    }

    fn daemon(&mut self, program: &str) {
        let log = std::fs::File::create(self.folder.path().join(program)).unwrap();
        let daemon = Command::new(self.programs.join(program))
            .envs(self.environment.iter().cloned())
            // In the foreground.
            .env("SGE_ND", "true")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .current_dir(self.folder.path())
            .spawn()
            .unwrap();
        self.daemons.push(daemon);
    }

    /// Queues, what jobs may ask for, and a scheduler that does not let tests wait.
    fn configure(&self, queues: &[&str]) {
        let file = self.folder.path().join("configured");
        let path = file.to_string_lossy();
        for queue in queues {
            let template = self.run("qconf", &["-sq"]).ok();
            std::fs::write(&file, cell::queue(&template, queue)).unwrap();
            self.run("qconf", &["-Aq", &path]).ok();
        }
        let resources = self.run("qconf", &["-sc"]).ok();
        std::fs::write(
            &file,
            format!("{resources}release release RESTRING == YES NO NONE 0\n"),
        )
        .unwrap();
        self.run("qconf", &["-Mc", &path]).ok();
        let scheduler = self.run("qconf", &["-ssconf"]).ok();
        std::fs::write(&file, cell::scheduler(&scheduler)).unwrap();
        self.run("qconf", &["-Msconf", &path]).ok();
    }

    /// Scripts, for what runs them clears its environment.
    fn write_clients(&self) {
        std::fs::create_dir(self.bin()).unwrap();
        for client in CLIENTS {
            let variables = self.environment.iter();
            let variables: Vec<String> = variables
                .map(|(name, value)| format!("{name}='{value}'"))
                .collect();
            let program = self.programs.join(client);
            let script = format!(
                "#!/bin/sh\n{} exec '{}' \"$@\"\n",
                variables.join(" "),
                program.display()
            );
            let file = self.bin().join(client);
            std::fs::write(&file, script).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

impl Drop for GridEngine {
    fn drop(&mut self) {
        let _ = self.run("qdel", &["-u", "*"]);
        // A test that fails must not leave jobs behind, nor wait for ever.
        for _ in 0..200 {
            let left = self.run("qstat", &["-u", "*"]);
            if left.code != 0 || left.stdout.trim().is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        for daemon in self.daemons.iter_mut().rev() {
            let pid = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw);
            if let Some(pid) = pid {
                let _ = kill_process(pid, Signal::TERM);
            }
            for _ in 0..100 {
                if !matches!(daemon.try_wait(), Ok(None)) {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn said(outcome: &Outcome) -> Result<(), String> {
    if outcome.code == 0 {
        Ok(())
    } else {
        Err(format!("{outcome:?}"))
    }
}

#[cfg(test)]
mod tests;
