//! From a change in the directory to a kubeconfig that works, as a maintainer sees it.

use std::{
    collections::HashSet,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, Config,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use ldap3::Ldap;

use super::content::BASE;

/// Between two looks whether the kubeconfig is there.
const LOOK: Duration = Duration::from_millis(1);
/// How long it may take.
const LONGEST: Duration = Duration::from_mins(1);
/// Beyond every tool that the directory has.
const FIRST_ID: u32 = 200_001;

/// Adds a tool, waits for the kubeconfig in its home and lists its Pods with it; how long that took.
pub(super) async fn until_it_works(ldap: &mut Ldap, homes: &Path, number: u32) -> anyhow::Result<Duration> {
    let name = format!("new-{number}");
    let home = homes.join("project").join(&name);
    let began = Instant::now();
    add(ldap, &name, &home.display().to_string(), FIRST_ID + number).await?;
    let file = home.join(".kube/config");
    while !file.exists() {
        ensure!(
            began.elapsed() < LONGEST,
            "{name} has no kubeconfig after a minute"
        );
        tokio::time::sleep(LOOK).await;
    }
    let file = Kubeconfig::read_from(&file)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    let pods: Api<Pod> = Api::namespaced(Client::try_from(config)?, &format!("tool-{name}"));
    let listed = pods.list(&ListParams::default()).await;
    listed.with_context(|| format!("the kubeconfig of {name} does not work"))?;
    Ok(began.elapsed())
}

async fn add(ldap: &mut Ldap, name: &str, home: &str, id: u32) -> anyhow::Result<()> {
    let (full, id) = (format!("tools.{name}"), id.to_string());
    let one = |value| HashSet::from([value]);
    let attributes = vec![
        ("objectClass", HashSet::from(["person", "posixAccount"])),
        ("uid", one(full.as_str())),
        ("cn", one(full.as_str())),
        ("sn", one(full.as_str())),
        ("uidNumber", one(id.as_str())),
        ("gidNumber", one(id.as_str())),
        ("homeDirectory", one(home)),
    ];
    let dn = format!("uid={full},ou=people,ou=servicegroups,{BASE}");
    ldap.add(&dn, attributes).await?.success()?;
    Ok(())
}
