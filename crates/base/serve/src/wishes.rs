//! What a client's `Accept-Encoding` comes to (RFC 9110 12.5.3). Pure.

use axum::http::{HeaderMap, header::ACCEPT_ENCODING};

/// How much a coding is wished for, in thousandths; nothing where it is not named.
pub type Weight = Option<u16>;

/// What is wished for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Zstandard.
    pub zstd: Weight,
    /// Brotli.
    pub brotli: Weight,
    /// gzip.
    pub gzip: Weight,
    /// The answer as it is.
    pub identity: Weight,
    /// `*`: whatever is not named.
    pub others: Weight,
}

/// Whether a client names gzip among what it takes.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    Wishes::read(headers).is_some_and(|wishes| wishes.gzip.is_some_and(|weight| weight > 0))
}

impl Wishes {
    /// Nothing where there is no such field: then all codings are acceptable, and none is known to be understood.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
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
    use axum::http::{HeaderMap, HeaderValue, header::ACCEPT_ENCODING};

    use super::takes_gzip;

    #[test]
    fn gzip_is_taken_by_those_who_name_it_with_a_weight() {
        for (fields, takes) in [
            (&["gzip"][..], true),
            (&["GZip"], true),
            (&["x-gzip"], true),
            (&["deflate, gzip;q=0.5"], true),
            (&["br", "gzip"], true),
            (&["gzip;q=1.0, identity; q=0.5, *;q=0"], true),
            (&["gzip;q=0"], false),
            (&["gzip; q=0.000"], false),
            (&["gzip;q=2"], false),
            (&["*"], false),
            (&["identity"], false),
            (&["gzipped"], false),
            (&[""], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_str(field).unwrap());
            }
            assert_eq!(takes_gzip(&headers), takes, "{fields:?}");
        }
    }
}
