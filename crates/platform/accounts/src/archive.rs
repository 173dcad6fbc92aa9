//! The archive of a tool: its objects in one file, in a form that `kubectl apply` takes, before they are deleted.
//!
//! Called by `withdraw.rs`. Everything that a tool may make is in it, Secrets with their values too: what cannot be
//! restored is no archive. So the file is readable by its owner alone, and lies where no tool has a way to.

use std::path::Path;

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use serde_json::{Value, json};
use toolforge_model::{ToolName, labels};

use crate::{
    election::Fence,
    file_work::FileWork,
    files::{FileError, Folder},
    plan::ObjectKey,
    reconcile::ReconcileError,
    stop, withdrawn, yaml,
};

#[cfg(test)]
mod tests;

/// Only the service, and whoever restores.
const MODE: u32 = 0o600;

/// What is archived, in the order in which it can be made again, as group, version, kind and plural.
const KINDS: [(&str, &str, &str, &str); 21] = [
    ("", "v1", "ResourceQuota", "resourcequotas"),
    ("", "v1", "LimitRange", "limitranges"),
    ("", "v1", "ServiceAccount", "serviceaccounts"),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    ("", "v1", "ConfigMap", "configmaps"),
    ("", "v1", "Secret", "secrets"),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("", "v1", "Service", "services"),
    ("", "v1", "Endpoints", "endpoints"),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    ("networking.k8s.io", "v1", "Ingress", "ingresses"),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    (
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
    ),
    ("apps", "v1", "Deployment", "deployments"),
    ("apps", "v1", "StatefulSet", "statefulsets"),
    ("apps", "v1", "ReplicaSet", "replicasets"),
    ("", "v1", "ReplicationController", "replicationcontrollers"),
    ("batch", "v1", "CronJob", "cronjobs"),
    ("batch", "v1", "Job", "jobs"),
    ("", "v1", "Pod", "pods"),
];

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("cannot list the {plural} of {namespace} for the archive")]
    List {
        plural: String,
        namespace: String,
        #[source]
        source: Box<kube::Error>,
    },
    #[error("cannot write the archive")]
    File(#[from] FileError),
}

/// The name of a tool's archive: one for each withdrawal.
pub(crate) fn file_name(tool: &ToolName, since: jiff::Timestamp) -> String {
    format!("{}-{}.yaml", tool.namespace(), since.strftime("%Y%m%dT%H%M%SZ"))
}

/// Writes all objects of a namespace into `folder`, in one step in the place of an earlier file of this name. Like a home,
/// the folder may not answer, and only who leads may write there.
pub(crate) async fn write(
    client: &Client,
    files: &FileWork,
    namespace: &Value,
    folder: &Path,
    name: &str,
) -> Result<(), ReconcileError> {
    let mut text = document(namespace).unwrap_or_default();
    let called = namespace["metadata"]["name"].as_str().unwrap_or_default();
    for kind in KINDS {
        for object in list(client, called, kind).await? {
            text.push_str(&document(&object).unwrap_or_default());
        }
    }
    let (path, folder, name) = (folder.join(name), folder.to_owned(), name.to_owned());
    files
        .run(&path, move |fence| Ok(put(&folder, &name, &text, fence)?))
        .await
}

/// What of a namespace [`write()`] would put into the archive, the namespace itself aside.
pub(crate) async fn contents(client: &Client, namespace: &str) -> Result<Vec<ObjectKey>, ArchiveError> {
    let mut contents = Vec::new();
    for kind in KINDS {
        let found = list(client, namespace, kind).await?;
        contents.extend(
            found
                .iter()
                .filter_map(portable)
                .map(|object| ObjectKey::of(&object)),
        );
    }
    Ok(contents)
}

async fn list(
    client: &Client,
    namespace: &str,
    (group, version, kind, plural): (&str, &str, &str, &str),
) -> Result<Vec<Value>, ArchiveError> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let items = match api.list(&ListParams::default()).await {
        Ok(list) => list.items,
        // A cluster without this kind has none of it.
        Err(kube::Error::Api(status)) if status.is_not_found() => Vec::new(),
        Err(source) => {
            return Err(ArchiveError::List {
                plural: plural.to_owned(),
                namespace: namespace.to_owned(),
                source: Box::new(source),
            });
        }
    };
    let values = items.into_iter().map(|item| {
        let mut value = serde_json::to_value(item).unwrap_or_default();
        value["apiVersion"] = json!(resource.api_version);
        value["kind"] = json!(resource.kind);
        value
    });
    Ok(values.collect())
}

fn put(folder: &Path, name: &str, text: &str, fence: &Fence) -> Result<(), ArchiveError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|source| FileError::of("make the folder", folder, source))?;
    Ok(Folder::open_root(folder, fence)?.write(name, text.as_bytes(), MODE, None)?)
}

fn document(object: &Value) -> Option<String> {
    portable(object).map(|object| format!("---\n{}", yaml::write(&object)))
}

/// An object as it can be made again; none for what the cluster makes by itself.
fn portable(object: &Value) -> Option<Value> {
    let metadata = &object["metadata"];
    let kind = object["kind"].as_str().unwrap_or_default();
    let is_controlled = metadata["ownerReferences"]
        .as_array()
        .is_some_and(|owners| owners.iter().any(|owner| owner["controller"] == true));
    let name = metadata["name"].as_str().unwrap_or_default();
    let comes_by_itself = match kind {
        "ConfigMap" => name == "kube-root-ca.crt",
        "ServiceAccount" => name == "default",
        "Endpoints" => !metadata["annotations"]["endpoints.kubernetes.io/last-change-trigger-time"].is_null(),
        _ => metadata["labels"][labels::MANAGED_BY] == crate::desired::MANAGER && kind != "Namespace",
    };
    if is_controlled || comes_by_itself {
        return None;
    }
    let mut object = object.clone();
    if let Some(patch) = stop::starting(kind, &object) {
        json_patch::merge(&mut object, &patch);
    }
    strip(&mut object, kind);
    Some(object)
}

/// Takes away what belongs to this one life of the object.
fn strip(object: &mut Value, kind: &str) {
    let fields: &[&str] = &[
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "managedFields",
        "selfLink",
        "ownerReferences",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    remove(&mut object["metadata"], fields);
    let said = [
        withdrawn::REASON,
        withdrawn::SINCE,
        withdrawn::ARCHIVE,
        "kubectl.kubernetes.io/last-applied-configuration",
        "deployment.kubernetes.io/revision",
    ];
    if let Some(annotations) = object["metadata"].get_mut("annotations") {
        remove(annotations, &said);
    }
    remove(object, &["status"]);
    let Some(spec) = object.get_mut("spec") else {
        return;
    };
    match kind {
        "Service" if spec["clusterIP"] != "None" => {
            remove(spec, &["clusterIP", "clusterIPs", "healthCheckNodePort"]);
        }
        "Pod" => remove(spec, &["nodeName"]),
        "PersistentVolumeClaim" => remove(spec, &["volumeName"]),
        "Namespace" => remove(spec, &["finalizers"]),
        "Job" if spec["manualSelector"] != true => {
            remove(spec, &["selector"]);
            let generated = [
                "controller-uid",
                "job-name",
                "batch.kubernetes.io/controller-uid",
                "batch.kubernetes.io/job-name",
            ];
            if let Some(labels) = spec.pointer_mut("/template/metadata/labels") {
                remove(labels, &generated);
            }
        }
        _ => {}
    }
}

fn remove(value: &mut Value, names: &[&str]) {
    if let Some(map) = value.as_object_mut() {
        map.retain(|key, _| !names.contains(&key.as_str()));
    }
}
