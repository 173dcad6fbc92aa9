//! Runs a process and sees each of its system calls that change files before it is done: `ptrace`, as debuggers do.
//!
//! A thread can be held where it is about to make such a call, while the others go on. So a process can be killed, or paused,
//! when each of several threads is at another point of its work. Or the call is not made, and fails as a file server makes calls fail.
//! Debian's strace cannot be asked for that: it counts the calls of each
//! thread and of each kind for themselves, and cannot tell writes to files from those that wake other threads.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    io::Write as _,
    ops::Range,
    os::unix::{ffi::OsStrExt as _, fs::FileExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
};

use nix::{
    errno::Errno,
    libc,
    sys::{
        ptrace::{self, Options},
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use tokio::sync::oneshot;

/// Where a call says which file it changes.
#[derive(Clone, Copy)]
enum Place {
    /// A descriptor, the first argument.
    Descriptor,
    /// A folder's descriptor in this argument, and a name in the next.
    In(usize),
}

/// The calls that change files, those that bring changes to the disk, and those that look at files.
const CALLS: [(libc::c_long, &str, Place); 18] = [
    (libc::SYS_openat, "openat", Place::In(0)),
    (libc::SYS_readlinkat, "readlinkat", Place::In(0)),
    (libc::SYS_mkdirat, "mkdirat", Place::In(0)),
    (libc::SYS_symlinkat, "symlinkat", Place::In(1)),
    (libc::SYS_linkat, "linkat", Place::In(2)),
    (libc::SYS_renameat, "renameat", Place::In(2)),
    (libc::SYS_renameat2, "renameat2", Place::In(2)),
    (libc::SYS_unlinkat, "unlinkat", Place::In(0)),
    (libc::SYS_fchownat, "fchownat", Place::In(0)),
    (libc::SYS_fchmodat, "fchmodat", Place::In(0)),
    (libc::SYS_fchown, "fchown", Place::Descriptor),
    (libc::SYS_fchmod, "fchmod", Place::Descriptor),
    (libc::SYS_ftruncate, "ftruncate", Place::Descriptor),
    (libc::SYS_write, "write", Place::Descriptor),
    (libc::SYS_writev, "writev", Place::Descriptor),
    (libc::SYS_pwrite64, "pwrite64", Place::Descriptor),
    (libc::SYS_fsync, "fsync", Place::Descriptor),
    (libc::SYS_fdatasync, "fdatasync", Place::Descriptor),
];

/// As the kernel's header has it.
const SYSCALL_ENTRY: u8 = 1;

/// How the service begins temporary names.
const TEMPORARY: &str = ".toolforge-new-";

/// The folders whose files count, and the tools whose they are.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// In it each tool has a folder.
    pub(crate) homes: PathBuf,
    /// In it each tool has a file `tool-NAME-TIME.yaml`.
    pub(crate) archive: PathBuf,
    /// Whether it counts as well when they are only opened, or asked where they point to.
    pub(crate) looks: bool,
}

impl Watched {
    fn is_of_all(&self, path: &Path) -> bool {
        path == self.homes || path == self.archive
    }
}

/// One call, before it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) tool: String,
    /// What is done, and to what; the tool's name and what is random are left out.
    pub(crate) what: String,
    /// Whether the process had stood still before.
    pub(crate) is_late: bool,
}

/// At which of its calls, counted from zero, the thread of a tool is held.
pub(crate) type Holds = BTreeMap<String, usize>;

/// What is done to the calls of tools.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disturbances {
    pub(crate) holds: Holds,
    /// Which calls of a tool are not made, and fail with what.
    pub(crate) refusals: BTreeMap<String, (Range<usize>, Errno)>,
}

/// A process under watch; dropped, it is killed.
pub(crate) struct Traced {
    process: Pid,
    stands_still: Option<oneshot::Receiver<()>>,
    go_on: mpsc::Sender<()>,
    steps: Arc<Mutex<Vec<Step>>>,
    thread: Option<JoinHandle<()>>,
}

