//! `webservice why`: the chain from URL to process, and its first broken link.

use std::{net::SocketAddr, time::Duration};

use anstyle::{AnsiColor, Style};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Service},
    discovery::v1::EndpointSlice,
    networking::v1::Ingress,
};
use kube::Api;
use toolforge_model::names::{POLICY_CONFIG_MAP, POLICY_KEY, PUBLIC_NAMESPACE};
use toolforge_policy::{Policies, PolicySettings};

use super::intent::Intent;
use crate::{
    chain::{Chain, Mark, Observed, OnGrid, Reach, walk, walk_grid},
    cli::StatusArgs,
    diagnosis::diagnose,
    error::WebserviceError,
    grid::Grid,
    look::{all, look},
    platform::Platform,
    scene::Moment,
    session::Session,
    settings::Backend,
    url_check::UrlCheck,
};

/// Longer than this no gateway takes for a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn run(session: &Session, given: &StatusArgs) -> Result<u8, WebserviceError> {
    let platform = Platform::read(&session.client).await?;
    let there = Intent::of_what_is_there(session, &given.settings);
    let chain = if there.backend()? == Backend::Gridengine {
        on_grid(session, &platform).await?
    } else {
        on_kubernetes(session, &platform).await?
    };
    match given.output.output {
        Some(format) => format.print(&chain)?,
        None => print(&chain),
    }
    Ok(chain.exit_code)
}

async fn on_grid(session: &Session, platform: &Platform) -> Result<Chain, WebserviceError> {
    let grid = Grid::of(session);
    let (found, reach) = futures::try_join!(grid.look(), reach(platform, session))?;
    Ok(walk_grid(&OnGrid {
        tool: &session.tool,
        url: platform.url_of(&session.tool),
        host: platform.domain.host_of(&session.tool),
        reach,
        job: found.as_ref().map(|found| &found.job),
        problem: found.as_ref().and_then(|found| found.problem.as_deref()),
    }))
}

async fn on_kubernetes(session: &Session, platform: &Platform) -> Result<Chain, WebserviceError> {
    let (scene, ingresses, services, slices) = futures::try_join!(
        look(session),
        all::<Ingress>(session),
        all::<Service>(session),
        slices(session)
    )?;
    let (policies, reach) = futures::join!(policies(session), reach(platform, session));
    let observed = Observed {
        tool: &session.tool,
        url: platform.url_of(&session.tool),
        host: platform.domain.host_of(&session.tool),
        reach: reach?,
        ingress_class: &platform.ingress_class,
        policy: policies.as_ref().map(|policies| &policies.ingress),
        ingresses,
        services,
        slices,
        standing: diagnose(&scene, Moment::now(), Duration::ZERO),
        scene,
    };
    Ok(walk(&observed))
}

fn print(chain: &Chain) {
    anstream::println!("{}", chain.url);
    for link in &chain.links {
        let (mark, color) = match link.mark {
            Mark::Ok => ("ok", AnsiColor::Green),
            Mark::Broken => ("broken", AnsiColor::Red),
            Mark::Follows => ("follows", AnsiColor::Yellow),
            Mark::Open => ("-", AnsiColor::BrightBlack),
        };
        let style = Style::new().fg_color(Some(color.into()));
        anstream::println!("  {style}{mark:<8}{style:#} {:<11} {}", link.name, link.said);
    }
    match (&chain.reason, &chain.next) {
        (Some(reason), Some(next)) => anstream::println!("\n{reason}\n{next}"),
        _ => anstream::println!("\nEvery link holds."),
    }
}

/// Tools of some clusters may not read these; then nothing is known of them.
async fn slices(session: &Session) -> Result<Vec<EndpointSlice>, WebserviceError> {
    all::<EndpointSlice>(session).await
}

/// What the guards go by, where the platform publishes it.
async fn policies(session: &Session) -> Option<Policies> {
    let maps: Api<ConfigMap> = Api::namespaced(session.client.clone(), PUBLIC_NAMESPACE);
    let map = maps.get_opt(POLICY_CONFIG_MAP).await.ok()??;
    let text = map.data?.remove(POLICY_KEY)?;
    PolicySettings::read(&text).ok()?.resolve().ok()
}

/// How far a visitor gets.
async fn reach(platform: &Platform, session: &Session) -> Result<Reach, WebserviceError> {
    let check = UrlCheck::new(platform, &session.tool)?;
    let host = platform.domain.host_of(&session.tool);
    let address = match platform.gateway {
        Some(address) => address,
        None => match look_up(&host, check.port()).await {
            Ok(address) => address,
            Err(error) => return Ok(Reach::NoName(error)),
        },
    };
    let connected = tokio::time::timeout(CONNECT_PATIENCE, tokio::net::TcpStream::connect(address)).await;
    let error = match connected {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no connection within {} s", CONNECT_PATIENCE.as_secs())),
    };
    if let Some(error) = error {
        let address = address.to_string();
        return Ok(Reach::NoConnection { address, error });
    }
    Ok(match check.ask().await {
        Ok(answer) => Reach::Answer {
            status: answer.status.as_u16(),
            from_the_tool: !answer.is_in_place_of_the_tool,
        },
        Err(error) if error.is_connect => Reach::NoTls(error.text),
        Err(error) => Reach::NoAnswer(error.text),
    })
}

async fn look_up(host: &str, port: u16) -> Result<SocketAddr, String> {
    let mut found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| error.to_string())?;
    found.next().ok_or_else(|| "it has no address".to_owned())
}
