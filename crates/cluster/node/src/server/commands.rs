//! `/exec` and `/attach`: brings a client's streams together with those of a command or a container.

use std::time::Duration;

use axum::{
    extract::{Path, RawQuery, Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use futures::StreamExt as _;
use jiff::SignedDuration;
use tokio::{io::AsyncWriteExt as _, task::JoinSet};
use toolforge_streams::{
    CommandConnection, CommandStreams, Incoming, OpenError, Outgoing, Resizes, Verdict, Wanted,
    accept_command,
};

use super::{
    Server,
    answer::{refused, switched},
    query::Pairs,
    silence::Silence,
};
use crate::{
    runtime::{ContainerId, Runtime, StartError},
    session::{Input, Output, Resizer, Session},
};

type Place = Path<(String, String, String)>;

pub(super) async fn exec<R: Runtime>(
    State(server): State<Server<R>>,
    Path((namespace, pod, container)): Place,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let pairs = Pairs::parse(query.as_deref().unwrap_or_default());
    let what = What::Command(pairs.all("command"));
    begin(server, (&namespace, &pod, &container), &pairs, what, request).await
}

pub(super) async fn attach<R: Runtime>(
    State(server): State<Server<R>>,
    Path((namespace, pod, container)): Place,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let pairs = Pairs::parse(query.as_deref().unwrap_or_default());
    begin(
        server,
        (&namespace, &pod, &container),
        &pairs,
        What::Container,
        request,
    )
    .await
}

/// What a client is brought together with.
#[derive(Debug)]
enum What {
    Command(Vec<String>),
    Container,
}

async fn begin<R: Runtime>(
    server: Server<R>,
    (namespace, pod, container): (&str, &str, &str),
    pairs: &Pairs,
    what: What,
    mut request: Request,
) -> Response {
    let wanted = match pairs.wanted() {
        Ok(wanted) => wanted,
        Err(why) => return (StatusCode::BAD_REQUEST, why).into_response(),
    };
    let id = match server.container(namespace, pod, container).await {
        Ok(id) => id,
        Err(answer) => return *answer,
    };
    match accept_command(&mut request, wanted) {
        Ok((response, connection)) => {
            tokio::spawn(serve(server, id, what, wanted, connection));
            switched(response)
        }
        Err(refusal) => refused(&refusal),
    }
}

/// The whole of it, from the handover to the verdict.
async fn serve<R: Runtime>(
    server: Server<R>,
    id: ContainerId,
    what: What,
    wanted: Wanted,
    connection: CommandConnection,
) {
    let streams = match connection.open().await {
        Ok(streams) => streams,
        Err(OpenError::Gone) => return,
        Err(problem) => return tracing::debug!(%problem, "the streams of a command do not open"),
    };
    let session = match &what {
        What::Command(words) => server.runtime.run(&id, words, wanted).await,
        What::Container => server.runtime.attach(&id, wanted).await,
    };
    match session {
        Ok(session) => {
            tokio::select! {
                () = bring_together(streams, session, what, server.session_silence) => {}
                // What is dropped here is closed: input ends, the terminal hangs up.
                () = server.shutdown.cancelled() => {}
            }
        }
        Err(StartError(why)) => {
            let doing = match what {
                What::Command(_) => "executing command in",
                What::Container => "attaching to",
            };
            let verdict = Verdict::Failed(format!("error {doing} container: {why}"));
            streams.finish(&verdict).await;
        }
    }
}

/// Until the command has ended, the client is gone, or nobody has said anything for so long.
async fn bring_together(
    mut streams: CommandStreams,
    session: Session,
    what: What,
    longest_silence: Duration,
) {
    let silence = Silence::begin();
    let Session {
        stdin,
        stdout,
        stderr,
        resize,
        ended,
    } = session;
    let mut inputs = JoinSet::new();
    if let (Some(from), Some(to)) = (streams.stdin.take(), stdin) {
        inputs.spawn(pass_input(from, to, silence.clone()));
    }
    if let (Some(sizes), Some(resize)) = (streams.resizes.take(), resize) {
        inputs.spawn(pass_sizes(sizes, resize, silence.clone()));
    }
    let mut outputs = JoinSet::new();
    for (from, to) in [(stdout, streams.stdout.take()), (stderr, streams.stderr.take())] {
        match from {
            Some(from) => drop(outputs.spawn(pass_output(from, to, silence.clone()))),
            None => drop(to),
        }
    }
    let attached_to_output = matches!(what, What::Container) && !outputs.is_empty();
    let gone = streams.gone();
    // All that is written arrives before the verdict. An attachment ends when it has nothing to tell any more.
    let whole = async {
        if !attached_to_output {
            let code = ended.await;
            while outputs.join_next().await.is_some() {}
            return code;
        }
        while outputs.join_next().await.is_some() {}
        0
    };
    let code = tokio::select! {
        code = whole => code,
        () = gone.cancelled() => return,
        () = silence.long(longest_silence) => {
            inputs.shutdown().await;
            outputs.shutdown().await;
            return streams.finish(&silent_for(longest_silence)).await;
        }
    };
    let verdict = match what {
        What::Command(command) if code != 0 => Verdict::ExitCode { code, command },
        _ => Verdict::Success,
    };
    streams.finish(&verdict).await;
}

fn silent_for(longest: Duration) -> Verdict {
    let longest = SignedDuration::try_from(longest).unwrap_or(SignedDuration::MAX);
    Verdict::Failed(format!("the session was silent for {longest:#}, and is ended"))
}

async fn pass_input(mut from: Incoming, mut to: Input, silence: Silence) {
    while let Some(bytes) = from.next().await {
        silence.broken();
        // It may have closed its input, or ended; what still comes is dropped.
        if to.write_all(&bytes).await.is_err() {
            break;
        }
    }
    drop(to);
    while from.next().await.is_some() {
        silence.broken();
    }
}

async fn pass_sizes(mut sizes: Resizes, resize: Resizer, silence: Silence) {
    while let Some(size) = sizes.next().await {
        silence.broken();
        resize(size);
    }
}

/// Passes on what a program writes; without anybody who wants it, it is read and dropped.
async fn pass_output(mut from: Output, to: Option<Outgoing>, silence: Silence) {
    while let Some(bytes) = from.next().await {
        silence.broken();
        if let Some(to) = &to
            && to.send(bytes).await.is_err()
        {
            return;
        }
    }
    if let Some(to) = to {
        to.finish().await;
    }
}
