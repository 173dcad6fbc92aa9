//! From a question to an answer: which guard looks at what, and with whose account.

use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use serde::Deserialize;
use toolforge_model::Namespace;
use toolforge_policy::psp::{Phase, PodSecurityPolicy, Who, judge_pod, tool_policy};
use toolforge_policy::{
    Policies, Verdict, Workload, Writer, admit_endpoint_slice, admit_endpoints, admit_images, admit_ingress,
    admit_service, admit_volumes, forgo_token, mutate_volumes,
};

use crate::accounts::Accounts;
use crate::review::{Answer, Operation, Request};

/// The guards, one per path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    Ingress,
    Images,
    Pod,
    MutatePod,
    Service,
    Endpoints,
    Volumes,
    MutateVolumes,
}

/// Subresource through which containers are added to a running Pod.
const EPHEMERAL_CONTAINERS: &str = "ephemeralcontainers";

impl Guard {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::Ingress,
        Self::Images,
        Self::Pod,
        Self::MutatePod,
        Self::Service,
        Self::Endpoints,
        Self::Volumes,
        Self::MutateVolumes,
    ];

    /// Where it is asked.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Ingress => "/validate/ingress",
            Self::Images => "/validate/images",
            Self::Pod => "/validate/pod",
            Self::MutatePod => "/mutate/pod",
            Self::Service => "/validate/service",
            Self::Endpoints => "/validate/endpoints",
            Self::Volumes => "/validate/volumes",
            Self::MutateVolumes => "/mutate/volumes",
        }
    }

    /// Its name in logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Images => "images",
            Self::Pod => "pod",
            Self::MutatePod => "mutate-pod",
            Self::Service => "service",
            Self::Endpoints => "endpoints",
            Self::Volumes => "volumes",
            Self::MutateVolumes => "mutate-volumes",
        }
    }

    /// Answers one question.
    pub(crate) async fn answer(self, policies: &Policies, accounts: &Accounts, request: &Request) -> Answer {
        // Taking away is always allowed; neither is ever asked for, see the webhook configurations.
        if matches!(request.operation, Operation::Delete | Operation::Connect) {
            return Answer::Allow(vec![]);
        }
        let Some(namespace) = request
            .namespace
            .as_deref()
            .filter(|namespace| !namespace.is_empty())
        else {
            return Answer::Deny(
                "the request names no namespace, and this guard is for objects that have one".to_owned(),
            );
        };
        if !request.object.is_object() {
            return Answer::Deny("the request carries no object to look at".to_owned());
        }
        if !self.looks_at(request) {
            let (group, kind) = (&request.kind.group, &request.kind.kind);
            let shown: String = format!("Kind={kind}, Group={group}").chars().take(200).collect();
            return Answer::Deny(format!(
                "Unsupported {shown}: this guard does not know how to judge it"
            ));
        }
        if request.changes_bookkeeping_only() {
            return Answer::Allow(vec![]);
        }
        match self {
            Self::Ingress => match Ingress::deserialize(&request.object) {
                Ok(ingress) => answer(&admit_ingress(&policies.ingress, namespace, &ingress)),
                Err(error) => unreadable("Ingress", &error),
            },
            Self::Service => match Service::deserialize(&request.object) {
                Ok(service) => answer(&admit_service(&policies.service, namespace, &service)),
                Err(error) => unreadable("Service", &error),
            },
            Self::Images => match Workload::read(&request.kind.kind, namespace, &request.object) {
                Ok(workload) => answer(&admit_images(&policies.registry, &workload)),
                Err(error) => unreadable(&request.kind.kind, &error),
            },
            Self::Endpoints => judge_endpoints(policies, namespace, request),
            Self::Volumes => match Workload::read(&request.kind.kind, namespace, &request.object) {
                Ok(workload) => answer(&admit_volumes(&policies.volumes, &workload)),
                Err(error) => unreadable(&request.kind.kind, &error),
            },
            Self::MutateVolumes => give_volumes(policies, accounts, namespace, request).await,
            Self::Pod | Self::MutatePod => {
                self.answer_about_pod(policies, accounts, namespace, request)
                    .await
            }
        }
    }

    async fn answer_about_pod(
        self,
        policies: &Policies,
        accounts: &Accounts,
        namespace: &str,
        request: &Request,
    ) -> Answer {
        let Some(tool) = namespace
            .parse::<Namespace>()
            .ok()
            .and_then(|namespace| namespace.tool())
        else {
            return Answer::Deny(format!(
                "namespace {namespace:?} is not the namespace tool-<toolname> of a tool"
            ));
        };
        let workload = match Workload::read(&request.kind.kind, namespace, &request.object) {
            Ok(workload) => workload,
            Err(error) => return unreadable(&request.kind.kind, &error),
        };
        let account = match accounts.of(namespace).await {
            Ok(account) => account,
            Err(answer) => return answer,
        };
        let policy = tool_policy(&tool, &account, &policies.pod);
        if self == Self::MutatePod {
            return completed(&policy, request);
        }
        let phase = if workload.is_pod() {
            Phase::Final
        } else {
            Phase::Template
        };
        answer(judge_pod(vec![&policy], TOOL, &workload, phase).verdict())
    }

    /// Whether the object is of a kind that this guard can judge.
    fn looks_at(self, request: &Request) -> bool {
        let kind = &request.kind;
        let kind = (kind.group.as_str(), kind.version.as_str(), kind.kind.as_str());
        match self {
            Self::Ingress => kind == ("networking.k8s.io", "v1", "Ingress"),
            Self::Service => kind == ("", "v1", "Service"),
            Self::Endpoints => matches!(
                kind,
                ("", "v1", "Endpoints") | ("discovery.k8s.io", "v1", "EndpointSlice")
            ),
            Self::MutatePod | Self::MutateVolumes => kind == ("", "v1", "Pod"),
            Self::Images | Self::Pod | Self::Volumes => matches!(
                kind,
                ("", "v1", "Pod" | "PodTemplate" | "ReplicationController")
                    | (
                        "apps",
                        "v1",
                        "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet"
                    )
                    | ("batch", "v1", "CronJob" | "Job")
            ),
        }
    }
}

