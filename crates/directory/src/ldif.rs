//! LDIF (RFC 2849): the text form of a directory, read in full and written so that it reads back the same.
//!
//! Pure: text in, records out, and back. The directory's file, `--ldif FILE` and the tests use it. It knows
//! nothing of the tree; whether the records fit together is for the tree to say.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{entry::Entry, name::Dn, schema};

#[cfg(test)]
mod tests;

/// Lines are folded at this length when written; any length is read.
const FOLD_AT_BYTES: usize = 76;

/// One record with the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The line of its `dn:`, counted from 1.
    pub line: usize,
    /// What it holds.
    pub entry: Entry,
}

/// Why a text is not LDIF: where, what, which rule, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, {field}: {rule}; {way_out}")]
pub struct LdifError {
    /// The line, counted from 1.
    pub line: usize,
    /// The field at fault.
    pub field: String,
    /// The rule that it breaks.
    pub rule: String,
    /// What to do.
    pub way_out: String,
}

impl LdifError {
    pub(crate) fn new(line: usize, field: &str, rule: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self {
            line,
            field: field.to_owned(),
            rule: rule.into(),
            way_out: way_out.into(),
        }
    }
}

/// Reads all records of a text.
///
/// # Errors
/// At the first line that breaks a rule of RFC 2849, or asks for what is refused here: values from files
/// and changes other than `add`.
pub fn read(bytes: &[u8]) -> Result<Vec<Record>, LdifError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        LdifError::new(
            line,
            "text",
            "LDIF is UTF-8",
            "write other bytes in base64, as `attribute:: ...`",
        )
    })?;
    let mut records = Vec::new();
    let mut open: Option<Record> = None;
    let mut first = true;
    for line in unfold(text)? {
        if line.text.is_empty() {
            records.extend(open.take());
            continue;
        }
        let field = read_field(&line)?;
        if first && field.name.eq_ignore_ascii_case("version") {
            check_version(&field)?;
        } else if let Some(record) = &mut open {
            take_field(record, field)?;
        } else {
            open = Some(begin(&field)?);
        }
        first = false;
    }
    records.extend(open);
    Ok(records)
}

struct Line {
    number: usize,
    text: String,
}

struct Field {
    line: usize,
    name: String,
    value: Vec<u8>,
}

/// Joins folded lines and drops comments (folded ones too); an empty line stays, it ends a record.
fn unfold(text: &str) -> Result<Vec<Line>, LdifError> {
    let mut lines: Vec<Line> = Vec::new();
    let mut comment = false;
    for (at, raw) in text.trim_start_matches('\u{feff}').split('\n').enumerate() {
        let number = at + 1;
        let raw = raw.strip_suffix('\r').unwrap_or(raw);
        if let Some(rest) = raw.strip_prefix(' ') {
            match lines.last_mut() {
                _ if comment => {}
                Some(last) if !last.text.is_empty() => last.text.push_str(rest),
                // A line of blanks between two records is what an editor leaves behind.
                _ if rest.trim().is_empty() => {}
                _ => {
                    return Err(LdifError::new(
                        number,
                        "continuation",
                        "a line that begins with a blank continues the line before, and there is none",
                        "remove the blank at its beginning",
                    ));
                }
            }
        } else {
            comment = raw.starts_with('#');
            if !comment {
                lines.push(Line {
                    number,
                    text: raw.to_owned(),
                });
            }
        }
    }
    Ok(lines)
}

fn read_field(line: &Line) -> Result<Field, LdifError> {
    let Some((name, rest)) = line.text.split_once(':') else {
        let shown: String = line.text.chars().take(40).collect();
        return Err(LdifError::new(
            line.number,
            &format!("{shown:?}"),
            "a line is `attribute: value`",
            "add the colon, or a blank in front to continue the line before, or # for a comment",
        ));
    };
    if !schema::is_attribute_name(name) {
        return Err(LdifError::new(
            line.number,
            &format!("{name:?}"),
            "an attribute's name begins with a letter and has letters, digits and hyphens only",
            "correct the name in front of the colon",
        ));
    }
    let value = read_value(line.number, name, rest)?;
    Ok(Field {
        line: line.number,
        name: name.to_owned(),
        value,
    })
}

