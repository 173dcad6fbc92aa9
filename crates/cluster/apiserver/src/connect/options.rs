//! What `exec`, `attach` and `port-forward` are asked for: from the query to the options object that admission sees, and
//! to the node's own query. Pure.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use toolforge_kinds::{Status, Subresource};

use crate::query::Query;

/// Switches: the name of the API, and the node's.
const STREAMS: &[(&str, &str)] = &[
    ("stdin", "input"),
    ("stdout", "output"),
    ("stderr", "error"),
    ("tty", "tty"),
];

/// `PodExecOptions`, `PodAttachOptions` or `PodPortForwardOptions`.
pub(super) fn read(subresource: Subresource, query: &Query) -> Result<Value, Status> {
    let mut options = Map::new();
    if subresource == Subresource::PortForward {
        options.insert("kind".to_owned(), json!("PodPortForwardOptions"));
        let ports = ports(query)?;
        if !ports.is_empty() {
            options.insert("ports".to_owned(), json!(ports));
        }
    } else {
        let exec = subresource == Subresource::Exec;
        let kind = if exec {
            "PodExecOptions"
        } else {
            "PodAttachOptions"
        };
        options.insert("kind".to_owned(), json!(kind));
        for (name, _) in STREAMS {
            if query.is_true(name) {
                options.insert((*name).to_owned(), json!(true));
            }
        }
        if let Some(container) = query.get("container") {
            options.insert("container".to_owned(), json!(container));
        }
        if exec {
            // As in Kubernetes the field is there also when it is empty.
            let command: Vec<&str> = query.all("command").collect();
            options.insert("command".to_owned(), json!(command));
        }
    }
    options.insert("apiVersion".to_owned(), json!("v1"));
    Ok(Value::Object(options))
}

fn ports(query: &Query) -> Result<Vec<u16>, Status> {
    let all = query.all("ports").flat_map(|value| value.split(','));
    all.filter(|port| !port.is_empty())
        .map(|port| {
            port.parse().map_err(|problem| {
                Status::bad_request(format!("invalid query parameter ports: {port:?}: {problem}"))
            })
        })
        .collect()
}

/// The node's query for these options.
pub(super) fn to_node(options: &Value) -> String {
    let mut pairs: Vec<(&str, String)> = STREAMS
        .iter()
        .filter(|(name, _)| options.get(name) == Some(&Value::Bool(true)))
        .map(|(_, node)| (*node, "1".to_owned()))
        .collect();
    let list = |name: &str| options.get(name).and_then(Value::as_array).into_iter().flatten();
    for word in list("command").filter_map(Value::as_str) {
        pairs.push(("command", word.to_owned()));
    }
    let ports: Vec<String> = list("ports").map(Value::to_string).collect();
    if !ports.is_empty() {
        pairs.push(("port", ports.join(",")));
    }
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reaches_the_node_word_for_word() {
        let query = Query::parse("command=sh&command=-c&command=echo+a%26b&stdin=true&stdout=1&stderr=false");
        let options = read(Subresource::Exec, &query).unwrap();
        assert_eq!(
            options,
            json!({"apiVersion":"v1","kind":"PodExecOptions","stdin":true,"stdout":true,"command":["sh","-c","echo a&b"]})
        );
        assert_eq!(
            to_node(&options),
            "input=1&output=1&command=sh&command=%2Dc&command=echo%20a%26b"
        );
    }

    #[test]
    fn ports_may_come_in_one_parameter_or_several() {
        let options = read(Subresource::PortForward, &Query::parse("ports=80,81&ports=82")).unwrap();
        assert_eq!(options["ports"], json!([80, 81, 82]));
        assert_eq!(to_node(&options), "port=80%2C81%2C82");
        let refused = read(Subresource::PortForward, &Query::parse("ports=x")).unwrap_err();
        assert_eq!(refused.code, 400);
    }

    #[test]
    fn an_attachment_has_no_command() {
        let options = read(
            Subresource::Attach,
            &Query::parse("container=c&tty=true&command=x"),
        )
        .unwrap();
        assert_eq!(
            options,
            json!({"apiVersion":"v1","kind":"PodAttachOptions","container":"c","tty":true})
        );
    }
}
