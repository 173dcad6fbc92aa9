//! Names of objects that cross component borders.

/// Namespace that every authenticated user may read: what a client must know about the platform.
pub const PUBLIC_NAMESPACE: &str = "tf-public";
/// `ConfigMap` in [`PUBLIC_NAMESPACE`] with the platform's domain, registry and addresses.
pub const PLATFORM_CONFIG_MAP: &str = "platform";
/// `ConfigMap` in [`PUBLIC_NAMESPACE`] with the rules of the guards.
pub const POLICY_CONFIG_MAP: &str = "policy";
/// Key of [`POLICY_CONFIG_MAP`] under which the policy file stands.
pub const POLICY_KEY: &str = "policy.yaml";
/// `ConfigMap` in [`PUBLIC_NAMESPACE`] with the images of webservice types.
pub const IMAGE_CONFIG_MAP: &str = "image-config";
/// The platform's `IngressClass`.
pub const INGRESS_CLASS: &str = "toolforge";
/// Controller of the platform's `IngressClass`.
pub const INGRESS_CONTROLLER: &str = "toolforge.org/gateway";
/// Namespace of the pages for what is not there.
pub const FOUROHFOUR_NAMESPACE: &str = "tool-fourohfour";
/// Service in [`FOUROHFOUR_NAMESPACE`] behind which those pages are served.
pub const FOUROHFOUR_SERVICE: &str = "fourohfour";
/// Namespace of the pages that show the cluster: that of a tool like any other, whose host name is theirs.
pub const K8S_STATUS_NAMESPACE: &str = "tool-k8s-status";
/// The tool that these pages are, and their Service in [`K8S_STATUS_NAMESPACE`].
pub const K8S_STATUS_TOOL: &str = "k8s-status";
