//! The API alone, to look at with kubectl: `cargo run -p toolforge-apiserver --example serve -- FOLDER`.
//!
//! Makes an authority and an administrator's kubeconfig in the folder, and serves until Ctrl-C.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolforge_apiserver::{ApiServer, Config};
use toolforge_pki::Authority;

type Problem = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Problem> {
    toolforge_pki::install_provider();
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: serve FOLDER")?);
    std::fs::create_dir_all(&folder)?;
    let authority = Authority::load_or_create(&folder, "ca", "example authority")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let advertise = format!("https://{}", listener.local_addr()?);
    let admin = authority.issue_client("admin", &["system:masters"])?;
    let kubeconfig = toolforge_serve::kubeconfig(
        &advertise,
        authority.certificate_pem(),
        &admin,
        "example",
        "default",
    );
    let path = folder.join("kubeconfig");
    std::fs::write(&path, kubeconfig)?;
    let server = ApiServer::open(Config {
        store_dir: folder.join("store"),
        keys_dir: folder.join("keys"),
        advertise,
        server: authority.issue_server(&["127.0.0.1", "localhost"])?,
        client_ca_pem: authority.certificate_pem().to_owned(),
        node_client: authority.issue_client("kube-apiserver-kubelet-client", &[])?,
        service_network: u32::from(Ipv4Addr::new(127, 96, 0, 0)),
    })
    .await?;
    println!("export KUBECONFIG={}", path.display());
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        tokio::signal::ctrl_c().await.ok();
        stop.cancel();
    });
    server.run(listener, shutdown).await?;
    Ok(())
}
