//! What a visitor's `Accept-Encoding` comes to (RFC 9110 12.5.3). Pure.

use http::{HeaderMap, header::ACCEPT_ENCODING};

use super::Coding;

/// How much a coding is wished for, in thousandths; nothing where it is not named.
type Weight = Option<u16>;

/// What is wished for.
#[derive(Debug, Default)]
struct Wishes {
    zstd: Weight,
    brotli: Weight,
    gzip: Weight,
    identity: Weight,
    /// `*`: whatever is not named.
    others: Weight,
}

/// The coding of those on offer that the visitor wishes most, in the order of the offer where it does not matter; none
/// where the answer is best left as it is. A coding that only `*` allows has to be better than that.
pub(super) fn choose(headers: &HeaderMap, offer: &[Coding]) -> Option<Coding> {
    let wishes = Wishes::read(headers)?;
    // Without a word about it identity is acceptable, and everything that is named is better.
    let identity = wishes.identity.or(wishes.others).unwrap_or(1);
    let acceptable = offer.iter().rev().filter_map(|coding| {
        let named = wishes.of(*coding);
        let weight = named.or(wishes.others).filter(|weight| *weight > 0)?;
        let is_named = named.is_some();
        (weight > identity || is_named && weight == identity).then_some((weight, is_named, *coding))
    });
    // The last of the best, which in this order is the first on offer.
    acceptable
        .max_by_key(|(weight, is_named, _)| (*weight, *is_named))
        .map(|(_, _, coding)| coding)
}

impl Wishes {
    /// Nothing where there is no such field: then all codings are acceptable, and none is known to be understood.
    fn read(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(ACCEPT_ENCODING).iter().peekable();
        fields.peek()?;
        let mut wishes = Self::default();
        for item in fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b',')) {
            let mut parts = item.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let name = parts.next().unwrap_or_default();
            // What cannot be read is no wish.
            let weight = match (parts.next(), parts.next()) {
                (None, _) => 1000,
                (Some(weight), None) => read_weight(weight).unwrap_or(0),
                (Some(_), Some(_)) => 0,
            };
            if let Some(wish) = wishes.named(name) {
                *wish = Some(wish.map_or(weight, |before| before.min(weight)));
            }
        }
        Some(wishes)
    }

    fn named(&mut self, name: &[u8]) -> Option<&mut Weight> {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("gzip") || is("x-gzip") {
            Some(&mut self.gzip)
        } else if is("br") {
            Some(&mut self.brotli)
        } else if is("zstd") {
            Some(&mut self.zstd)
        } else if is("identity") {
            Some(&mut self.identity)
        } else if is("*") {
            Some(&mut self.others)
        } else {
            None
        }
    }

    fn of(&self, coding: Coding) -> Weight {
        match coding {
            Coding::Zstd => self.zstd,
            Coding::Brotli => self.brotli,
            Coding::Gzip => self.gzip,
        }
    }
}

/// `q=` and 0 to 1 with up to three digits after the point, in thousandths (RFC 9110 12.4.2).
fn read_weight(text: &[u8]) -> Option<u16> {
    let (name, number) = text.split_at_checked(2)?;
    if !name.eq_ignore_ascii_case(b"q=") {
        return None;
    }
    let (whole, digits) = match number {
        [whole] => (whole, &[][..]),
        [whole, b'.', digits @ ..] => (whole, digits),
        _ => return None,
    };
    if !matches!(whole, b'0' | b'1') || digits.len() > 3 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |at: usize| digits.get(at).map_or(0, |digit| u16::from(digit - b'0'));
    let thousandths = u16::from(whole - b'0') * 1000 + digit(0) * 100 + digit(1) * 10 + digit(2);
    (thousandths <= 1000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::ACCEPT_ENCODING};
    use proptest::prelude::*;

    use super::choose;
    use crate::compression::{Coding, Offer};

    fn chosen(fields: &[&str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_str(field).unwrap());
        }
        choose(&headers, &Offer::default().0).map(Coding::name)
    }

    #[test]
    fn coding_that_is_wished_most_is_chosen() {
        for (field, expected) in [
            ("gzip", Some("gzip")),
            ("GZip", Some("gzip")),
            ("x-gzip", Some("gzip")),
            ("gzip, deflate, br, zstd", Some("zstd")),
            ("gzip, deflate, br", Some("br")),
            ("br;q=0.5, gzip;q=0.9", Some("gzip")),
            ("br ; Q=1.000 , gzip;q=0.999", Some("br")),
            ("gzip;q=0.001", Some("gzip")),
            ("deflate, compress", None),
            ("", None),
            // Refused.
            ("gzip;q=0", None),
            ("gzip;q=0.000, br", Some("br")),
            ("gzip;q=0, *", None),
            ("zstd;q=0, br;q=0, gzip;q=0", None),
            ("gzip, gzip;q=0", None),
            // As it is, where that is better.
            ("identity", None),
            ("identity;q=0.5, gzip;q=0.4", None),
            ("identity, gzip", Some("gzip")),
            ("identity;q=0, gzip;q=0.1", Some("gzip")),
            ("identity;q=0", None),
            // Everything else.
            ("*", None),
            ("*;q=0", None),
            ("*;q=0, gzip", Some("gzip")),
            ("identity;q=0, *", Some("zstd")),
            ("identity;q=0.1, *;q=0.5, zstd;q=0", Some("br")),
            ("gzip, *;q=0.5", Some("gzip")),
            ("gzip;q=0.5, *;q=0.5", Some("gzip")),
            // What is no weight is no wish.
            ("gzip;q=2", None),
            ("gzip;q=1.001", None),
            ("gzip;q=0.0001", None),
            ("gzip;q=-1", None),
            ("gzip;q=", None),
            ("gzip;q", None),
            ("gzip;level=1", None),
            ("gzip;q=1;q=1", None),
            ("gzip;q=x, br", Some("br")),
            (",,gzip,", Some("gzip")),
        ] {
            assert_eq!(chosen(&[field]), expected, "{field:?}");
        }
        assert_eq!(chosen(&[]), None);
        assert_eq!(chosen(&["gzip;q=0.5", "br"]), Some("br"));
    }

    #[test]
    fn only_what_is_on_offer_is_chosen() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, br, zstd"));
        assert_eq!(choose(&headers, &[]), None);
        assert_eq!(
            choose(&headers, &[Coding::Gzip, Coding::Zstd]),
            Some(Coding::Gzip)
        );
    }

    proptest! {
        #[test]
        fn anything_is_read(field in "[ -~]{0,60}") {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(&field).unwrap());
            choose(&headers, &Offer::default().0);
        }
    }
}
