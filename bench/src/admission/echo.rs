//! The peer of the webhook server: the same listener, TLS and router, which gives back what it gets and thinks nothing.

use std::{net::SocketAddr, path::PathBuf};

use axum::{
    Router,
    body::Bytes,
    http::header::CONTENT_TYPE,
    routing::{get, post},
};
use clap::Args;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use toolforge_serve::Presented;

/// What the echo is told.
#[derive(Debug, Args)]
pub(crate) struct Echo {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    tls_cert: PathBuf,
    #[arg(long)]
    tls_key: PathBuf,
}

/// Echoes until it is told to end.
pub(crate) fn serve(echo: &Echo) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let stopping = stop.clone();
        tokio::spawn(async move {
            terminate.recv().await;
            stopping.cancel();
        });
        let certificate = Presented::files(&echo.tls_cert, &echo.tls_key, stop.clone())?;
        let router = Router::new()
            .route(
                "/echo",
                post(async |body: Bytes| ([(CONTENT_TYPE, "application/json")], body)),
            )
            .route("/readyz", get(async || "ok"));
        let listener = TcpListener::bind(echo.listen).await?;
        toolforge_serve::serve(listener, Some(certificate.server_config()), router, stop).await?;
        Ok(())
    })
}
