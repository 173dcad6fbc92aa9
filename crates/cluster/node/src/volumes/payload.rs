//! What a volume holds: from its description and the objects behind it to files. Pure.
//!
//! Messages are kubelet's, because people look for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path},
    sync::Arc,
};

use k8s_openapi::api::core::v1::{
    ConfigMap, KeyToPath, Pod, ProjectedVolumeSource, Secret, ServiceAccountTokenProjection, Volume,
    VolumeProjection,
};

use super::downward;
use crate::environment::Facts;

/// The mode of files when nobody says another; the API's default.
const MODE: i32 = 0o644;
/// The mode of a token that only its Pod's user has to read.
const TOKEN_MODE: u32 = 0o600;

/// One file.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    pub(super) mode: u32,
    /// Whose it is; root's without.
    pub(super) owner: Option<u32>,
}

/// Never the content: it may be a secret.
impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({} bytes, {:o})", self.bytes.len(), self.mode)
    }
}

/// Files by path in the volume.
pub(super) type Payload = BTreeMap<String, File>;

/// Why a volume cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// Not everything is known yet.
    NotYet,
    /// Something is missing or wrong. `retry`: nothing would tell when it is mended.
    Failed { message: String, retry: bool },
}

impl Problem {
    /// A problem that an event ends: somebody changes an object.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed {
            message: message.into(),
            retry: false,
        }
    }

    /// A problem that nothing tells the end of.
    pub(super) fn to_retry(message: impl Into<String>) -> Self {
        Self::Failed {
            message: message.into(),
            retry: true,
        }
    }
}

/// The objects that volumes refer to, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) config_maps: BTreeSet<String>,
    pub(super) secrets: BTreeSet<String>,
}

impl Wanted {
    /// Reads all volumes of a Pod.
    pub(super) fn of<'a>(volumes: impl IntoIterator<Item = &'a Volume>) -> Self {
        let mut wanted = Self::default();
        for volume in volumes {
            wanted
                .config_maps
                .extend(volume.config_map.as_ref().map(|source| source.name.clone()));
            wanted.secrets.extend(
                volume
                    .secret
                    .as_ref()
                    .and_then(|source| source.secret_name.clone()),
            );
            for source in sources(volume.projected.as_ref()) {
                wanted
                    .config_maps
                    .extend(source.config_map.as_ref().map(|source| source.name.clone()));
                wanted
                    .secrets
                    .extend(source.secret.as_ref().map(|source| source.name.clone()));
            }
        }
        wanted
    }
}

/// What is known of the objects: no entry is "not yet", none in an entry is "does not exist".
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) config_maps: BTreeMap<String, Option<Arc<ConfigMap>>>,
    pub(super) secrets: BTreeMap<String, Option<Arc<Secret>>>,
    /// By audience and path of the projection.
    pub(super) tokens: BTreeMap<TokenKey, String>,
}

/// Which token: audience, and seconds that it is to live.
pub(super) type TokenKey = (String, i64);

/// The key of a token projection.
pub(super) fn token_key(projection: &ServiceAccountTokenProjection) -> TokenKey {
    let audience = projection.audience.clone().unwrap_or_default();
    (
        audience,
        projection
            .expiration_seconds
            .unwrap_or(super::token::LIFE_SECONDS),
    )
}

/// The token projections of a volume.
pub(super) fn tokens(volume: &Volume) -> impl Iterator<Item = &ServiceAccountTokenProjection> {
    sources(volume.projected.as_ref()).filter_map(|source| source.service_account_token.as_ref())
}

fn sources(projected: Option<&ProjectedVolumeSource>) -> impl Iterator<Item = &VolumeProjection> {
    projected
        .into_iter()
        .flat_map(|source| source.sources.iter().flatten())
}

/// The files of a volume that shows objects; none for other kinds of volumes.
pub(super) fn payload(
    volume: &Volume,
    known: &Sources,
    facts: Facts<'_>,
) -> Option<Result<Payload, Problem>> {
    if let Some(source) = &volume.config_map {
        let mode = mode_of(source.default_mode);
        let (items, optional) = (source.items.as_deref(), source.optional == Some(true));
        return Some(config_map(&source.name, items, optional, mode, known));
    }
    if let Some(source) = &volume.secret {
        let (name, mode) = (
            source.secret_name.as_deref().unwrap_or_default(),
            mode_of(source.default_mode),
        );
        let (items, optional) = (source.items.as_deref(), source.optional == Some(true));
        return Some(secret(name, items, optional, mode, known));
    }
    if let Some(source) = &volume.downward_api {
        let items = source.items.as_deref().unwrap_or_default();
        return Some(downward::files(items, mode_of(source.default_mode), facts));
    }
    volume
        .projected
        .as_ref()
        .map(|source| projected(source, known, facts))
}

fn projected(source: &ProjectedVolumeSource, known: &Sources, facts: Facts<'_>) -> Result<Payload, Problem> {
    let mode = mode_of(source.default_mode);
    let mut all = Payload::new();
    for source in source.sources.iter().flatten() {
        all.extend(projection(source, mode, known, facts)?);
    }
    Ok(all)
}

