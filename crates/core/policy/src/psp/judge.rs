//! The choice among the policies that somebody may use for a Pod.

use super::check::check;
use super::complete::completion;
use super::defaults::Defaults;
use super::{PSP_ANNOTATION, Phase, PodSecurityPolicy};
use crate::verdict::{Law, Offences, bare};
use crate::{Changes, Verdict, Workload, pod};

/// How many policies' offences are kept: whoever may use all policies of a platform reads the first of them.
const TOLD_POLICIES: usize = 20;

/// Who asks, for the words of a refusal, and whether it is a tool's namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who<'a> {
    /// Name of the user who asks.
    pub user: &'a str,
    /// Whether the Pod is a tool's, which must keep to some rules that no policy can lift.
    pub tool: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Judgement<'a> {
    workload: &'a Workload,
    phase: Phase,
    policy: Option<&'a PodSecurityPolicy>,
    defaults: Defaults<'a>,
    verdict: Verdict,
    fits: bool,
}

impl<'a> Judgement<'a> {
    /// The policy that applies; none when all refuse.
    pub fn policy(&self) -> Option<&'a PodSecurityPolicy> {
        self.policy
    }

    /// What is wrong with the Pod, by every policy that was tried.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Whether every policy that was tried refuses, so that another one might change the verdict.
    pub fn wants_another_policy(&self) -> bool {
        !self.fits
    }

    /// Takes the verdict out.
    pub fn into_verdict(self) -> Verdict {
        self.verdict
    }

    /// What the policy that applies gives the Pod, with the annotation that names the policy, as changes of the object
    /// that was judged; none where nothing may be changed.
    pub fn completion(&self) -> Changes {
        match (self.policy, self.phase) {
            (Some(policy), Phase::Create | Phase::EphemeralContainers) => {
                completion(self.workload, policy.name(), &self.defaults)
            }
            _ => Changes::default(),
        }
    }
}

/// Judges a Pod, or a template of Pods, by the policies that may be used for it.
///
/// On creation a policy that needs to change nothing is preferred, then the first by name. Later nothing but what is
/// new may change, and the policy that the Pod's annotation names is asked first. A template is judged as one in every
/// `phase`. The order of `policies` does not matter.
pub fn judge_pod<'a>(
    mut policies: Vec<&'a PodSecurityPolicy>,
    who: Who<'_>,
    workload: &'a Workload,
    phase: Phase,
) -> Judgement<'a> {
    let phase = if workload.is_pod() { phase } else { Phase::Template };
    let first = match phase {
        Phase::Create | Phase::Template => None,
        Phase::EphemeralContainers | Phase::Final => workload.annotation(PSP_ANNOTATION),
    };
    policies.sort_unstable_by_key(|policy| (Some(policy.name()) != first, policy.name()));
    policies.dedup_by_key(|policy| policy.name());
    let mut found: Option<(&PodSecurityPolicy, Defaults<'a>)> = None;
    let mut refusals = Vec::new();
    for policy in &policies {
        let defaults = Defaults::of(policy, workload, phase);
        let mut offences = check(policy, workload, &defaults, phase);
        if who.tool {
            pod::check_beside(policy, workload, &mut offences);
        }
        if !offences.is_empty() {
            if found.is_none() && refusals.len() < TOLD_POLICIES {
                refusals.push((policy.name(), offences));
            }
        } else if phase != Phase::Create || defaults.are_none() {
            found = Some((policy, defaults));
            break;
        } else if found.is_none() {
            found = Some((policy, defaults));
        }
    }
    let ground = if who.tool {
        pod::check_ground(workload)
    } else {
        Offences::default()
    };
    let refusals = match (&found, policies.as_slice()) {
        (Some(_), _) => vec![],
        (None, []) => vec![none_usable(who, workload).into_verdict()],
        (None, [_]) => refusals
            .into_iter()
            .map(|(_, offences)| offences.into_verdict())
            .collect(),
        (None, _) => refusals
            .into_iter()
            .map(|(name, offences)| offences.told_by(name))
            .collect(),
    };
    let verdict = Verdict::of(refusals.into_iter().chain([ground.into_verdict()]));
    let (policy, defaults) = found.unzip();
    Judgement {
        workload,
        phase,
        fits: policy.is_some(),
        policy: policy.filter(|_| verdict.is_allowed()),
        defaults: defaults.unwrap_or_default(),
        verdict,
    }
}

fn none_usable(who: Who<'_>, workload: &Workload) -> Offences {
    let law = Law::fixed(
        "pod/policy",
        "Pods need a PodSecurityPolicy that their maker or their service account may use",
        "ask an administrator to bind a Role with the verb use on podsecuritypolicies of policy.toolforge.org",
    );
    let account = workload.service_account();
    let (user, account) = (bare(who.user), bare(account));
    let namespace = bare(workload.namespace());
    let found =
        format!("neither user {user:?} nor service account {account:?} may use any in namespace {namespace}");
    let mut offences = Offences::default();
    offences.shown_as(&law, workload.field("serviceAccountName"), found);
    offences
}
