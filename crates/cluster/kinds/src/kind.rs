//! The words for a kind: its names, its verbs, its subresources. The registry fills them in; everybody reads them.

/// A kind of object, as discovery describes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// API group; empty for core.
    pub group: &'static str,
    /// Version in the group.
    pub version: &'static str,
    /// Name of the type, such as `Deployment`.
    pub kind: &'static str,
    /// Name in paths, such as `deployments`.
    pub plural: &'static str,
    /// Name that users may type for one object.
    pub singular: &'static str,
    /// Abbreviations that users may type.
    pub short_names: &'static [&'static str],
    /// Groups of kinds that users may type, such as `all`.
    pub categories: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// What hangs below an object of the kind.
    pub subresources: &'static [Subresource],
    /// What can be done with objects of the kind.
    pub verbs: Verbs,
    /// Whether objects are kept, and as what.
    pub storage: Storage,
    /// Whether a user has defined it; what is known of it is then in a [`crate::CustomKind`].
    pub custom: bool,
}

impl Kind {
    /// `apps/v1`, or `v1` for core: what stands in an object's `apiVersion`.
    pub fn api_version(&self) -> String {
        group_version(self.group, self.version)
    }

    /// `deployments.apps`, or `pods` for core: what stands in error messages.
    pub fn qualified_resource(&self) -> String {
        qualified(self.plural, self.group)
    }

    /// `Deployment.apps`, or `Pod` for core: what stands in messages of invalid objects.
    pub fn qualified_kind(&self) -> String {
        qualified(self.kind, self.group)
    }

    /// Whether the kind has this subresource.
    pub fn has(&self, subresource: Subresource) -> bool {
        self.subresources.contains(&subresource)
    }

    /// The subresource with this name in paths, if the kind has it.
    pub fn subresource(&self, name: &str) -> Option<Subresource> {
        self.subresources
            .iter()
            .copied()
            .find(|subresource| subresource.name() == name)
    }

    /// Group, version and kind, by which schemas are found.
    /// Whether an update has to say which revision it replaces (`AllowUnconditionalUpdate` of the registries upstream).
    pub fn is_replaced_by_revision_only(&self) -> bool {
        self.custom
            || matches!(
                self.key(),
                (
                    "admissionregistration.k8s.io" | "apiextensions.k8s.io" | "apiregistration.k8s.io",
                    _
                ) | ("coordination.k8s.io", "Lease")
                    | ("policy", "PodDisruptionBudget")
            )
    }

    /// Whether an update of what is not there creates it (`AllowCreateOnUpdate` of the registries upstream).
    pub fn is_created_by_update(&self) -> bool {
        !self.custom
            && matches!(
                self.key(),
                ("", "Endpoints" | "Event" | "LimitRange")
                    | ("events.k8s.io", "Event")
                    | ("coordination.k8s.io", "Lease")
                    | ("rbac.authorization.k8s.io", _)
            )
    }

    pub(crate) fn place(&self) -> (&'static str, &'static str, &'static str) {
        (self.group, self.version, self.kind)
    }

    /// The same kind in the key of internal tables: group and kind.
    pub(crate) fn key(&self) -> (&'static str, &'static str) {
        (self.group, self.kind)
    }
}

/// `apps/v1` out of its two parts; the core group is empty and leaves only the version.
pub(crate) fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() {
        name.to_owned()
    } else {
        format!("{name}.{group}")
    }
}

/// How objects of a kind are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Kept as they are.
    Stored,
    /// Answered at once and never kept: the reviews.
    Virtual,
    /// Kept as objects of another kind, group, version and kind named here; [`crate::convert()`] goes both ways.
    As(&'static str, &'static str, &'static str),
}

/// The verbs of a kind or a subresource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verbs(&'static [&'static str]);