fn read_value(line: usize, name: &str, rest: &str) -> Result<Vec<u8>, LdifError> {
    if let Some(encoded) = rest.strip_prefix(':') {
        let packed: String = encoded.split_whitespace().collect();
        return STANDARD.decode(packed).map_err(|_| {
            LdifError::new(
                line,
                name,
                "after two colons comes base64",
                "encode the value, or use one colon for plain text",
            )
        });
    }
    if rest.starts_with('<') {
        return Err(LdifError::new(
            line,
            name,
            "values from other files (`:<`) are not read",
            "put the value itself there, in base64 after two colons",
        ));
    }
    Ok(rest
        .trim_start_matches(' ')
        .trim_end_matches(' ')
        .as_bytes()
        .to_vec())
}

fn check_version(field: &Field) -> Result<(), LdifError> {
    if field.value == b"1" {
        return Ok(());
    }
    Err(LdifError::new(
        field.line,
        "version",
        "the only version of LDIF is 1",
        "write `version: 1`, or leave the line out",
    ))
}

fn begin(field: &Field) -> Result<Record, LdifError> {
    if !field.name.eq_ignore_ascii_case("dn") {
        return Err(LdifError::new(
            field.line,
            &field.name,
            "a record begins with its name, `dn: ...`",
            "add the dn line, or remove the empty line in front of this one",
        ));
    }
    let text = String::from_utf8_lossy(&field.value);
    let dn = Dn::parse(&text).map_err(|error| {
        LdifError::new(
            field.line,
            "dn",
            error.to_string(),
            "write it like `uid=ada,ou=people,dc=example,dc=org`",
        )
    })?;
    if dn.depth() == 0 {
        return Err(LdifError::new(
            field.line,
            "dn",
            "the name is empty",
            "write it like `uid=ada,ou=people,dc=example,dc=org`",
        ));
    }
    Ok(Record {
        line: field.line,
        entry: Entry::new(dn),
    })
}

fn take_field(record: &mut Record, field: Field) -> Result<(), LdifError> {
    let name = field.name.to_ascii_lowercase();
    match name.as_str() {
        "dn" => Err(LdifError::new(
            field.line,
            "dn",
            "a record has one name",
            "put an empty line between two records",
        )),
        "changetype" if field.value.eq_ignore_ascii_case(b"add") => Ok(()),
        "changetype" | "control" => Err(LdifError::new(
            field.line,
            &field.name,
            "this is a list of entries, not of changes",
            "apply changes with ldapmodify on the running directory",
        )),
        _ if field.value.is_empty() => Err(LdifError::new(
            field.line,
            &field.name,
            "a value must not be empty",
            "remove the line, or give the value",
        )),
        _ => {
            record.entry.push(&field.name, field.value);
            Ok(())
        }
    }
}

/// Writes entries as LDIF that [`read`] reads back to the same entries.
pub fn write<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> String {
    let mut out = String::from("version: 1\n");
    for entry in entries {
        out.push('\n');
        write_field(&mut out, "dn", entry.dn.to_string().as_bytes());
        for attribute in entry.attributes.values() {
            for value in &attribute.values {
                write_field(&mut out, &attribute.name, value);
            }
        }
    }
    out
}

fn write_field(out: &mut String, name: &str, value: &[u8]) {
    let line = match std::str::from_utf8(value) {
        Ok(text) if is_safe(text) => format!("{name}: {text}"),
        _ => format!("{name}:: {}", STANDARD.encode(value)),
    };
    // Safe lines are ASCII, so every index is a boundary.
    let (first, mut rest) = line.split_at(line.len().min(FOLD_AT_BYTES));
    let _ = writeln!(out, "{first}");
    while !rest.is_empty() {
        let (part, next) = rest.split_at(rest.len().min(FOLD_AT_BYTES - 1));
        let _ = writeln!(out, " {part}");
        rest = next;
    }
}

/// SAFE-STRING of RFC 2849, and no blank at the end.
fn is_safe(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with([' ', ':', '<'])
        && !text.ends_with(' ')
        && text
            .bytes()
            .all(|byte| byte.is_ascii() && !matches!(byte, 0 | b'\r' | b'\n'))
}
