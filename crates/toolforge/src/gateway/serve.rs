//! `toolforge gateway`: the gateway as a process of its own, which another one may replace.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use toolforge_gateway::{Drain, Succession};

use super::succession::{Sockets, replace_on_signal};
use crate::{
    cli::GatewayArgs,
    component::{identity, run},
    followed::FollowedFile,
    policy::{self, PolicyArgs},
};

pub(crate) fn serve(arguments: GatewayArgs) -> anyhow::Result<ExitCode> {
    let PolicyArgs { policy, domains } = &arguments.policy;
    let policy_file = (policy.clone()).map(|path| FollowedFile::policy(path, domains.clone()));
    // What is wrong with it is said before anything begins.
    let policy = policy::filled(policy.as_deref(), domains, &[])?.resolve_ingress()?;
    let certificate = arguments.certificate.as_ref();
    let certificate = certificate.context("--tls-cert and --tls-key have to name the certificate")?;
    let identity = identity(certificate)?;
    let identity_files = toolforge_gateway::CertificateFiles {
        certificate: certificate.tls_cert.clone(),
        key: certificate.tls_key.clone(),
    };
    let settings = arguments
        .settings
        .map(|path| FollowedFile::gateway("--settings", path));
    settings.as_ref().map(FollowedFile::read).transpose()?;
    let handover = arguments
        .handover
        .unwrap_or_else(|| arguments.table.with_extension("handover"));
    let addresses = [Some(arguments.https), arguments.http, arguments.status];
    let addresses = addresses.into_iter().flatten();
    let addresses: Vec<_> = addresses.chain(arguments.registrations.addresses()).collect();
    run(&arguments.cluster, move |client, stop| async move {
        let policy = match policy_file {
            Some(file) => file.follow()?.into(),
            None => policy.into(),
        };
        let mut sockets = Sockets::find(handover, addresses).await?;
        let http = match arguments.http {
            Some(address) => Some((sockets.listen(address).await?, arguments.plain_http.into())),
            None => None,
        };
        let status = match arguments.status {
            Some(address) => Some(sockets.listen(address).await?),
            None => None,
        };
        let mut config = toolforge_gateway::Config {
            status,
            process: toolforge_figures::Process::Own,
            http,
            https: sockets.listen(arguments.https).await?,
            workers: arguments
                .workers
                .unwrap_or_else(toolforge_gateway::one_for_each_processor),
            public_https_port: arguments.public_port,
            identity,
            identity_files: Some(identity_files),
            policy,
            published: arguments.publish,
            rules: settings.map(FollowedFile::follow).transpose()?,
            last_table: arguments.table,
            registrations: arguments.registrations.open(&mut sockets).await?,
            drain: Drain::within(Duration::from_secs(arguments.drain_seconds.into())),
            succession: Succession::default(),
        };
        let succeeding = sockets.succeed(&mut config.succession, stop.clone());
        replace_on_signal(stop.clone())?;
        let served = toolforge_gateway::run(client, config, stop.clone()).await;
        // Where it ended of itself, nobody is to take its sockets.
        stop.cancel();
        succeeding.await?;
        Ok(served?)
    })
}
