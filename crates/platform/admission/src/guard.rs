//! From a question to an answer: which guard looks at what, and with whose account.

use toolforge_policy::psp::Phase;
use toolforge_policy::{
    Guard as Judge, ObjectKind, Policies, Question, Unjudged, Workload, Writer, admit_volumes, mutate_volumes,
};

use crate::accounts::Accounts;
use crate::answer::Answer;
use crate::pods::{self, Known};
use crate::review::{Operation, Request};

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
pub(crate) const EPHEMERAL_CONTAINERS: &str = "ephemeralcontainers";

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
    pub(crate) async fn answer(self, policies: &Policies, known: Known<'_>, request: &Request<'_>) -> Answer {
        // Taking away is always allowed; neither is ever asked for, see the webhook configurations.
        if matches!(request.operation, Operation::Delete | Operation::Connect) {
            return Answer::unchanged();
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
        if request.object.fields().is_none() {
            return Answer::Deny("the request carries no object to look at".to_owned());
        }
        if !self.looks_at(kind_of(request)) {
            return Answer::Deny(Unjudged::of_other_kind(kind_of(request)).to_string());
        }
        if request.changes_bookkeeping_only() {
            return Answer::unchanged();
        }
        match self {
            Self::Ingress | Self::Images | Self::Service | Self::Endpoints | Self::Volumes => {
                judged(self.judge(), policies, namespace, request)
            }
            Self::Pod | Self::MutatePod if policies.pod_safe_namespaces.contains(namespace) => {
                Answer::unchanged()
            }
            Self::MutateVolumes => give_volumes(policies, known.accounts, namespace, request).await,
            Self::Pod => pods::validate(known, namespace, request).await,
            Self::MutatePod => pods::complete(known, namespace, request).await,
        }
    }

    /// Who judges, and knows which kinds.
    fn judge(self) -> Judge {
        match self {
            Self::Ingress => Judge::Ingress,
            Self::Images => Judge::Images,
            Self::Pod | Self::MutatePod => Judge::Pod,
            Self::Service => Judge::Service,
            Self::Endpoints => Judge::Endpoints,
            Self::Volumes | Self::MutateVolumes => Judge::Volumes,
        }
    }

    /// Whether the object is of a kind that this guard can judge, or change.
    fn looks_at(self, kind: ObjectKind<'_>) -> bool {
        match self {
            Self::MutatePod | Self::MutateVolumes => {
                (kind.group, kind.version, kind.kind) == ("", "v1", "Pod")
            }
            _ => self.judge().judges(kind),
        }
    }
}

fn kind_of<'a>(request: &'a Request<'_>) -> ObjectKind<'a> {
    ObjectKind {
        group: &request.kind.group,
        version: &request.kind.version,
        kind: &request.kind.kind,
    }
}

/// What a guard says that needs to know nothing of the tool's account.
fn judged(judge: Judge, policies: &Policies, namespace: &str, request: &Request<'_>) -> Answer {
    let question = Question {
        kind: kind_of(request),
        namespace,
        object: request.object,
        pod_policies: None,
        writer: Writer {
            user: &request.user_info.username,
            groups: &request.user_info.groups,
        },
        phase: Phase::Final,
    };
    match judge.judge(policies, question) {
        Ok(verdict) => Answer::Judged(verdict),
        Err(unjudged) => Answer::Deny(unjudged.to_string()),
    }
}

/// The tool's environment. What may not have it is refused here already: with the mounts added, the API would refuse
/// it in words that explain less.
async fn give_volumes(
    policies: &Policies,
    accounts: &Accounts,
    namespace: &str,
    request: &Request<'_>,
) -> Answer {
    let workload = match Workload::read(&request.kind.kind, namespace, request.object) {
        Ok(workload) => workload,
        Err(error) => return unreadable(&request.kind.kind, &error),
    };
    let verdict = admit_volumes(&policies.volumes, &workload);
    if !verdict.is_allowed() || !policies.volumes.gives_to(&workload) {
        return Answer::Judged(verdict);
    }
    let old = match (request.operation, request.sub_resource.as_deref()) {
        (Operation::Create, None | Some("")) => None,
        (Operation::Update, Some(EPHEMERAL_CONTAINERS)) => {
            match Workload::read(&request.kind.kind, namespace, request.old_object) {
                // On the heap, for it is rare and large.
                Ok(old) => Some(Box::new(old)),
                Err(error) => return unreadable(&request.kind.kind, &error),
            }
        }
        _ => return Answer::unchanged(),
    };
    match accounts.of(namespace).await {
        Ok(account) => Answer::Allow(mutate_volumes(
            &policies.volumes,
            &account,
            &workload,
            old.as_deref(),
        )),
        Err(answer) => answer,
    }
}

/// The object does not have the shape of its kind; the error's own words name the field.
pub(crate) fn unreadable(kind: &str, error: &dyn std::error::Error) -> Answer {
    Answer::Deny(Unjudged::unreadable(kind, error).to_string())
}
