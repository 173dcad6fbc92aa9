//! The runner outside of Kubernetes (`--register-proxy`): the parent of one that runs the tool. It takes a port, has the
//! tool's host lead there once somebody listens, and takes that back before the tool ends, so that no visitor meets an
//! ended one. Grid Engine announces what it does with signals (`qsub -notify`): USR2 before it kills, USR1 before it
//! stops.

mod arguments;
mod child;
mod connections;
mod told;

use std::{
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::ExitCode,
    time::{Duration, Instant},
};

use crate::{
    platform::Platform,
    registrar::{Registrar, RegistrarError},
    session::Session,
};
use child::Child;
pub(super) use child::end_with_parent;
use told::{Told, Word};

/// How the line begins that says where visitors are led.
pub(crate) const REGISTERED: &str = "registered:";
/// How soon what did not work is tried again, at first and at most.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_MOST: Duration = Duration::from_secs(30);
/// How often it is looked whether the registration is still there: a gateway may have lost its file.
const RENEWAL: Duration = Duration::from_mins(1);
/// How long a platform may take to say where to register, before the tool is started at all.
const PLATFORM_PATIENCE: Duration = Duration::from_mins(1);
/// How soon it is looked again whether the tool listens, or visitors have gone.
const LOOK: Duration = Duration::from_millis(50);
/// How long visitors who are there keep the tool from being ended. Grid Engine kills a minute after its word, unless
/// the queue says otherwise.
const DRAIN: Duration = Duration::from_secs(5);
/// How often a farewell is tried; the gateway also finds out by itself.
const FAREWELLS: u32 = 3;

/// Runs the tool with these arguments of the runner, its name first, and a registration, until it ends or is to end.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    let arguments = arguments.get(1..).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(serve(arguments)),
        Err(error) => Err(error.to_string()),
    };
    outcome.unwrap_or_else(|sentence| {
        anstream::eprintln!("webservice-runner: {sentence}");
        ExitCode::FAILURE
    })
}

async fn serve(arguments: &[OsString]) -> Result<ExitCode, String> {
    // First: what is announced before must not end this process.
    let mut told = Told::listen().map_err(|error| error.to_string())?;
    let registrar = tokio::select! {
        registrar = registrar() => registrar?,
        () = told.end() => return Ok(ExitCode::SUCCESS),
    };
    let port = match arguments::port(arguments)? {
        0 => free_port().map_err(|error| format!("no port can be had: {error}"))?,
        port => port,
    };
    let child = Child::start(&arguments::of_child(arguments), port)?;
    let mut run = Run {
        registrar,
        told,
        child,
        port,
    };
    let outcome = run.live().await;
    run.child.stop().await;
    outcome
}

/// A tool that runs.
struct Run {
    registrar: Registrar,
    told: Told,
    child: Child,
    port: u16,
}

impl Run {
    async fn live(&mut self) -> Result<ExitCode, String> {
        tokio::select! {
            () = until_it_listens(self.port) => {}
            code = self.child.ended() => return Ok(code),
            () = self.told.end() => return Ok(ExitCode::SUCCESS),
        }
        let destination = tokio::select! {
            destination = announced(&self.registrar, self.port) => destination?,
            code = self.child.ended() => return Ok(code),
            () = self.told.end() => return Ok(ExitCode::SUCCESS),
        };
        anstream::println!("{REGISTERED} visitors are led to http://{destination}");
        let code = self.stay(destination).await;
        farewell(&self.registrar, destination).await;
        if code.is_none() {
            connections::until_gone(self.port, DRAIN).await;
        }
        Ok(code.unwrap_or(ExitCode::SUCCESS))
    }

    /// Keeps the registration until the tool ends, with its code, or is to end.
    async fn stay(&mut self, destination: SocketAddr) -> Option<ExitCode> {
        let mut renewal = tokio::time::interval_at(tokio::time::Instant::now() + RENEWAL, RENEWAL);
        let (mut stopped, mut well) = (false, true);
        loop {
            tokio::select! {
                code = self.child.ended() => return Some(code),
                word = self.told.next() => match word {
                    Word::End => return None,
                    Word::Stop => {
                        stopped = true;
                        farewell(&self.registrar, destination).await;
                        continue;
                    }
                    Word::Continue => stopped = false,
                },
                _ = renewal.tick() => {}
            }
            if !stopped {
                let renewed = self.registrar.renew(destination).await;
                // Said once, and not every minute.
                match &renewed {
                    Err(error) if well => anstream::eprintln!(
                        "webservice-runner: the registration cannot be looked at: {error}"
                    ),
                    Ok(()) if !well => anstream::println!("registered as before"),
                    _ => {}
                }
                well = renewed.is_ok();
            }
        }
    }
}

/// Where to register. The API may be away for a moment.
async fn registrar() -> Result<Registrar, String> {
    let session = Session::open().await.map_err(|error| told_with_causes(&error))?;
    let identity = session.identity().map_err(|error| told_with_causes(&error))?;
    let began = Instant::now();
    let platform = loop {
        match Platform::read(&session.client).await {
            Ok(platform) => break platform,
            Err(_) if began.elapsed() < PLATFORM_PATIENCE => tokio::time::sleep(AGAIN).await,
            Err(error) => return Err(told_with_causes(&error)),
        }
    };
    Registrar::of(&platform, &session.tool, identity.as_ref())?.ok_or_else(|| {
        "this platform takes no webservices outside of Kubernetes; leave --backend gridengine out, or ask its operators \
         to have the gateway take registrations"
            .to_owned()
    })
}

/// Registers, for as long as it takes; a refusal is final.
async fn announced(registrar: &Registrar, port: u16) -> Result<SocketAddr, String> {
    let mut pause = AGAIN;
    loop {
        let registered = async {
            let destination = SocketAddr::new(registrar.own_address().await?, port);
            registrar.register(destination).await.map(|()| destination)
        };
        match registered.await {
            Ok(destination) => return Ok(destination),
            Err(error @ RegistrarError::Refused(_)) => {
                return Err(format!("the webservice cannot be registered; {error}"));
            }
            Err(error @ RegistrarError::Away { .. }) => {
                anstream::eprintln!("webservice-runner: {error}; trying again");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(AGAIN_MOST);
    }
}

async fn farewell(registrar: &Registrar, destination: SocketAddr) {
    for left in (0..FAREWELLS).rev() {
        match registrar.unregister(destination).await {
            Ok(()) => return anstream::println!("unregistered"),
            Err(error) if left == 0 => {
                anstream::eprintln!(
                    "webservice-runner: {error}; the registration stays until the gateway notices that nobody answers"
                );
            }
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

async fn until_it_listens(port: u16) {
    while tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .is_err()
    {
        tokio::time::sleep(LOOK).await;
    }
}

/// One that nobody has now. Somebody else may take it before the tool does, which then ends and says so.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?
        .local_addr()?
        .port())
}

fn told_with_causes(error: &dyn std::error::Error) -> String {
    toolforge_model::Chain(error).to_string()
}
