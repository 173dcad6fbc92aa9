//! Labels and annotations that cross component borders: written by one component, read by another.

/// Namespace label that repeats the namespace's name, for selectors written before Kubernetes had its own.
pub const NAME: &str = "name";
/// Namespace label that says what a namespace is for.
pub const TENANCY: &str = "tenancy";
/// Value of [`TENANCY`] on the namespaces of tools.
pub const TENANCY_TOOL: &str = "tool";
/// Label that Kubernetes itself keeps on every namespace: its name.
pub const METADATA_NAME: &str = "kubernetes.io/metadata.name";

/// Namespace annotation: the tool's numeric user id (equal to its group id), in decimal.
pub const UID: &str = "toolforge.org/uid";
/// Namespace annotation: the tool's home directory, an absolute path.
pub const HOME: &str = "toolforge.org/home";
/// Namespace annotation: the tool's maintainers, a JSON list of [`crate::Maintainer`].
pub const MAINTAINERS: &str = "toolforge.org/maintainers";

/// Namespace annotation: why the tool has no access any more, `locked` or `removed`.
pub const WITHDRAWN: &str = "toolforge.org/withdrawn";

/// Label on objects and Pods of a tool: asks for the tool's environment (`HOME`, `TOOL_DATA_DIR`, mounts).
pub const TOOLFORGE: &str = "toolforge";
/// Value of [`TOOLFORGE`] that asks for it.
pub const TOOLFORGE_TOOL: &str = "tool";
/// Label of Pods that ask for the tool's environment: which of the platform's storage they get. Without it, all.
pub const MOUNT_STORAGE: &str = "toolforge.org/mount-storage";
/// Value of [`MOUNT_STORAGE`]: the home and all else that is configured.
pub const MOUNT_STORAGE_ALL: &str = "all";
/// Value of [`MOUNT_STORAGE`]: nothing, nor the variables that lead to it.
pub const MOUNT_STORAGE_NONE: &str = "none";
/// Label: what part a webservice object plays.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// Value of [`COMPONENT`] on the objects of a webservice.
pub const COMPONENT_WEB: &str = "web";
/// Value of [`COMPONENT`] on the Pod of a shell beside a webservice.
pub const COMPONENT_INTERACTIVE: &str = "webservice-interactive";
/// Label: who made an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Value of [`MANAGED_BY`] on what the `webservice` command made.
pub const MANAGED_BY_WEBSERVICE: &str = "webservice";
/// Pod template annotation: when a webservice was started or restarted.
pub const STARTED_AT: &str = "toolforge.org/started-at";
