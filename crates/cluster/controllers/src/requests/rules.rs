//! What each signer signs, and how long a request is kept. Pure. The rules are those that Kubernetes documents for its
//! signers ("Certificate Signing Requests", section "Kubernetes signers").

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestSpec};
use toolforge_pki::{Requested, Usage, Usages};

/// Shortest life of a certificate that may be asked for.
const SHORTEST: Duration = Duration::from_mins(10);
/// Life of a certificate when none is asked for, and the longest: a year.
const LONGEST: Duration = Duration::from_hours(24 * 365);
/// A request that was answered is kept that long.
const ANSWERED_KEPT: SignedDuration = SignedDuration::from_hours(1);
/// A request that nobody answered is kept that long.
const PENDING_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// The group of those who may do everything; no certificate for it comes out of a request.
const MASTERS: &str = "system:masters";

/// The signers that are at work here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    /// `kubernetes.io/kube-apiserver-client`
    ApiClient,
    /// `kubernetes.io/kube-apiserver-client-kubelet`
    NodeClient,
    /// `kubernetes.io/kubelet-serving`
    NodeServing,
}

impl Signer {
    /// The signer of that name, if it is one of ours.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "kubernetes.io/kube-apiserver-client" => Some(Self::ApiClient),
            "kubernetes.io/kube-apiserver-client-kubelet" => Some(Self::NodeClient),
            "kubernetes.io/kubelet-serving" => Some(Self::NodeServing),
            _ => None,
        }
    }

    /// What its certificates are for: its own purpose, with what the request says of the key.
    pub(crate) fn usages(self, spec: &CertificateSigningRequestSpec) -> Usages {
        let asked = |usage: &str| spec.usages.iter().flatten().any(|asked| asked == usage);
        Usages {
            purpose: match self {
                Self::ApiClient | Self::NodeClient => Usage::Client,
                Self::NodeServing => Usage::Server,
            },
            digital_signature: asked("digital signature"),
            key_encipherment: asked("key encipherment"),
        }
    }
}

/// Decides whether `signer` signs a request for `subject`; the reason if not.
pub(crate) fn admit_request(
    signer: Signer,
    spec: &CertificateSigningRequestSpec,
    subject: &Requested,
) -> Result<(), String> {
    admit_usages(signer, spec.usages.as_deref().unwrap_or_default())?;
    match signer {
        Signer::ApiClient if subject.organizations.iter().any(|group| group == MASTERS) => Err(format!(
            "use of {} signer with {MASTERS} group is not allowed: ask for another group and bind a role to it",
            spec.signer_name
        )),
        Signer::ApiClient if subject.common_name.is_empty() => {
            Err("subject common name is empty: it becomes the user name".to_owned())
        }
        Signer::ApiClient => Ok(()),
        Signer::NodeClient => admit_node(subject).and_then(|()| without_names(subject)),
        Signer::NodeServing => admit_node(subject).and_then(|()| reachable(subject)),
    }
}

/// A node's identity has no other name than its subject.
fn without_names(subject: &Requested) -> Result<(), String> {
    let kinds = [
        ("DNS", subject.dns_names.is_empty()),
        ("Email", subject.emails.is_empty()),
        ("IP", subject.addresses.is_empty()),
        ("URI", subject.uris.is_empty()),
    ];
    match kinds.into_iter().find(|(_, none)| !none) {
        Some((kind, _)) => Err(format!("{kind} subjectAltNames are not allowed")),
        None => Ok(()),
    }
}

/// A server is reached by a name or an address, and by nothing else.
fn reachable(subject: &Requested) -> Result<(), String> {
    if subject.dns_names.is_empty() && subject.addresses.is_empty() {
        return Err("DNS or IP subjectAltName is required".to_owned());
    }
    if !subject.emails.is_empty() {
        return Err("Email subjectAltNames are not allowed".to_owned());
    }
    if !subject.uris.is_empty() {
        return Err("URI subjectAltNames are not allowed".to_owned());
    }
    Ok(())
}

fn admit_node(subject: &Requested) -> Result<(), String> {
    if subject.organizations != ["system:nodes"] {
        return Err("subject organization is not system:nodes".to_owned());
    }
    if subject
        .common_name
        .strip_prefix("system:node:")
        .is_none_or(str::is_empty)
    {
        return Err("subject common name does not begin with system:node:".to_owned());
    }
    Ok(())
}

fn admit_usages(signer: Signer, usages: &[String]) -> Result<(), String> {
    let (needed, allowed): (&[&str], &[&str]) = match signer {
        Signer::ApiClient => (
            &["client auth"],
            &["client auth", "digital signature", "key encipherment"],
        ),
        Signer::NodeClient => (
            &["client auth", "digital signature"],
            &["client auth", "digital signature", "key encipherment"],
        ),
        Signer::NodeServing => (
            &["server auth", "digital signature"],
            &["server auth", "digital signature", "key encipherment"],
        ),
    };
    if let Some(missing) = needed
        .iter()
        .find(|needed| !usages.iter().any(|usage| usage == *needed))
    {
        return Err(format!(
            "usages did not contain \"{missing}\", which this signer needs"
        ));
    }
    match usages.iter().find(|usage| !allowed.contains(&usage.as_str())) {
        Some(extra) => Err(format!(
            "usages contain \"{extra}\"; this signer allows only: {}",
            allowed.join(", ")
        )),
        None => Ok(()),
    }
}

/// How long the certificate is to live.
pub(crate) fn lifetime(spec: &CertificateSigningRequestSpec) -> Duration {
    let Some(seconds) = spec.expiration_seconds else {
        return LONGEST;
    };
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).clamp(SHORTEST, LONGEST)
}

/// What is to be done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Sign it.
    Sign(Signer),
    /// Delete it.
    ClearAway,
    /// Come back after that time to delete it.
    Keep(Duration),
}

/// Decides over `request` at `now`.
pub(crate) fn verdict(request: &CertificateSigningRequest, now: Timestamp) -> Verdict {
    let status = request.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let is = |kind: &str| {
        conditions
            .iter()
            .any(|condition| condition.type_ == kind && condition.status != "False")
    };
    let signed = status
        .certificate
        .is_some_and(|certificate| !certificate.0.is_empty());
    if is("Approved")
        && !is("Denied")
        && !is("Failed")
        && !signed
        && let Some(signer) = Signer::named(&request.spec.signer_name)
    {
        return Verdict::Sign(signer);
    }
    let answered = conditions.iter().filter_map(|condition| {
        condition
            .last_update_time
            .as_ref()
            .or(condition.last_transition_time.as_ref())
            .map(|time| time.0)
    });
    let created = request
        .metadata
        .creation_timestamp
        .as_ref()
        .map_or(now, |time| time.0);
    let until = if conditions.is_empty() {
        created + PENDING_KEPT
    } else {
        answered.max().unwrap_or(created) + ANSWERED_KEPT
    };
    match Duration::try_from(until.duration_since(now)) {
        Ok(rest) if !rest.is_zero() => Verdict::Keep(rest),
        _ => Verdict::ClearAway,
    }
}

#[cfg(test)]
mod tests;
