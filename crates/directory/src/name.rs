//! Distinguished names (RFC 4514): parsed once, compared by their normal form ever after.
//!
//! Used by everything in this crate. Knows nothing of entries or of the tree.

use std::{fmt, sync::Arc};

use crate::schema;

#[cfg(test)]
mod tests;

/// A name longer than this is refused: nobody has one, and it bounds what a peer can make us compare.
const LONGEST_BYTES: usize = 4096;

/// What separates the parts of a normal form; it cannot occur in a normalised value.
const SEPARATOR: char = '\u{1}';

/// Why a text is not a distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a distinguished name: {rule}")]
pub struct NameError {
    /// The text, shortened.
    pub text: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

/// A distinguished name: as it was written, and its normal form.
#[derive(Clone)]
pub struct Dn {
    text: Arc<str>,
    key: Arc<str>,
    rdns: Arc<[Rdn]>,
}

impl Dn {
    /// Reads a name; the empty text is the root.
    ///
    /// # Errors
    /// When the text is not a name, with the rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refuse = |rule| NameError {
            text: text.chars().take(80).collect(),
            rule,
        };
        if text.len() > LONGEST_BYTES {
            return Err(refuse("it is longer than 4096 bytes"));
        }
        let rdns = parse_rdns(text).map_err(refuse)?;
        let mut parts: Vec<String> = rdns.iter().map(|rdn| normal_rdn(rdn)).collect();
        parts.reverse();
        let mut key = String::new();
        for part in &parts {
            key.push_str(part);
            key.push(SEPARATOR);
        }
        Ok(Self {
            text: without_blanks(text).into(),
            key: key.into(),
            rdns: rdns.into(),
        })
    }

    /// The normal form: equal for equal names, and a prefix of the normal form of everything below.
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// How many relative names it has; the root has none.
    pub fn depth(&self) -> usize {
        self.rdns.len()
    }

    /// The attributes and values of its first relative name.
    pub fn rdn(&self) -> &[(String, Vec<u8>)] {
        self.rdns.first().map_or(&[], Vec::as_slice)
    }

    /// The attributes and values of all its relative names.
    pub fn all_pairs(&self) -> impl Iterator<Item = &(String, Vec<u8>)> {
        self.rdns.iter().flatten()
    }

    /// The normal form of the parent; none for the root.
    pub fn parent_key(&self) -> Option<&str> {
        parent_key(&self.key)
    }

    /// The name of the parent, as it was written; empty for a top name.
    pub fn parent_text(&self) -> &str {
        split_unescaped(&self.text, ',').next().map_or("", |first| {
            self.text.get(first.len() + 1..).unwrap_or("").trim_start()
        })
    }

    /// Whether this is `base` or lies below it.
    pub fn is_within(&self, base: &Self) -> bool {
        self.key.starts_with(&*base.key)
    }
}

/// The normal form of the parent of a normal form.
pub(crate) fn parent_key(key: &str) -> Option<&str> {
    let inner = key.strip_suffix(SEPARATOR)?;
    Some(inner.rfind(SEPARATOR).map_or("", |at| &key[..=at]))
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dn({})", self.text)
    }
}

impl PartialEq for Dn {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Dn {}

type Rdn = Vec<(String, Vec<u8>)>;

fn parse_rdns(text: &str) -> Result<Vec<Rdn>, &'static str> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    split_unescaped(text, ',')
        .map(|rdn| {
            split_unescaped(rdn, '+')
                .map(parse_pair)
                .collect::<Result<Rdn, _>>()
        })
        .collect()
}

fn parse_pair(pair: &str) -> Result<(String, Vec<u8>), &'static str> {
    let (attribute, value) = pair
        .split_once('=')
        .ok_or("each part has to be ATTRIBUTE=VALUE")?;
    let attribute = attribute.trim();
    if !schema::is_attribute_name(attribute) {
        return Err("an attribute's name is letters, digits and hyphens, or an OID");
    }
    let value = unescape(value)?;
    if value.is_empty() {
        return Err("a value must not be empty");
    }
    Ok((schema::canonical(attribute), value))
}