fn projection(
    source: &VolumeProjection,
    mode: u32,
    known: &Sources,
    facts: Facts<'_>,
) -> Result<Payload, Problem> {
    if let Some(map) = &source.config_map {
        return config_map(
            &map.name,
            map.items.as_deref(),
            map.optional == Some(true),
            mode,
            known,
        );
    }
    if let Some(wanted) = &source.secret {
        let optional = wanted.optional == Some(true);
        return secret(&wanted.name, wanted.items.as_deref(), optional, mode, known);
    }
    if let Some(fields) = &source.downward_api {
        return downward::files(fields.items.as_deref().unwrap_or_default(), mode, facts);
    }
    if let Some(token) = &source.service_account_token {
        let text = known.tokens.get(&token_key(token)).ok_or(Problem::NotYet)?;
        // As kubelet: readable for whom the Pod runs as, and for nobody else, where that is one.
        let owner = user_of(facts.pod);
        let group = group_of(facts.pod);
        let file = File {
            bytes: text.clone().into_bytes(),
            mode: if owner.is_some() || group.is_some() {
                TOKEN_MODE
            } else {
                mode
            },
            owner,
        };
        return Ok(Payload::from([(checked(&token.path)?, file)]));
    }
    Err(Problem::failed(
        "this node projects configMap, secret, downwardAPI and serviceAccountToken, nothing else",
    ))
}

fn config_map(
    name: &str,
    items: Option<&[KeyToPath]>,
    optional: bool,
    mode: u32,
    known: &Sources,
) -> Result<Payload, Problem> {
    let Some(map) = known.config_maps.get(name).ok_or(Problem::NotYet)? else {
        return absent("configmap", name, optional);
    };
    let text = map.data.iter().flatten();
    let text = text.map(|(key, value)| (key.as_str(), value.as_bytes()));
    let binary = map.binary_data.iter().flatten();
    let binary = binary.map(|(key, value)| (key.as_str(), value.0.as_slice()));
    choose(&text.chain(binary).collect(), items, optional, mode, "config")
}

fn secret(
    name: &str,
    items: Option<&[KeyToPath]>,
    optional: bool,
    mode: u32,
    known: &Sources,
) -> Result<Payload, Problem> {
    let Some(secret) = known.secrets.get(name).ok_or(Problem::NotYet)? else {
        return absent("secret", name, optional);
    };
    let data = secret.data.iter().flatten();
    let data = data.map(|(key, value)| (key.as_str(), value.0.as_slice()));
    choose(&data.collect(), items, optional, mode, "secret")
}

fn absent(kind: &str, name: &str, optional: bool) -> Result<Payload, Problem> {
    if optional {
        return Ok(Payload::new());
    }
    Err(Problem::failed(format!("{kind} \"{name}\" not found")))
}

/// All keys as files, or those that are named.
fn choose(
    data: &BTreeMap<&str, &[u8]>,
    items: Option<&[KeyToPath]>,
    optional: bool,
    mode: u32,
    kind: &str,
) -> Result<Payload, Problem> {
    let file = |bytes: &[u8], mode| File {
        bytes: bytes.to_vec(),
        mode,
        owner: None,
    };
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        let all = data.iter();
        return all
            .map(|(key, bytes)| Ok((checked(key)?, file(bytes, mode))))
            .collect();
    };
    let mut chosen = Payload::new();
    for item in items {
        match data.get(item.key.as_str()) {
            Some(bytes) => {
                let mode = item.mode.map_or(mode, |mode| mode_of(Some(mode)));
                chosen.insert(checked(&item.path)?, file(bytes, mode));
            }
            None if optional => {}
            None => {
                return Err(Problem::failed(format!(
                    "references non-existent {kind} key: {}",
                    item.key
                )));
            }
        }
    }
    Ok(chosen)
}

/// A path that stays in the volume. The API has seen to it; the node, which writes as root, looks again.
pub(super) fn checked(path: &str) -> Result<String, Problem> {
    let inside = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if inside && !path.is_empty() && !path.starts_with("..") {
        return Ok(path.to_owned());
    }
    Err(Problem::failed(format!("invalid path in a volume: {path:?}")))
}

/// Permission bits out of a field of the API.
pub(super) fn mode_of(mode: Option<i32>) -> u32 {
    u32::try_from(mode.unwrap_or(MODE)).unwrap_or_default() & 0o777
}

/// The one user that all containers of a Pod run as; none when they differ or do not say.
fn user_of(pod: &Pod) -> Option<u32> {
    let spec = pod.spec.as_ref()?;
    let common = spec
        .security_context
        .as_ref()
        .and_then(|context| context.run_as_user);
    let all = spec.init_containers.iter().flatten().chain(&spec.containers);
    let users: Option<BTreeSet<i64>> = all
        .map(|container| {
            let own = container.security_context.as_ref();
            own.and_then(|context| context.run_as_user).or(common)
        })
        .collect();
    let users = users?;
    let mut users = users.into_iter();
    let only = users.next().filter(|_| users.next().is_none())?;
    u32::try_from(only).ok()
}

/// The group that a Pod's volumes belong to.
pub(super) fn group_of(pod: &Pod) -> Option<u32> {
    let context = pod.spec.as_ref()?.security_context.as_ref()?;
    context.fs_group.and_then(|group| u32::try_from(group).ok())
}

#[cfg(test)]
mod tests;
