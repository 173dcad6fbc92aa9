//! The processes of PHP: they share one socket, so the end of one loses nobody, and are started again when
//! they end.

use std::{
    os::{fd::OwnedFd, unix::net::UnixListener},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal};

use super::gate::Gate;
use crate::runner::{
    children::{self, Children},
    lighttpd::{PHP_CHILDREN, PHP_PROCESSES, PHP_REQUESTS},
    place::Place,
};

/// A process that ends within this time did not work.
const TOO_SHORT: Duration = Duration::from_secs(5);
/// So often in a row, and the rest is left to whoever started the runner.
const TOO_OFTEN: usize = 5;
/// Between an end and the next start.
const PAUSE: Duration = Duration::from_millis(200);

/// PHP, as long as it is held.
#[derive(Debug)]
pub(in crate::runner) struct Pool {
    listener: UnixListener,
    socket: PathBuf,
    php: PathBuf,
    home: PathBuf,
}

impl Pool {
    /// Listens for requests, which wait until [`Pool::keep_up`].
    pub(super) fn new(place: &Place, php: PathBuf) -> Result<Self, String> {
        let socket = place.run_folder().join("php");
        let listener = UnixListener::bind(&socket)
            .map_err(|error| format!("{} cannot be made: {error}", socket.display()))?;
        Ok(Self {
            listener,
            socket,
            php,
            home: place.home.clone(),
        })
    }

    /// The way to it.
    pub(super) fn gate(&self) -> Gate {
        Gate::new(self.socket.clone())
    }

    /// Keeps the processes running; returns why that is no use any more.
    pub(in crate::runner) async fn keep_up(self) -> String {
        match self.run().await {
            Ok(never) => match never {},
            Err(sentence) => sentence,
        }
    }

    async fn run(&self) -> Result<std::convert::Infallible, String> {
        let mut children = Children::new().map_err(|error| error.to_string())?;
        let mut running = Group(Vec::new());
        let mut short_lives = 0;
        loop {
            while running.0.len() < PHP_PROCESSES {
                let process = children::start(&mut self.command()?, true)?;
                running.0.push((process, Instant::now()));
            }
            let ended = children.next_end().await;
            let Some(at) = running
                .0
                .iter()
                .position(|(process, _)| *process == ended.process)
            else {
                continue;
            };
            let (_, since) = running.0.remove(at);
            // Children that it leaves behind would go on answering, and never end.
            children::tell(ended.process, true, Signal::TERM);
            short_lives = if since.elapsed() < TOO_SHORT {
                short_lives + 1
            } else {
                0
            };
            if short_lives >= TOO_OFTEN {
                return Err(format!(
                    "php-cgi ended {short_lives} times soon after its start, the last time with {}",
                    ended.status
                ));
            }
            anstream::eprintln!("php-cgi ended with {}; it is started again", ended.status);
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn command(&self) -> Result<Command, String> {
        let socket = self
            .listener
            .try_clone()
            .map_err(|error| format!("PHP cannot be given its socket: {error}"))?;
        let mut command = Command::new(&self.php);
        command
            .current_dir(&self.home)
            // A socket in place of its input tells PHP to speak FastCGI.
            .stdin(Stdio::from(OwnedFd::from(socket)))
            .stdout(Stdio::null())
            .env("PHP_FCGI_CHILDREN", PHP_CHILDREN.to_string())
            .env("PHP_FCGI_MAX_REQUESTS", PHP_REQUESTS.to_string());
        Ok(command)
    }
}

/// Processes that end when this does.
struct Group(Vec<(Pid, Instant)>);

impl Drop for Group {
    fn drop(&mut self) {
        for (process, _) in &self.0 {
            children::tell(*process, true, Signal::TERM);
        }
    }
}