/// The pieces between unescaped separators that stand outside of quotes; `;` is no separator (RFC 4514).
fn split_unescaped(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let current = rest?;
        let mut escaped = false;
        let mut quoted = false;
        for (at, c) in current.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = !quoted,
                c if c == separator && !quoted => {
                    rest = Some(&current[at + c.len_utf8()..]);
                    return Some(&current[..at]);
                }
                _ => {}
            }
        }
        rest = None;
        Some(current)
    })
}

/// A name without the blanks around it; one that is escaped is part of the last value.
fn without_blanks(text: &str) -> &str {
    let text = text.trim_start_matches(' ');
    let end = text.trim_end_matches(' ');
    let escaped = end.ends_with('\\') && end.len() < text.len();
    text.get(..end.len() + usize::from(escaped)).unwrap_or(text)
}

fn unescape(text: &str) -> Result<Vec<u8>, &'static str> {
    // Blanks, and not all that Unicode calls white space: those are part of a value (RFC 4514, 2.4).
    let text = text.trim_start_matches(' ');
    if let Some(hex) = text.trim_end().strip_prefix('#') {
        return ber_string(hex);
    }
    let text = text
        .strip_prefix('"')
        .and_then(|t| t.trim_end().strip_suffix('"'))
        .unwrap_or(text);
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    // Trailing blanks are dropped unless escaped, so remember how far the value certainly goes.
    let mut keep = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if byte != b'\\' {
            out.push(byte);
            if byte != b' ' {
                keep = out.len();
            }
            continue;
        }
        let next = *bytes
            .get(at)
            .ok_or("a backslash must be followed by what it escapes")?;
        if let (Some(high), Some(low)) = (hex_digit(next), bytes.get(at + 1).copied().and_then(hex_digit)) {
            out.push(high << 4 | low);
            at += 2;
        } else {
            out.push(next);
            at += 1;
        }
        keep = out.len();
    }
    out.truncate(keep);
    Ok(out)
}

/// The content of `#` values: the hexadecimal form of a BER string.
fn ber_string(hex: &str) -> Result<Vec<u8>, &'static str> {
    const RULE: &str = "a value after # is the hexadecimal form of a BER string";
    let digits: Option<Vec<u8>> = hex.bytes().map(hex_digit).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or(RULE)?;
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect();
    match bytes.as_slice() {
        [_, length, content @ ..] if *length < 0x80 && usize::from(*length) == content.len() => {
            Ok(content.to_vec())
        }
        _ => Err(RULE),
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

fn normal_rdn(rdn: &[(String, Vec<u8>)]) -> String {
    let mut pairs: Vec<String> = rdn
        .iter()
        .map(|(attribute, value)| {
            let value = schema::normalise(attribute, value);
            format!("{attribute}={}", printable(&value))
        })
        .collect();
    pairs.sort();
    pairs.join("+")
}

/// Normalised bytes as text in which the separator, `+`, `=` and bytes that are not text cannot occur.
fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || matches!(c, '\\' | '+' | '=') {
                let mut buffer = [0; 4];
                out.extend(
                    c.encode_utf8(&mut buffer)
                        .bytes()
                        .map(|byte| format!("\\{byte:02x}")),
                );
            } else {
                out.push(c);
            }
        }
        out.extend(chunk.invalid().iter().map(|byte| format!("\\{byte:02x}")));
    }
    out
}

/// A value as it is written inside a name: what has a meaning there is escaped (RFC 4514, 2.4).
pub fn escape_value(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        let edge = (c == ' ' && (at == 0 || at == last)) || (c == '#' && at == 0);
        if edge || matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=') {
            out.push('\\');
        }
        if c == '\0' {
            out.push_str("\\00");
        } else {
            out.push(c);
        }
    }
    out
}
