//! In which form a client wants its answer, by its Accept header.

/// The forms there are, in the order in which they are preferred when a client does not care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Html,
    Json,
    Text,
}

impl Form {
    const ALL: [Self; 3] = [Self::Html, Self::Json, Self::Text];

    /// The form that the header asks for; HTML when it says nothing that is understood.
    pub(crate) fn wanted(accept: &str) -> Self {
        let mut best = (Self::Html, 0);
        for form in Self::ALL {
            let quality = form.quality(accept);
            if quality > best.1 {
                best = (form, quality);
            }
        }
        best.0
    }

    /// Media type of the answer.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Html => ("text", "html"),
            Self::Json => ("application", "json"),
            Self::Text => ("text", "plain"),
        }
    }

    /// Quality in thousandths that the most specific range which matches gives to this form.
    fn quality(self, accept: &str) -> u16 {
        let (kind, subtype) = self.media_type();
        let matching = accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let (range_kind, range_subtype) = parts.next()?.split_once('/')?;
            let specific = match (range_kind, range_subtype) {
                ("*", "*") => 0,
                (k, "*") if k.eq_ignore_ascii_case(kind) => 1,
                (k, s) if k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(subtype) => 2,
                _ => return None,
            };
            let quality =
                parts.find_map(|parameter| parameter.strip_prefix("q=").or(parameter.strip_prefix("Q=")));
            Some((specific, quality.map_or(1000, thousandths)))
        });
        matching
            .max_by_key(|(specific, _)| *specific)
            .map_or(0, |(_, quality)| quality)
    }
}

/// A quality value such as `0.8`; what is none counts as the best.
fn thousandths(quality: &str) -> u16 {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let digits = format!("{fraction:0<3}");
    match (whole, digits.get(..3).and_then(|digits| digits.parse().ok())) {
        ("0", Some(thousandths)) => thousandths,
        _ => 1000,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Form;

    #[test]
    fn follows_the_header() {
        for (accept, form) in [
            ("", Form::Html),
            ("*/*", Form::Html),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Form::Html,
            ),
            ("application/json", Form::Json),
            ("application/json, text/html;q=0.9", Form::Json),
            ("text/html;q=0.8, application/json;q=0.9", Form::Json),
            ("application/json, */*", Form::Html),
            ("application/json, */*;q=0.8", Form::Json),
            ("text/plain", Form::Text),
            ("text/*, text/html;q=0.1", Form::Text),
            ("TEXT/PLAIN", Form::Text),
            ("application/*", Form::Json),
            ("text/html;q=0, application/json", Form::Json),
            ("image/webp", Form::Html),
            ("nonsense", Form::Html),
            (";;,,/", Form::Html),
        ] {
            assert_eq!(Form::wanted(accept), form, "{accept:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(accept in "\\PC{0,60}") {
            let _ = Form::wanted(&accept);
        }
    }
}
