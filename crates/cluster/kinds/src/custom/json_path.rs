//! The JSON paths of definitions: `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`, `.metadata['a.b']`.
//!
//! The part of kubectl's dialect that columns, scale and selectable fields are written in. Bounded: a path has few
//! steps, and a step gives no more than the values that are there.

use serde_json::Value;

/// Bytes of a path at most.
const PATH_BYTES: usize = 4096;

/// A path.
#[derive(Debug, Clone)]
pub(crate) struct JsonPath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    Field(String),
    /// From the end where it is negative.
    Index(i64),
    All,
    /// Items whose value at the path compares so with the literal; without one, those that have it.
    Matching(Vec<String>, Option<(Comparison, Value)>),
}

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

const COMPARISONS: &[(&str, Comparison)] = &[
    ("==", Comparison::Equal),
    ("!=", Comparison::Unequal),
    ("<=", Comparison::LessEqual),
    (">=", Comparison::GreaterEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl JsonPath {
    /// Reads a path; the error is what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > PATH_BYTES {
            return Err(format!("a path has at most {PATH_BYTES} bytes"));
        }
        let mut rest = text
            .trim()
            .trim_start_matches('{')
            .trim_end_matches('}')
            .trim_start_matches('$');
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let end = closing(after).ok_or_else(|| "unterminated array".to_owned())?;
                steps.push(bracket(&after[..end])?);
                rest = &after[end + 1..];
            } else if let Some(after) = rest.strip_prefix('.') {
                let (name, after) = field_name(after);
                if after.starts_with('[') && name.is_empty() {
                    rest = after;
                    continue;
                }
                if name.is_empty() {
                    return Err("a path has no empty names".to_owned());
                }
                steps.push(if name == "*" { Step::All } else { Step::Field(name) });
                rest = after;
            } else {
                return Err(format!("unexpected {rest:?}, a path begins with a dot"));
            }
        }
        Ok(Self {
            text: text.to_owned(),
            steps,
        })
    }

    /// The path as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The names of a path that is only names.
    pub(crate) fn names(&self) -> Option<Vec<&str>> {
        self.steps
            .iter()
            .map(|step| match step {
                Step::Field(name) => Some(name.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The first value that the path leads to.
    pub(crate) fn first<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        find(&self.steps, value)
    }
}

fn find<'a>(steps: &[Step], value: &'a Value) -> Option<&'a Value> {
    let Some((step, rest)) = steps.split_first() else {
        return Some(value);
    };
    match step {
        Step::Field(name) => find(rest, value.get(name)?),
        Step::Index(index) => {
            let items = value.as_array()?;
            let at = usize::try_from(*index).ok().or_else(|| {
                items
                    .len()
                    .checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
            });
            find(rest, items.get(at?)?)
        }
        Step::All => children(value).find_map(|item| find(rest, item)),
        Step::Matching(path, condition) => children(value)
            .filter(|item| matches(item, path, condition.as_ref()))
            .find_map(|item| find(rest, item)),
    }
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(map) => Box::new(map.values()),
        _ => Box::new(std::iter::empty()),
    }
}

fn matches(item: &Value, path: &[String], condition: Option<&(Comparison, Value)>) -> bool {
    let Some(found) = path.iter().try_fold(item, |value, name| value.get(name)) else {
        return false;
    };
    let Some((comparison, wanted)) = condition else {
        return true;
    };
    let order = match (found, wanted) {
        (Value::String(a), Value::String(b)) => a.partial_cmp(b),
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
        (a, b) if a == b => Some(std::cmp::Ordering::Equal),
        _ => None,
    };
    match comparison {
        Comparison::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
        Comparison::Unequal => !order.is_some_and(std::cmp::Ordering::is_eq),
        Comparison::Less => order.is_some_and(std::cmp::Ordering::is_lt),
        Comparison::LessEqual => order.is_some_and(std::cmp::Ordering::is_le),
        Comparison::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
        Comparison::GreaterEqual => order.is_some_and(std::cmp::Ordering::is_ge),
    }
}

/// A name up to the next dot or bracket; a backslash takes the next character as it is.
fn field_name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => name.extend(letters.next().map(|(_, next)| next)),
            '.' | '[' => return (name, &text[at..]),
            other => name.push(other),
        }
    }
    (name, "")
}

/// Where the bracket closes, quotes and inner brackets passed over.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(at),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn bracket(text: &str) -> Result<Step, String> {
    let text = text.trim();
    if text == "*" {
        return Ok(Step::All);
    }
    if let Some(name) = unquoted(text) {
        return Ok(Step::Field(name.to_owned()));
    }
    if let Some(filter) = text
        .strip_prefix("?(")
        .and_then(|filter| filter.strip_suffix(')'))
    {
        return filter_step(filter.trim());
    }
    text.parse()
        .map(Step::Index)
        .map_err(|_| format!("{text:?} is no index, name or filter"))
}

fn unquoted(text: &str) -> Option<&str> {
    ['\'', '"']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
}

fn filter_step(text: &str) -> Result<Step, String> {
    let split = COMPARISONS.iter().find_map(|(sign, comparison)| {
        let (left, right) = text.split_once(sign)?;
        Some((left, Some((*comparison, right.trim()))))
    });
    let (left, right) = split.unwrap_or((text, None));
    let left = left
        .trim()
        .strip_prefix('@')
        .ok_or_else(|| "a filter begins with @".to_owned())?;
    let inner = JsonPath::parse(left)?;
    let path = inner
        .names()
        .ok_or_else(|| "a filter compares a field".to_owned())?;
    let path = path.into_iter().map(str::to_owned).collect();
    let condition = match right {
        None => None,
        Some((comparison, literal)) => {
            let value = match unquoted(literal) {
                Some(text) => Value::from(text),
                None => serde_json::from_str(literal).map_err(|_| format!("{literal:?} is no literal"))?,
            };
            Some((comparison, value))
        }
    };
    Ok(Step::Matching(path, condition))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn leads_to_the_first_value() {
        let object = json!({
            "spec": {"replicas": 3, "a.b": 1, "list": [{"name": "x", "n": 1}, {"name": "y", "n": 2}]},
            "status": {"conditions": [{"type": "A", "status": "False"}, {"type": "Ready", "status": "True"}]},
        });
        for (path, expected) in [
            (".spec.replicas", json!(3)),
            ("{.spec.replicas}", json!(3)),
            (".spec['a.b']", json!(1)),
            (r".spec.a\.b", json!(1)),
            (".spec.list[1].name", json!("y")),
            (".spec.list[-1].name", json!("y")),
            (".spec.list[*].n", json!(1)),
            (r#".status.conditions[?(@.type=="Ready")].status"#, json!("True")),
            (".status.conditions[?(@.type == 'Ready')].status", json!("True")),
            (".spec.list[?(@.n>1)].name", json!("y")),
            (".spec.list[?(@.n)].name", json!("x")),
        ] {
            assert_eq!(
                JsonPath::parse(path).unwrap().first(&object),
                Some(&expected),
                "{path}"
            );
        }
        assert_eq!(
            JsonPath::parse(".spec.list[7].name").unwrap().first(&object),
            None
        );
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["spec", ".a[", ".a[x]", "..a", ".a[?(b==1)]", ".a[?(@.b==x)]"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
