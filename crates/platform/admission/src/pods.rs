//! The Pod security guard: which policies somebody may use here, what they say, and a second look before a refusal.

use std::sync::Arc;

use toolforge_policy::psp::{Holder, Phase, PodSecurityPolicy, ServiceAccount, Who, judge_pod};
use toolforge_policy::{Changes, Verdict, Workload, forgo_token, is_of_tool};

use crate::accounts::Accounts;
use crate::answer::Answer;
use crate::grants::{Grants, LookError};
use crate::guard::{EPHEMERAL_CONTAINERS, unreadable};
use crate::review::{Operation, Request};

/// What the guard knows of the cluster.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) accounts: &'a Accounts,
    pub(crate) grants: &'a Grants,
    /// Whether it stands before all namespaces, and not before those of tools only.
    pub(crate) everywhere: bool,
}

/// Judges a Pod, or a template of Pods, as it is about to be stored.
///
/// A template that stays is not judged again: its Pods are, when they are made, and what may not make any more has to be
/// brought down to none.
pub(crate) async fn validate(known: Known<'_>, namespace: &str, request: &Request<'_>) -> Answer {
    if request.keeps_template() {
        return Answer::unchanged();
    }
    let workload = match Workload::read(&request.kind.kind, namespace, request.object) {
        Ok(workload) => workload,
        Err(error) => return unreadable(&request.kind.kind, &error),
    };
    match judge(known, namespace, request, &workload, Phase::Final).await {
        Ok(_) => Answer::unchanged(),
        Err(answer) => answer,
    }
}

/// Gives a Pod what it gets: everything when it is created, only its new containers when those are added later.
pub(crate) async fn complete(known: Known<'_>, namespace: &str, request: &Request<'_>) -> Answer {
    let phase = match (request.operation, request.sub_resource.as_deref()) {
        (Operation::Create, None | Some("")) => Phase::Create,
        (Operation::Update, Some(EPHEMERAL_CONTAINERS)) => Phase::EphemeralContainers,
        _ => return Answer::unchanged(),
    };
    // Only what reads as a Pod is changed; anything else is refused in the words of what is wrong with it.
    let mut pod = match Workload::read("Pod", namespace, request.object) {
        Ok(pod) => pod,
        Err(error) => return unreadable("Pod", &error),
    };
    let forgone = if phase == Phase::Create && is_of_tool(namespace) {
        forgo_token(&mut pod)
    } else {
        Changes::default()
    };
    match judge(known, namespace, request, &pod, phase).await {
        Ok(completion) => Answer::Allow(forgone.and_then(completion)),
        Err(answer) => answer,
    }
}

/// Asks the policies that are known; when none lets the Pod in, asks those that the API knows now. What comes back is what
/// the policy that applies gives the Pod in this phase.
async fn judge(
    known: Known<'_>,
    namespace: &str,
    request: &Request<'_>,
    workload: &Workload,
    phase: Phase,
) -> Result<Changes, Answer> {
    let who = Who::before_pod_guard(&request.user_info.username, namespace, known.everywhere)
        .map_err(|unjudged| Answer::Deny(unjudged.to_string()))?;
    let account = ServiceAccount::new(namespace, workload.service_account());
    let maker = Holder {
        user: who.user,
        groups: &request.user_info.groups,
    };
    let holders = [maker, account.holder()];
    let ask = |policies: &[Arc<PodSecurityPolicy>]| {
        let judgement = judge_pod(policies.iter().map(Arc::as_ref).collect(), who, workload, phase);
        let may_change = judgement.wants_another_policy();
        let completion = judgement.completion();
        (may_change, granted(completion, judgement.into_verdict()))
    };
    let (may_change, found) = ask(&known.grants.usable(namespace, &holders));
    if !may_change {
        return found;
    }
    // What was granted a moment ago may not have arrived here yet. On the heap, for it is rare and large.
    let policies = Box::pin(known.grants.look(namespace, &holders))
        .await
        .map_err(|error| later(namespace, &error))?;
    if policies.is_empty() && who.tool {
        known.accounts.of(namespace).await?;
    }
    ask(&policies).1
}

fn granted(completion: Changes, verdict: Verdict) -> Result<Changes, Answer> {
    if verdict.is_allowed() {
        Ok(completion)
    } else {
        Err(Answer::Judged(verdict))
    }
}

fn later(namespace: &str, error: &LookError) -> Answer {
    let source = std::error::Error::source(error);
    tracing::warn!(namespace, %error, source, "the Pod security policies of a namespace cannot be read");
    Answer::Later(format!(
        "the Pod security policies of namespace {namespace} cannot be read at the moment; try again in a moment"
    ))
}
