//! From the bytes of a file to its objects.

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DuplicateKeyPolicy, Error, Options};

use crate::node::Node;
use crate::stream::{self, Part};
use crate::{Manifest, Place, list};

/// How long a file may be, in bytes: the API takes objects of 3 MiB at most, and files hold several.
pub const LONGEST_BYTES: usize = 16 << 20;
/// How deep values may lie in each other: fields of Kubernetes lie at 20, schemas of definitions at twice that. Reading takes
/// 40 KiB of stack for each where nothing is optimised.
const DEEPEST: usize = 64;
/// How many documents a file may have.
const MOST_DOCUMENTS: usize = 1_000;
/// How many values a file may have.
const MOST_VALUES: usize = 1_000_000;
/// How many of them aliases may repeat: a few lines of aliases of aliases would fill the memory.
const MOST_REPEATED: usize = 20_000;

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ReadError {
    /// What is wrong, as a sentence without full stop.
    pub problem: String,
    /// Where; none when it is the file as a whole.
    pub place: Option<Place>,
}

impl ReadError {
    fn whole(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            place: None,
        }
    }
}

/// The objects of a file, in their order; documents that are empty are left out.
///
/// # Errors
/// When it is not YAML or JSON, is too large or too deep, has a key twice, or holds something that is no object.
pub fn read(bytes: &[u8]) -> Result<Vec<Manifest>, ReadError> {
    if bytes.len() > LONGEST_BYTES {
        let limit = LONGEST_BYTES >> 20;
        return Err(ReadError::whole(format!("the file is larger than {limit} MiB")));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        ReadError::whole(format!(
            "the file is not text in UTF-8 (byte {})",
            error.valid_up_to()
        ))
    })?;
    let mut objects = Vec::new();
    for part in stream::parts(text) {
        for node in documents(part)? {
            if !node.is_null() {
                list::take_apart(node, &mut objects);
            }
        }
    }
    objects.into_iter().map(manifest).collect()
}

fn manifest(node: Node) -> Result<Manifest, ReadError> {
    if !node.is_map() {
        return Err(ReadError {
            problem: "this is no object; objects have apiVersion, kind and metadata".to_owned(),
            place: Some(node.place()),
        });
    }
    let (object, places) = node.into_parts();
    Ok(Manifest { object, places })
}

fn documents(part: Part<'_>) -> Result<Vec<Node>, ReadError> {
    let mut nodes: Vec<Node> =
        serde_saphyr::from_multiple_with_options(part.text, options()).map_err(|error| {
            let error = error.without_snippet();
            let place = error.location().map(|location| {
                part.start.before(Place {
                    line: location.line(),
                    column: location.column(),
                })
            });
            ReadError {
                problem: problem(error),
                place,
            }
        })?;
    if part.start != Place::FIRST {
        for node in &mut nodes {
            node.shift(part.start);
        }
    }
    Ok(nodes)
}

/// What is wrong, without the place, which is told beside it.
fn problem(error: &Error) -> String {
    match error {
        Error::AliasError { error, .. } => return problem(error),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            return format!("the key {key:?} is there twice");
        }
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Depth { .. } => return too_deep(),
            BudgetBreach::Documents { .. } => {
                return format!("the file has more than {MOST_DOCUMENTS} documents");
            }
            BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
                return format!("the file has more than {MOST_VALUES} values");
            }
            _ => {}
        },
        Error::AliasReplayLimitExceeded { .. } => {
            return format!("aliases repeat more than {MOST_REPEATED} values");
        }
        _ => {}
    }
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    match line.split_once(" at line ") {
        // What the parser beneath says of its own limit on brackets.
        Some(("recursion limit exceeded", _)) => too_deep(),
        Some((words, _)) => words.to_owned(),
        None => line.to_owned(),
    }
}

fn too_deep() -> String {
    format!("values lie deeper in each other than {DEEPEST}")
}

/// Values mean what they mean to `kubectl`, which reads YAML 1.1: `yes` is true, and 010 is 8.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            flow_nesting_limit: DEEPEST,
            max_documents: MOST_DOCUMENTS,
            max_nodes: MOST_VALUES,
            max_events: 3 * MOST_VALUES,
            max_total_scalar_bytes: 2 * LONGEST_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MOST_REPEATED,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        legacy_octal_numbers: true,
        strict_booleans: false,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

#[cfg(test)]
mod tests;
