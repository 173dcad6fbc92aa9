//! The authorities that the API is told to trust: those of now, and for a while those of before. Pure.
//!
//! Several replicas write the same bundle, and do not learn of a change at the same moment. So nobody takes out at once what
//! is in the bundle and not among its own authorities: that may be the old one, under which another replica's
//! certificate is still good, or the new one, of which only the other has heard. It is noted until when such a one stays.
//! Whoever comes to the same bundle in another order leaves the order as it is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

/// The annotation that says until when authorities stay that are no longer among those of now: their SHA-256 to a time.
pub(crate) const RETIRED: &str = "admission.toolforge.org/retired-authorities";
/// More than these do not stay: whoever changes authorities every day has another problem.
const MOST_RETIRED: usize = 8;

/// An authority's certificate, in DER.
pub(crate) type Der = Vec<u8>;

/// What the API is to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// In the order in which they are written.
    pub(crate) authorities: Vec<Der>,
    /// Until when the retired ones stay, by their fingerprints.
    pub(crate) retired: BTreeMap<String, Timestamp>,
}

impl Bundle {
    /// When the next one goes.
    pub(crate) fn next_end(&self) -> Option<Timestamp> {
        self.retired.values().min().copied()
    }

    /// The value of the annotation; none where nothing is noted.
    pub(crate) fn note(&self) -> Option<String> {
        (!self.retired.is_empty())
            .then(|| serde_json::to_string(&self.retired).expect("texts and times are plain data"))
    }

    /// As it is to be after `now`: all of `current`, and for `kept` what else is there.
    pub(crate) fn with(&self, current: &[Der], now: Timestamp, kept: SignedDuration) -> Self {
        let latest = now.saturating_add(kept).unwrap_or(now);
        let mut retired: Vec<(&Der, Timestamp)> = Vec::new();
        for authority in self.authorities.iter().filter(|der| !current.contains(der)) {
            let noted = self.retired.get(&fingerprint(authority));
            let until = noted.map_or(latest, |until| (*until).min(latest));
            if until > now && retired.iter().all(|(der, _)| *der != authority) {
                retired.push((authority, until));
            }
        }
        retired.sort_by_key(|(_, until)| std::cmp::Reverse(*until));
        retired.truncate(MOST_RETIRED);
        let stays = |der: &&Der| current.contains(der) || retired.iter().any(|(other, _)| other == der);
        let mut authorities: Vec<Der> = Vec::new();
        for authority in self.authorities.iter().filter(stays).chain(current) {
            if !authorities.contains(authority) {
                authorities.push(authority.clone());
            }
        }
        // A note of what is current here may be that of a replica that has not heard of it yet: it runs out by itself.
        let of_others = current.iter().filter_map(|der| {
            let fingerprint = fingerprint(der);
            let until = *self.retired.get(&fingerprint)?;
            (until > now).then(|| (fingerprint, until.min(latest)))
        });
        let retired = retired.iter().map(|(der, until)| (fingerprint(der), *until));
        Self {
            retired: retired.chain(of_others).collect(),
            authorities,
        }
    }
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn fingerprint(der: &[u8]) -> String {
    toolforge_pki::sha256(der)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a text cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: SignedDuration = SignedDuration::from_hours(10);

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).unwrap()
    }

    fn der(name: &str) -> Der {
        name.as_bytes().to_vec()
    }

    fn names(bundle: &Bundle) -> String {
        String::from_utf8(bundle.authorities.concat()).unwrap()
    }

    #[test]
    fn an_authority_that_was_replaced_stays_for_a_while() {
        let first = Bundle::default().with(&[der("a")], at(0), KEPT);
        assert_eq!((names(&first).as_str(), first.note()), ("a", None));
        let both = first.with(&[der("b")], at(1), KEPT);
        assert_eq!((names(&both).as_str(), both.next_end()), ("ab", Some(at(11))));
        assert_eq!(both.with(&[der("b")], at(5), KEPT), both);
        let after = both.with(&[der("b")], at(11), KEPT);
        assert_eq!((names(&after).as_str(), after.note()), ("b", None));
    }

    #[test]
    fn replicas_that_do_not_know_the_same_do_not_fight() {
        let before = Bundle::default().with(&[der("a")], at(0), KEPT);
        let one = [der("b")];
        let other = [der("a")];
        let mut bundle = before.with(&one, at(1), KEPT);
        let mut writes = 0;
        for turn in 0..10 {
            let of = if turn % 2 == 0 { &other } else { &one };
            let next = bundle.with(of, at(2), KEPT);
            writes += usize::from(next != bundle);
            bundle = next;
        }
        assert_eq!((names(&bundle).as_str(), writes), ("ab", 1));
        // The other has heard of it, too: nothing is to be written for that.
        assert_eq!(bundle.with(&one, at(3), KEPT), bundle);
        let after = bundle.with(&one, at(12), KEPT);
        assert_eq!((names(&after).as_str(), after.note()), ("b", None));
    }

    #[test]
    fn order_is_nobodys() {
        let bundle = Bundle::default().with(&[der("b"), der("a")], at(0), KEPT);
        assert_eq!(bundle.with(&[der("a"), der("b")], at(0), KEPT), bundle);
    }

    #[test]
    fn notes_do_not_reach_further_than_anybody_may_keep() {
        let mut bundle = Bundle::default().with(&[der("a"), der("x")], at(0), KEPT);
        bundle.retired.insert(fingerprint(b"x"), at(9_999));
        let bundle = bundle.with(&[der("a")], at(1), KEPT);
        assert_eq!(bundle.next_end(), Some(at(11)));
        let many: Vec<Der> = (0..20).map(|i| der(&format!("{i:02}"))).collect();
        let crowded = Bundle::default()
            .with(&many, at(0), KEPT)
            .with(&[der("a")], at(1), KEPT);
        assert_eq!(crowded.authorities.len(), MOST_RETIRED + 1);
    }
}
