//! Which coding comes of a visitor's `Accept-Encoding` (RFC 9110 12.5.3). Pure.

use http::HeaderMap;
use toolforge_serve::{Weight, Wishes};

use super::Coding;

/// The coding of those on offer that the visitor wishes most, in the order of the offer where it does not matter; none
/// where the answer is best left as it is. A coding that only `*` allows has to be better than that.
pub(super) fn choose(headers: &HeaderMap, offer: &[Coding]) -> Option<Coding> {
    let wishes = Wishes::read(headers)?;
    // Without a word about it identity is acceptable, and everything that is named is better.
    let identity = wishes.identity.or(wishes.others).unwrap_or(1);
    let acceptable = offer.iter().rev().filter_map(|coding| {
        let named = weight(&wishes, *coding);
        let weight = named.or(wishes.others).filter(|weight| *weight > 0)?;
        let is_named = named.is_some();
        (weight > identity || is_named && weight == identity).then_some((weight, is_named, *coding))
    });
    // The last of the best, which in this order is the first on offer.
    acceptable
        .max_by_key(|(weight, is_named, _)| (*weight, *is_named))
        .map(|(_, _, coding)| coding)
}

fn weight(wishes: &Wishes, coding: Coding) -> Weight {
    match coding {
        Coding::Zstd => wishes.zstd,
        Coding::Brotli => wishes.brotli,
        Coding::Gzip => wishes.gzip,
    }
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