impl Verbs {
    /// Everything that can be done with stored objects, in the order of discovery.
    pub const ALL: Self = Self(&[
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    ]);
    /// All but `deletecollection`, as Kubernetes has it for namespaces.
    pub const ALL_SINGLY: Self = Self(&["create", "delete", "get", "list", "patch", "update", "watch"]);
    /// Questions that are answered and forgotten.
    pub const CREATE: Self = Self(&["create"]);
    /// Kinds of which there are never any: clients that look for all there is find none of them.
    pub const LOOK: Self = Self(&["get", "list", "watch"]);
    /// Only reading.
    pub const GET: Self = Self(&["get"]);
    /// A part of an object that is written apart from the rest.
    pub const PART: Self = Self(&["get", "patch", "update"]);
    /// A door that is only replaced through.
    pub const UPDATE: Self = Self(&["update"]);
    /// Streams, opened with GET or POST.
    pub const CONNECT: Self = Self(&["create", "get"]);
    /// Whatever passes through to another server.
    pub const PASS: Self = Self(&["create", "delete", "get", "patch", "update"]);

    /// The names, in the order of discovery.
    pub fn names(self) -> &'static [&'static str] {
        self.0
    }

    /// Whether the verb is among them.
    pub fn contains(self, verb: &str) -> bool {
        self.0.contains(&verb)
    }
}

/// What hangs below an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subresource {
    /// The status, written apart from the rest.
    Status,
    /// The number of replicas, in the same form for every kind that has one.
    Scale,
    /// What a Pod's container wrote.
    Log,
    /// A command in a running container.
    Exec,
    /// The terminal of a running container.
    Attach,
    /// Connections to a Pod's ports.
    PortForward,
    /// HTTP through the API to a Pod, Service or node.
    Proxy,
    /// The choice of a node.
    Binding,
    /// Deletion that respects disruption budgets.
    Eviction,
    /// Debug containers that are added to a running Pod.
    EphemeralContainers,
    /// The verdict on a certificate request.
    Approval,
    /// A token of a service account.
    Token,
    /// The finalizers of a namespace.
    Finalize,
}

impl Subresource {
    /// The last part of its path.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Scale => "scale",
            Self::Log => "log",
            Self::Exec => "exec",
            Self::Attach => "attach",
            Self::PortForward => "portforward",
            Self::Proxy => "proxy",
            Self::Binding => "binding",
            Self::Eviction => "eviction",
            Self::EphemeralContainers => "ephemeralcontainers",
            Self::Approval => "approval",
            Self::Token => "token",
            Self::Finalize => "finalize",
        }
    }

    /// What can be done through it.
    pub fn verbs(self) -> Verbs {
        match self {
            Self::Status | Self::Scale | Self::EphemeralContainers | Self::Approval => Verbs::PART,
            Self::Log => Verbs::GET,
            Self::Exec | Self::Attach | Self::PortForward => Verbs::CONNECT,
            Self::Proxy => Verbs::PASS,
            Self::Binding | Self::Eviction | Self::Token => Verbs::CREATE,
            Self::Finalize => Verbs::UPDATE,
        }
    }

    /// Group, version and kind of the object that goes through it.
    pub fn object(self, of: &Kind) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Scale => ("autoscaling", "v1", "Scale"),
            Self::Binding => ("", "v1", "Binding"),
            Self::Eviction => ("policy", "v1", "Eviction"),
            Self::Token => ("authentication.k8s.io", "v1", "TokenRequest"),
            Self::Exec => ("", "v1", "PodExecOptions"),
            Self::Attach => ("", "v1", "PodAttachOptions"),
            Self::PortForward => ("", "v1", "PodPortForwardOptions"),
            Self::Proxy if of.kind == "Service" => ("", "v1", "ServiceProxyOptions"),
            Self::Proxy if of.kind == "Node" => ("", "v1", "NodeProxyOptions"),
            Self::Proxy => ("", "v1", "PodProxyOptions"),
            Self::Status | Self::Log | Self::EphemeralContainers | Self::Approval | Self::Finalize => {
                (of.group, of.version, of.kind)
            }
        }
    }
}
