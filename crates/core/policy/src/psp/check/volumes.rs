//! Which volumes a Pod may have.

use k8s_openapi::api::core::v1::{HostPathVolumeSource, ProjectedVolumeSource, Volume, VolumeProjection};

use super::{Check, words};
use crate::verdict::{Law, quoted};

const KIND: &str = "pod/volume";
const HOST_PATH: Law = Law::fixed(
    "pod/host-path",
    "Pods must not mount paths of the machine",
    "leave it out; the tool's home and data are there without it",
);
const READ_ONLY: Law = Law::fixed(
    "pod/host-path-read-only",
    "This path may be mounted read-only only",
    "set readOnly",
);
const DRIVER: &str = "pod/volume-driver";

/// Adds every volume that is not allowed, and every mount that could write where it must not.
pub(super) fn check(check: &mut Check<'_>) {
    let (policy, workload) = (check.policy.spec(), check.workload);
    for (i, volume) in workload.spec().volumes.iter().flatten().enumerate() {
        let kinds = kinds(volume);
        let mut some = false;
        for kind in kinds.into_iter().flatten() {
            some = true;
            if !allows_kind(&policy.volumes, kind, volume) {
                refuse_kind(check, i, volume, kind);
            }
        }
        // A kind that this program does not know looks as if there were none.
        if !some {
            let field = workload.field(format!("volumes[{i}]"));
            let found = format!("{field} ({}) is of another kind", quoted(&volume.name));
            check.offences.shown_as(&kind_law(&policy.volumes), field, found);
        }
        if let Some(source) = volume
            .host_path
            .as_ref()
            .filter(|_| allows(&policy.volumes, "hostPath"))
        {
            check_host_path(check, i, volume, source);
        }
        check_drivers(check, i, volume);
    }
}

fn allows(allowed: &[String], kind: &str) -> bool {
    allowed.iter().any(|name| name == "*" || name == kind)
}

/// Where secrets are allowed, so is the volume with which Kubernetes brings a token.
fn allows_kind(allowed: &[String], kind: &str, volume: &Volume) -> bool {
    allows(allowed, kind)
        || (kind == "projected"
            && allows(allowed, "secret")
            && volume.projected.as_ref().is_some_and(is_token))
}

fn is_token(projected: &ProjectedVolumeSource) -> bool {
    projected.sources.iter().flatten().all(is_part_of_token)
}

fn is_part_of_token(source: &VolumeProjection) -> bool {
    let token = source.service_account_token.as_ref();
    let root = source.config_map.as_ref();
    let namespace = source.downward_api.as_ref();
    let known = VolumeProjection {
        service_account_token: source.service_account_token.clone(),
        config_map: source.config_map.clone(),
        downward_api: source.downward_api.clone(),
        ..VolumeProjection::default()
    };
    known == *source
        && (token.is_some() || root.is_some() || namespace.is_some())
        && token.is_none_or(|token| {
            token.path == "token" && token.audience.as_deref().unwrap_or_default().is_empty()
        })
        && root.is_none_or(|root| root.name == "kube-root-ca.crt")
        && namespace.is_none_or(|namespace| {
            namespace.items.iter().flatten().all(|item| {
                let field = item.field_ref.as_ref();
                item.path == "namespace"
                    && field.is_some_and(|field| field.field_path == "metadata.namespace")
            })
        })
}

fn refuse_kind(check: &mut Check<'_>, index: usize, volume: &Volume, kind: &str) {
    if let Some(path) = &volume.host_path {
        check.refuse(
            &HOST_PATH,
            format!("volumes[{index}].hostPath.path"),
            &quoted(&path.path),
        );
        return;
    }
    let law = kind_law(&check.policy.spec().volumes);
    let field = check.workload.field(format!("volumes[{index}]"));
    let found = format!("{field} ({}) is of the kind {kind}", quoted(&volume.name));
    check.offences.shown_as(&law, field, found);
}

fn kind_law(allowed: &[String]) -> Law {
    Law::spoken(
        KIND,
        words::only("Pods may have volumes of the kinds", allowed, "no volumes"),
        "use one of these".to_owned(),
    )
}

fn check_host_path(check: &mut Check<'_>, index: usize, volume: &Volume, source: &HostPathVolumeSource) {
    let allowed = &check.policy.spec().allowed_host_paths;
    if allowed.is_empty() {
        return;
    }
    let mut rules = allowed.iter().filter(|rule| rule.covers(&source.path)).peekable();
    if rules.peek().is_none() {
        check.refuse(
            &HOST_PATH,
            format!("volumes[{index}].hostPath.path"),
            &quoted(&source.path),
        );
        return;
    }
    if rules.any(|rule| !rule.read_only) {
        return;
    }
    for container in check.workload.containers() {
        for (i, mount) in container.mounts.iter().enumerate() {
            if mount.name == volume.name && mount.read_only != Some(true) {
                let field = container.field(format!("volumeMounts[{i}].readOnly"));
                check.refuse(
                    &READ_ONLY,
                    &field,
                    &format!("not set for {}", quoted(&source.path)),
                );
            }
        }
    }
}

fn check_drivers(check: &mut Check<'_>, index: usize, volume: &Volume) {
    let spec = check.policy.spec();
    if let Some(flex) = &volume.flex_volume {
        let allowed: Vec<String> = spec
            .allowed_flex_volumes
            .iter()
            .map(|allowed| allowed.driver.clone())
            .collect();
        check_driver(
            check,
            &allowed,
            &format!("volumes[{index}].flexVolume.driver"),
            &flex.driver,
        );
    }
    if let Some(csi) = &volume.csi {
        let allowed: Vec<String> = spec
            .allowed_csi_drivers
            .iter()
            .map(|allowed| allowed.name.clone())
            .collect();
        check_driver(
            check,
            &allowed,
            &format!("volumes[{index}].csi.driver"),
            &csi.driver,
        );
    }
}

fn check_driver(check: &mut Check<'_>, allowed: &[String], field: &str, driver: &str) {
    if !allowed.is_empty() && !allowed.iter().any(|name| name == driver) {
        let sentence = words::only("Volumes may have the drivers", allowed, "no driver");
        let law = Law::spoken(DRIVER, sentence, "use one of these".to_owned());
        check.refuse(&law, field, &quoted(driver));
    }
}

/// The kinds of a volume's sources, by the names that policies give them. A good volume has one.
fn kinds(volume: &Volume) -> [Option<&'static str>; 30] {
    macro_rules! kinds {
        ($($field:ident $name:literal),* $(,)?) => { [$(volume.$field.as_ref().map(|_| $name)),*] };
    }
    kinds![
        aws_elastic_block_store "awsElasticBlockStore",
        azure_disk "azureDisk",
        azure_file "azureFile",
        cephfs "cephFS",
        cinder "cinder",
        config_map "configMap",
        csi "csi",
        downward_api "downwardAPI",
        empty_dir "emptyDir",
        ephemeral "ephemeral",
        fc "fc",
        flex_volume "flexVolume",
        flocker "flocker",
        gce_persistent_disk "gcePersistentDisk",
        git_repo "gitRepo",
        glusterfs "glusterfs",
        host_path "hostPath",
        image "image",
        iscsi "iscsi",
        nfs "nfs",
        persistent_volume_claim "persistentVolumeClaim",
        photon_persistent_disk "photonPersistentDisk",
        portworx_volume "portworxVolume",
        projected "projected",
        quobyte "quobyte",
        rbd "rbd",
        scale_io "scaleIO",
        secret "secret",
        storageos "storageos",
        vsphere_volume "vsphereVolume",
    ]
}
