//! Refusals in the words of Kubernetes, which has no other mark for them: all of them are `Forbidden`.

/// Who or what refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A quota, or a limit of what one container may have.
    Quota,
    /// A guard: a webhook or policy that looked at the object and does not let it in.
    Guard,
    /// The API itself: a role that is missing, or a guard that cannot be asked.
    Api,
}

impl Refusal {
    /// From a message; nothing for one that is no refusal, or of a kind that is not known.
    ///
    /// The words are those of Kubernetes' quota, limit and webhook plugins, unchanged for many versions.
    pub fn of(message: &str) -> Option<Self> {
        const WORDS: [(&str, Refusal); 12] = [
            ("admission webhook", Refusal::Guard),
            ("ValidatingAdmissionPolicy", Refusal::Guard),
            (
                "unable to validate against any pod security policy",
                Refusal::Guard,
            ),
            ("unable to admit pod", Refusal::Guard),
            ("violates PodSecurity", Refusal::Guard),
            ("failed calling webhook", Refusal::Api),
            ("cannot ", Refusal::Api),
            ("exceeded quota", Refusal::Quota),
            ("failed quota", Refusal::Quota),
            ("usage per ", Refusal::Quota),
            ("insufficient quota", Refusal::Quota),
            ("status unknown for quota", Refusal::Quota),
        ];
        let (_, refusal) = WORDS.iter().find(|(words, _)| match *words {
            // `User "x" cannot create resource "y"`: roles, that is credentials.
            "cannot " => message.contains(" cannot ") && message.contains(" resource "),
            words => message.contains(words),
        })?;
        Some(*refusal)
    }

    /// The part of a message that says what is wrong, without what it is about: of a quota the amounts, of a guard its reason.
    pub fn reason(self, message: &str) -> &str {
        let reason = match self {
            Self::Quota => {
                let part = message.split_once("exceeded quota: ");
                part.and_then(|(_, rest)| rest.split_once(", "))
            }
            Self::Guard | Self::Api => message.rsplit_once("denied the request: "),
        };
        reason.map_or(message, |(_, reason)| reason)
    }
}

#[cfg(test)]
mod tests {
    use super::Refusal;

    #[test]
    fn refusals_are_told_apart() {
        for (message, refusal) in [
            (
                "pods \"a\" is forbidden: exceeded quota: tool-a, requested: limits.cpu=9",
                Some(Refusal::Quota),
            ),
            (
                "pods \"a\" is forbidden: maximum memory usage per Container is 4Gi, but limit is 8Gi",
                Some(Refusal::Quota),
            ),
            (
                "admission webhook \"ingress.toolforge.org\" denied the request: exceeded quota of jokes",
                Some(Refusal::Guard),
            ),
            (
                "Internal error occurred: failed calling webhook \"x\": connection refused",
                Some(Refusal::Api),
            ),
            (
                "services is forbidden: User \"a\" cannot list resource \"services\" in API group \"\"",
                Some(Refusal::Api),
            ),
            ("Deployment.apps \"a\" is invalid: spec.replicas", None),
        ] {
            assert_eq!(Refusal::of(message), refusal, "{message}");
        }
    }

    #[test]
    fn a_reason_is_what_is_left_without_names() {
        let quota = "pods \"t-1\" is forbidden: exceeded quota: tool-t, requested: pods=1, used: pods=4";
        assert_eq!(Refusal::Quota.reason(quota), "requested: pods=1, used: pods=4");
        let guard = "admission webhook \"x\" denied the request: image y is not allowed";
        assert_eq!(Refusal::Guard.reason(guard), "image y is not allowed");
        assert_eq!(Refusal::Api.reason("no"), "no");
    }
}
