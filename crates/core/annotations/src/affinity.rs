//! `affinity: cookie`: a visitor stays with the endpoint that a cookie stands for.

/// The name of the cookie where none is given.
pub(crate) const COOKIE_NAME: &str = "INGRESSCOOKIE";

/// How a visitor is kept with an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affinity {
    /// The cookie's name.
    pub name: String,
    /// Its path; `None` for the path of the rule.
    pub path: Option<String>,
    /// After how many seconds browsers forget it; below zero at once.
    pub max_age_seconds: Option<i64>,
    /// The same as a date, for old browsers.
    pub expires_seconds: Option<i64>,
    /// To which requests of other sites browsers add it.
    pub same_site: Option<SameSite>,
    /// Whether it is for HTTPS alone; `None` where that follows from how the visitor came.
    pub secure: Option<bool>,
    /// Whether a visitor whose endpoint fails gets another one for good.
    pub change_on_failure: bool,
    /// Whether visitors stay where they are when endpoints are added.
    pub persistent: bool,
}

/// The values of `SameSite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// To none.
    Strict,
    /// To those that lead the visitor here.
    Lax,
    /// To all; only with HTTPS.
    None,
}

impl SameSite {
    /// As it stands in the cookie.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let all = [Self::Strict, Self::Lax, Self::None];
        all.into_iter()
            .find(|one| one.as_str().eq_ignore_ascii_case(text))
    }
}

/// A name that a cookie can have (RFC 6265), of characters that no script takes for others.
pub(crate) fn cookie_name(text: &str) -> Option<String> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_name = !text.is_empty() && text.len() <= 64 && text.bytes().all(is_plain);
    is_name.then(|| text.to_owned())
}

/// A path that a cookie can have: `;` would begin another attribute.
pub(crate) fn cookie_path(text: &str) -> Option<String> {
    let path = crate::values::path(text)?;
    (!path.contains(['?', ','])).then(|| path.to_owned())
}

/// A number of seconds, which may be below zero.
pub(crate) fn lifetime(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let seconds = i64::try_from(crate::values::number(digits)?).ok()?;
    // Four hundred years: dates have an end.
    (seconds <= 400 * 366 * 86_400).then_some(sign * seconds)
}