impl Traced {
    /// Starts a program.
    pub(crate) async fn start(command: Command, watched: Watched, disturbances: Disturbances) -> Self {
        let (started, process) = oneshot::channel();
        let (tell, stands_still) = oneshot::channel();
        let (go_on, told) = mpsc::channel();
        let steps = Arc::<Mutex<Vec<Step>>>::default();
        let seen = steps.clone();
        // Who traces is one thread, and it starts the process.
        let thread = std::thread::spawn(move || {
            let leader = seize(&command);
            started.send(leader).unwrap();
            let mut tracer = Tracer {
                leader,
                watched,
                disturbances,
                held: Vec::new(),
                working_for: HashMap::new(),
                steps: seen,
                stands_still: Some(tell),
                go_on: told,
            };
            tracer.follow();
        });
        Self {
            process: process.await.unwrap(),
            stands_still: Some(stands_still),
            go_on,
            steps,
            thread: Some(thread),
        }
    }

    /// Waits until all holds are reached. From then on no thread gets further than to its next system call.
    pub(crate) async fn stands_still(&mut self) {
        let stands_still = self.stands_still.take().unwrap();
        assert!(
            stands_still.await.is_ok(),
            "the process ended before all was held"
        );
    }

    /// Lets a process that stands still go on as if nothing had been.
    pub(crate) fn go_on(&self) {
        self.go_on.send(()).unwrap();
    }

    /// Kills it; all steps that it was about to do, in their order.
    pub(crate) async fn kill(mut self) -> Vec<Step> {
        let thread = self.thread.take().unwrap();
        self.end();
        tokio::task::spawn_blocking(|| thread.join().unwrap())
            .await
            .unwrap();
        self.steps()
    }

    /// All steps that it was about to do until now, in their order.
    pub(crate) fn steps(&self) -> Vec<Step> {
        self.steps.lock().unwrap().clone()
    }

    fn end(&self) {
        let _ = kill(self.process, Signal::SIGKILL);
        // One that stands still is waited for from now on.
        let _ = self.go_on.send(());
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end();
        }
    }
}

/// Starts a program that does nothing before it is traced.
#[expect(clippy::zombie_processes, reason = "who traces it waits for it")]
fn seize(command: &Command) -> Pid {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", "read go && exec \"$@\"", "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::piped());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let mut child = shell.spawn().unwrap();
    let process = Pid::from_raw(child.id().try_into().unwrap());
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
    ptrace::seize(process, options).unwrap();
    ptrace::interrupt(process).unwrap();
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    process
}

struct Tracer {
    leader: Pid,
    watched: Watched,
    disturbances: Disturbances,
    held: Vec<Pid>,
    /// Whose file a thread changed last: what it does to the folder of all homes is for the same one.
    working_for: HashMap<Pid, String>,
    steps: Arc<Mutex<Vec<Step>>>,
    stands_still: Option<oneshot::Sender<()>>,
    go_on: mpsc::Receiver<()>,
}

