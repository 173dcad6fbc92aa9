//! Claims of volumes.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;

use super::lines::{Family, Lines, gauge, number, text};
use super::table::Rendered;

/// Where the class of a claim was named before it had a field.
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

impl Rendered for PersistentVolumeClaim {
    const FAMILIES: &'static [Family] = &[
        gauge("kube_persistentvolumeclaim_info", "What volume a claim is for."),
        gauge(
            "kube_persistentvolumeclaim_created",
            "When a claim was created, in seconds since 1970.",
        ),
        gauge(
            "kube_persistentvolumeclaim_deletion_timestamp",
            "When a claim that is being deleted was told to go, in seconds since 1970.",
        ),
        gauge(
            "kube_persistentvolumeclaim_access_mode",
            "Each way in which a claim wants to be used.",
        ),
        gauge(
            "kube_persistentvolumeclaim_resource_requests_storage_bytes",
            "Bytes that a claim asks for.",
        ),
        gauge(
            "kube_persistentvolumeclaim_status_phase",
            "Whether a claim has a volume.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("persistentvolumeclaim", text(meta.name.as_ref())),
        ]);
        let spec = self.spec.as_ref();
        let annotated = meta.annotations.as_ref().and_then(|all| all.get(CLASS));
        let class = annotated.or(spec.and_then(|spec| spec.storage_class_name.as_ref()));
        let info = [
            ("storageclass", text(class)),
            (
                "volumename",
                text(spec.and_then(|spec| spec.volume_name.as_ref())),
            ),
            (
                "volumemode",
                text(spec.and_then(|spec| spec.volume_mode.as_ref())),
            ),
        ];
        lines.put("kube_persistentvolumeclaim_info", &info, 1);
        lines.time(
            "kube_persistentvolumeclaim_created",
            meta.creation_timestamp.as_ref(),
        );
        lines.time(
            "kube_persistentvolumeclaim_deletion_timestamp",
            meta.deletion_timestamp.as_ref(),
        );
        let modes = spec.and_then(|spec| spec.access_modes.as_ref());
        for mode in modes.into_iter().flatten() {
            let labels = [("access_mode", mode.as_str())];
            lines.put("kube_persistentvolumeclaim_access_mode", &labels, 1);
        }
        let asked = spec.and_then(|spec| spec.resources.as_ref()?.requests.as_ref()?.get("storage"));
        lines.maybe(
            "kube_persistentvolumeclaim_resource_requests_storage_bytes",
            asked.and_then(number),
        );
        if let Some(phase) = self.status.as_ref().and_then(|status| status.phase.as_ref()) {
            let phases = ["Lost", "Bound", "Pending"];
            lines.one_of("kube_persistentvolumeclaim_status_phase", "phase", &phases, phase);
        }
    }
}