fn judge_endpoints(policies: &Policies, namespace: &str, request: &Request) -> Answer {
    let writer = Writer {
        user: &request.user_info.username,
        groups: &request.user_info.groups,
    };
    let policy = &policies.endpoints;
    if request.kind.kind == "EndpointSlice" {
        return match EndpointSlice::deserialize(&request.object) {
            Ok(slice) => answer(&admit_endpoint_slice(policy, namespace, writer, &slice)),
            Err(error) => unreadable("EndpointSlice", &error),
        };
    }
    match Endpoints::deserialize(&request.object) {
        Ok(endpoints) => answer(&admit_endpoints(policy, namespace, writer, &endpoints)),
        Err(error) => unreadable("Endpoints", &error),
    }
}

/// The tool's environment. What may not have it is refused here already: with the mounts added, the API would refuse
/// it in words that explain less.
async fn give_volumes(
    policies: &Policies,
    accounts: &Accounts,
    namespace: &str,
    request: &Request,
) -> Answer {
    let workload = match Workload::read(&request.kind.kind, namespace, &request.object) {
        Ok(workload) => workload,
        Err(error) => return unreadable(&request.kind.kind, &error),
    };
    let verdict = admit_volumes(&policies.volumes, &workload);
    if !verdict.is_allowed() || !policies.volumes.gives_to(&workload) {
        return answer(&verdict);
    }
    let old = match (request.operation, request.sub_resource.as_deref()) {
        (Operation::Create, None | Some("")) => None,
        (Operation::Update, Some(EPHEMERAL_CONTAINERS)) => Some(&request.old_object),
        _ => return Answer::Allow(vec![]),
    };
    match accounts.of(namespace).await {
        Ok(account) => Answer::Allow(mutate_volumes(&policies.volumes, &account, &request.object, old)),
        Err(answer) => answer,
    }
}

/// A Pod of a tool is asked about.
const TOOL: Who<'_> = Who { user: "", tool: true };

/// What a Pod gets: everything when it is created, only its new containers when those are added later.
fn completed(policy: &PodSecurityPolicy, request: &Request) -> Answer {
    let phase = match (request.operation, request.sub_resource.as_deref()) {
        (Operation::Create, None | Some("")) => Phase::Create,
        (Operation::Update, Some(EPHEMERAL_CONTAINERS)) => Phase::EphemeralContainers,
        _ => return Answer::Allow(vec![]),
    };
    // Only what reads as a Pod is changed; anything else the API refuses in its own words.
    if let Err(error) = Pod::deserialize(&request.object) {
        return unreadable("Pod", &error);
    }
    let mut changed = request.object.clone();
    if phase == Phase::Create {
        forgo_token(&mut changed);
    }
    let workload = match Workload::read("Pod", request.namespace.as_deref().unwrap_or_default(), &changed) {
        Ok(workload) => workload,
        Err(error) => return unreadable("Pod", &error),
    };
    let judgement = judge_pod(vec![policy], TOOL, &workload, phase);
    if !judgement.verdict().is_allowed() {
        return answer(judgement.verdict());
    }
    judgement.complete(&mut changed);
    Answer::Allow(json_patch::diff(&request.object, &changed).0)
}

fn answer(verdict: &Verdict) -> Answer {
    Answer::Judged(verdict.clone())
}

/// The object does not have the shape of its kind; the error's own words name the field.
fn unreadable(kind: &str, error: &dyn std::error::Error) -> Answer {
    let source = error
        .source()
        .map(|source| format!(": {source}"))
        .unwrap_or_default();
    Answer::Deny(format!("the {kind} cannot be judged: {error}{source}"))
}