impl Tracer {
    /// Until the process has ended.
    fn follow(&mut self) {
        // Only what this thread started: other threads of the test wait for children of theirs.
        let ours = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        while let Ok(status) = waitpid(None, Some(ours)) {
            match status {
                WaitStatus::PtraceSyscall(thread) => self.at_call(thread),
                WaitStatus::PtraceEvent(thread, ..) => resume(thread, None),
                WaitStatus::Stopped(thread, signal) => resume(thread, Some(signal)),
                WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, ..) if thread == self.leader => {
                    return;
                }
                _ => {}
            }
        }
    }

    fn at_call(&mut self, thread: Pid) {
        let is_entry = ptrace::syscall_info(thread).is_ok_and(|info| info.op == SYSCALL_ENTRY);
        if let Some(step) = is_entry.then(|| self.step(thread)).flatten() {
            let mut steps = self.steps.lock().unwrap();
            let number = steps.iter().filter(|before| before.tool == step.tool).count();
            let Disturbances { holds, refusals } = &self.disturbances;
            let is_held = holds.get(&step.tool) == Some(&number);
            if let Some((calls, errno)) = refusals.get(&step.tool)
                && calls.contains(&number)
            {
                refuse(thread, *errno);
            }
            steps.push(step);
            drop(steps);
            if is_held {
                self.hold(thread);
                return;
            }
        }
        resume(thread, None);
    }

    fn hold(&mut self, thread: Pid) {
        self.held.push(thread);
        if self.held.len() < self.disturbances.holds.len() {
            return;
        }
        // Nobody may want to know.
        let _ = self.stands_still.take().map(|tell| tell.send(()));
        // Whoever could say it may be gone; then the process is being killed.
        let _ = self.go_on.recv();
        for thread in std::mem::take(&mut self.held) {
            resume(thread, None);
        }
    }

    /// What a thread is about to change, where that counts.
    fn step(&mut self, thread: Pid) -> Option<Step> {
        let text = std::fs::read_to_string(format!("/proc/{thread}/syscall")).ok()?;
        let mut words = text.split_ascii_whitespace();
        let number: libc::c_long = words.next()?.parse().ok()?;
        let (_, name, place) = CALLS.iter().find(|(call, ..)| *call == number)?;
        let arguments: Vec<u64> = words
            .map_while(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok())
            .collect();
        let creates = u64::try_from(libc::O_CREAT).unwrap();
        let looks = number == libc::SYS_readlinkat
            || (number == libc::SYS_openat && arguments.get(2)? & creates == 0);
        if looks && !self.watched.looks {
            return None;
        }
        let path = match *place {
            Place::Descriptor => descriptor(thread, *arguments.first()?)?,
            Place::In(folder) => {
                let name = text_at(thread, *arguments.get(folder + 1)?)?;
                // What is absolute stays as it is.
                descriptor(thread, *arguments.get(folder)?)
                    .unwrap_or_default()
                    .join(name)
            }
        };
        // The folder of all homes is opened for a tool of which nothing else says so yet.
        if looks && self.watched.is_of_all(&path) {
            return None;
        }
        let (tool, rest) = self.belongs_to(thread, &path)?;
        self.working_for.insert(thread, tool.clone());
        let what = format!("{name} {}", without_random(&rest.replace(&tool, "TOOL")));
        let is_late = self.stands_still.is_none();
        Some(Step { tool, what, is_late })
    }

    /// Whose a file is, and where it lies.
    fn belongs_to(&self, thread: Pid, path: &Path) -> Option<(String, String)> {
        if self.watched.is_of_all(path) {
            let tool = self.working_for.get(&thread)?.clone();
            return Some((tool, path.file_name()?.to_string_lossy().into_owned()));
        }
        let first = |folder: &Path| {
            let within = path.strip_prefix(folder).ok()?.to_str()?;
            let first = within.split('/').next()?;
            Some((
                first.strip_prefix(TEMPORARY).unwrap_or(first).to_owned(),
                within.to_owned(),
            ))
        };
        first(&self.watched.homes).or_else(|| {
            let (file, within) = first(&self.watched.archive)?;
            let (tool, time) = file.strip_prefix("tool-")?.rsplit_once('-')?;
            Some((tool.to_owned(), within.replace(time, "TIME.yaml")))
        })
    }
}

/// Makes the call fail that a thread is about to make: the kernel does nothing for the number that there is not, and leaves
/// the answer as it finds it.
#[cfg(target_arch = "x86_64")]
fn refuse(thread: Pid, errno: Errno) {
    let mut registers = ptrace::getregs(thread).unwrap();
    registers.orig_rax = u64::MAX;
    registers.rax = (-i64::from(errno as i32)).cast_unsigned();
    ptrace::setregs(thread, registers).unwrap();
}

/// Other processors have their answers elsewhere: the tests that want this are not built there.
#[cfg(not(target_arch = "x86_64"))]
fn refuse(_: Pid, _: Errno) {
    unreachable!("calls are refused on x86_64 only")
}

/// Lets a thread go on to its next system call, and take a signal. It may be gone.
fn resume(thread: Pid, signal: Option<Signal>) {
    let _ = ptrace::syscall(thread, signal);
}

fn descriptor(thread: Pid, number: u64) -> Option<PathBuf> {
    // A descriptor is an int; its upper half may be anything.
    let number = u32::try_from(number & 0xffff_ffff).ok()?;
    std::fs::read_link(format!("/proc/{thread}/fd/{number}")).ok()
}

/// The text at an address of a thread that is stopped.
fn text_at(thread: Pid, address: u64) -> Option<PathBuf> {
    let memory = std::fs::File::open(format!("/proc/{thread}/mem")).ok()?;
    let mut bytes = [0; 512];
    let length = memory.read_at(&mut bytes, address).ok()?;
    let text = bytes.get(..length)?.split(|byte| *byte == 0).next()?;
    Some(PathBuf::from(OsStr::from_bytes(text)))
}

/// Runs of sixteen hexadecimal digits are random names.
pub(crate) fn without_random(text: &str) -> String {
    let mut parts = text.split('-').map(|part| {
        let (digits, rest) = part.split_at_checked(16).unwrap_or(("", part));
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            format!("RANDOM{rest}")
        } else {
            part.to_owned()
        }
    });
    let first = parts.next().unwrap_or_default();
    parts.fold(first, |text, part| text + "-" + &part)
}
