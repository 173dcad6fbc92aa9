//! What the status of an ending namespace says. Pure; the words are those of Kubernetes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::NamespaceCondition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// How far a namespace is from its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remaining {
    /// How many objects of each kind are left, by `PLURAL.GROUP`.
    pub(crate) objects: BTreeMap<String, usize>,
    /// How many objects carry each finalizer.
    pub(crate) finalizers: BTreeMap<String, usize>,
    /// Why objects could not be deleted.
    pub(crate) refusals: Vec<String>,
    /// Why the API does not say what it serves.
    pub(crate) unknown: Option<String>,
}

impl Remaining {
    /// Whether the namespace may go.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Puts what is left of other kinds to it.
    pub(crate) fn extend(&mut self, other: Self) {
        self.objects.extend(other.objects);
        for (finalizer, count) in other.finalizers {
            *self.finalizers.entry(finalizer).or_default() += count;
        }
        self.refusals.extend(other.refusals);
        self.unknown = self.unknown.take().or(other.unknown);
    }
}

/// The conditions, brought up to date; those that say the same stay untouched.
pub(crate) fn updated(
    mut conditions: Vec<NamespaceCondition>,
    remaining: &Remaining,
    now: Timestamp,
) -> Vec<NamespaceCondition> {
    for (kind, trouble, well) in statements(remaining) {
        let status = if trouble.is_some() { "True" } else { "False" };
        let (reason, message) = trouble.unwrap_or((well.0, well.1.to_owned()));
        let known = conditions.iter().position(|known| known.type_ == kind);
        let same = known
            .map(|index| &conditions[index])
            .filter(|known| known.status == status);
        let since = same.and_then(|known| known.last_transition_time.clone());
        let condition = NamespaceCondition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_transition_time: Some(since.unwrap_or(Time(now))),
        };
        match known {
            Some(index) => conditions[index] = condition,
            None => conditions.push(condition),
        }
    }
    conditions
}

/// A condition: its name, reason and message when it holds, and when it does not.
type Statement = (
    &'static str,
    Option<(&'static str, String)>,
    (&'static str, &'static str),
);

fn statements(remaining: &Remaining) -> [Statement; 5] {
    let Remaining {
        objects,
        finalizers,
        refusals,
        unknown,
    } = remaining;
    let discovery = unknown.as_ref().map(|why| {
        (
            "DiscoveryFailed",
            format!("Discovery failed for some groups, 1 failing: {why}"),
        )
    });
    let refused = (!refusals.is_empty()).then(|| {
        let (count, list) = (refusals.len(), refusals.join(", "));
        let message = format!("Failed to delete all resource types, {count} remaining: {list}");
        ("ContentDeletionFailed", message)
    });
    let content = (!objects.is_empty()).then(|| {
        let message = format!("Some resources are remaining: {}", listed(objects, "has"));
        ("SomeResourcesRemain", message)
    });
    let held = (!finalizers.is_empty()).then(|| {
        let list = listed(finalizers, "in");
        let message = format!("Some content in the namespace has finalizers remaining: {list}");
        ("SomeFinalizersRemain", message)
    });
    [
        (
            "NamespaceDeletionDiscoveryFailure",
            discovery,
            ("ResourcesDiscovered", "All resources successfully discovered"),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            None,
            ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ),
        (
            "NamespaceDeletionContentFailure",
            refused,
            (
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
        ),
        (
            "NamespaceContentRemaining",
            content,
            ("ContentRemoved", "All content successfully removed"),
        ),
        (
            "NamespaceFinalizersRemaining",
            held,
            (
                "ContentHasNoFinalizers",
                "All content-preserving finalizers finished",
            ),
        ),
    ]
}

fn listed(counts: &BTreeMap<String, usize>, word: &str) -> String {
    let parts = counts
        .iter()
        .map(|(name, count)| format!("{name} {word} {count} resource instances"));
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_left_and_since_when() {
        let start = Timestamp::UNIX_EPOCH;
        let remaining = Remaining {
            objects: BTreeMap::from([
                ("configmaps.".to_owned(), 2),
                ("widgets.example.org".to_owned(), 1),
            ]),
            finalizers: BTreeMap::from([("example.org/hold".to_owned(), 1)]),
            ..Remaining::default()
        };
        let first = updated(Vec::new(), &remaining, start);
        let said: Vec<(&str, &str, &str)> = first
            .iter()
            .map(|one| {
                (
                    one.type_.as_str(),
                    one.status.as_str(),
                    one.message.as_deref().unwrap_or(""),
                )
            })
            .collect();
        assert_eq!(
            said[3],
            (
                "NamespaceContentRemaining",
                "True",
                "Some resources are remaining: configmaps. has 2 resource instances, widgets.example.org has 1 resource instances",
            )
        );
        assert_eq!(
            said[4],
            (
                "NamespaceFinalizersRemaining",
                "True",
                "Some content in the namespace has finalizers remaining: example.org/hold in 1 resource instances",
            )
        );
        assert_eq!((said[0].1, said[2].1), ("False", "False"));
        let later = start + jiff::SignedDuration::from_secs(5);
        assert_eq!(updated(first.clone(), &remaining, later), first);
        let freed = updated(first, &Remaining::default(), later);
        assert_eq!(freed[4].last_transition_time, Some(Time(later)));
        assert_eq!(freed[4].reason.as_deref(), Some("ContentHasNoFinalizers"));
        assert_eq!(freed[0].last_transition_time, Some(Time(start)));
    }
}
