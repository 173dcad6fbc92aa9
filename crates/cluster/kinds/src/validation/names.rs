//! Rules for names, with the messages of apimachinery's `util/validation`. Each function gives what is wrong.

/// Longest label of a domain name, in bytes.
pub(super) const LABEL_BYTES: usize = 63;
/// Longest domain name, in bytes.
pub(super) const SUBDOMAIN_BYTES: usize = 253;
/// Longest name of a port, in bytes.
const PORT_NAME_BYTES: usize = 15;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const QUALIFIED_EXAMPLES: &[&str] = &["MyName", "my.name", "123-abc"];

fn too_long(limit_bytes: usize) -> String {
    format!("must be no more than {limit_bytes} bytes")
}

/// `RegexError` of apimachinery, with its odd commas.
pub(super) fn explained(message: &str, examples: &[&str], pattern: &str) -> String {
    if examples.is_empty() {
        return format!("{message} (regex used for validation is '{pattern}')");
    }
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!(
        "{message} (e.g. {}regex used for validation is '{pattern}')",
        examples.join(" or ")
    )
}

fn limited(name: &str, limit_bytes: usize, fits: bool, message: impl FnOnce() -> String) -> Vec<String> {
    let mut found = Vec::new();
    if name.len() > limit_bytes {
        found.push(too_long(limit_bytes));
    }
    if !fits {
        found.push(message());
    }
    found
}

/// RFC 1123 label: one part of a domain name.
pub(crate) fn label(name: &str) -> Vec<String> {
    limited(name, LABEL_BYTES, is_label(name), || {
        explained(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
             and end with an alphanumeric character",
            &["my-name", "123-abc"],
            LABEL,
        )
    })
}

/// RFC 1035 label: one that begins with a letter.
pub(super) fn label_1035(name: &str) -> Vec<String> {
    let starts = name.starts_with(|first: char| first.is_ascii_lowercase());
    limited(name, LABEL_BYTES, starts && is_label(name), || {
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')".to_owned()
    })
}

/// RFC 1123 subdomain: labels with dots between.
pub(super) fn subdomain(name: &str) -> Vec<String> {
    limited(name, SUBDOMAIN_BYTES, is_subdomain(name), || {
        explained(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
             must start and end with an alphanumeric character",
            &["example.com"],
            SUBDOMAIN,
        )
    })
}

/// `*.` and a subdomain.
pub(super) fn wildcard(name: &str) -> Vec<String> {
    let fits = name.strip_prefix("*.").is_some_and(is_subdomain);
    limited(name, SUBDOMAIN_BYTES, fits, || {
        explained(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must \
             consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
            &["*.example.com"],
            &format!(r"\*\.{SUBDOMAIN}"),
        )
    })
}

/// What may stand as one part of a path.
pub(super) fn path_segment(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    if name == "." || name == ".." {
        found.push(format!("may not be '{name}'"));
    }
    for forbidden in ["/", "%"] {
        if name.contains(forbidden) {
            found.push(format!("may not contain '{forbidden}'"));
        }
    }
    found
}

/// The key of a label or annotation: a name, perhaps after a domain and a slash.
pub(super) fn qualified(name: &str) -> Vec<String> {
    let parts: Vec<&str> = name.split('/').collect();
    let (prefix, last) = match parts.as_slice() {
        [last] => (None, *last),
        [prefix, last] => (Some(*prefix), *last),
        _ => {
            let message = qualified_message();
            return vec![format!(
                "a qualified name {message} with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')"
            )];
        }
    };
    let mut found = Vec::new();
    match prefix {
        Some("") => found.push("prefix part must be non-empty".to_owned()),
        Some(prefix) => found.extend(
            subdomain(prefix)
                .into_iter()
                .map(|message| format!("prefix part {message}")),
        ),
        None => {}
    }
    if last.is_empty() {
        found.push("name part must be non-empty".to_owned());
    } else if last.len() > LABEL_BYTES {
        found.push(format!("name part {}", too_long(LABEL_BYTES)));
    }
    if !is_qualified(last) {
        found.push(format!("name part {}", qualified_message()));
    }
    found
}

fn qualified_message() -> String {
    explained(
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
         character",
        QUALIFIED_EXAMPLES,
        QUALIFIED,
    )
}

/// The value of a label.
pub(super) fn label_value(value: &str) -> Vec<String> {
    limited(
        value,
        LABEL_BYTES,
        value.is_empty() || is_qualified(value),
        || {
            explained(
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and \
             must start and end with an alphanumeric character",
                &["MyValue", "my_value", "12345"],
                &format!("({QUALIFIED})?"),
            )
        },
    )
}

/// The key of an entry in a `ConfigMap` or Secret.
pub(super) fn config_key(key: &str) -> Vec<String> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let fits = !key.is_empty() && key.chars().all(allowed);
    let mut found = limited(key, SUBDOMAIN_BYTES, fits, || {
        explained(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            &["key.name", "KEY_NAME", "key-name"],
            "[-._a-zA-Z0-9]+",
        )
    });
    match key {
        "." | ".." => found.push(format!("must not be '{key}'")),
        _ if key.starts_with("..") => found.push("must not start with '..'".to_owned()),
        _ => {}
    }
    found
}

/// The name of an environment variable.
pub(super) fn variable(name: &str) -> Vec<String> {
    let printable = |letter: char| (' '..='~').contains(&letter) && letter != '=';
    if !name.is_empty() && name.chars().all(printable) {
        return Vec::new();
    }
    vec![explained(
        "a valid environment variable name must consist only of printable ASCII characters other than '='",
        &["my.env-name", "MY_ENV.NAME", "MyEnvName1"],
        "^[ -<>-~]+$",
    )]
}

/// The name of a port.
pub(super) fn port_name(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    if name.len() > PORT_NAME_BYTES {
        found.push(too_long(PORT_NAME_BYTES));
    }
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    {
        found.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !name.bytes().any(|byte| byte.is_ascii_lowercase()) {
        found.push("must contain at least one letter (a-z)".to_owned());
    }
    if name.contains("--") {
        found.push("must not contain consecutive hyphens".to_owned());
    }
    if name.starts_with('-') || name.ends_with('-') {
        found.push("must not begin or end with a hyphen".to_owned());
    }
    found
}

/// The name of an HTTP header.
pub(super) fn header(name: &str) -> Vec<String> {
    if !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        return Vec::new();
    }
    let message = "a valid HTTP header must consist of alphanumeric characters or '-'";
    vec![explained(message, &["X-Header-Name"], "[-A-Za-z0-9]+")]
}

/// The path of an HTTP request.
pub(super) fn http_path(path: &str) -> Vec<String> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte);
    if !path.is_empty() && path.bytes().all(known) {
        return Vec::new();
    }
    vec![format!(
        "Invalid path (regex used for validation is '{}')",
        "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+"
    )]
}

/// An IP address.
pub(super) fn address(text: &str) -> Vec<String> {
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Vec::new();
    }
    vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()]
}

/// A range of IP addresses.
pub(super) fn network(text: &str) -> Vec<String> {
    let is_range = text.split_once('/').is_some_and(|(address, bits)| {
        let most = address
            .parse::<std::net::IpAddr>()
            .map(|ip| if ip.is_ipv4() { 32 } else { 128 });
        let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        matches!((most, bits.parse::<u8>()), (Ok(most), Ok(bits)) if digits && bits <= most)
    });
    if is_range {
        return Vec::new();
    }
    vec!["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)".to_owned()]
}

/// The number of a port.
pub(super) fn port(number: i64) -> Vec<String> {
    if (1..=65535).contains(&number) {
        return Vec::new();
    }
    vec!["must be between 1 and 65535, inclusive".to_owned()]
}

fn is_label(name: &str) -> bool {
    let bytes = name.as_bytes();
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
        && bytes.iter().all(|byte| alphanumeric(byte) || *byte == b'-')
}

pub(crate) fn is_subdomain(name: &str) -> bool {
    name.split('.').all(is_label)
}

fn is_qualified(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_and_refuses_as_kubernetes_does() {
        type Rule = fn(&str) -> Vec<String>;
        let cases: &[(Rule, &str, usize)] = &[
            (label, "a-b", 0),
            (label, "A", 1),
            (label, "-a", 1),
            (label, "", 1),
            (subdomain, "a.b-c.d", 0),
            (subdomain, "a..b", 1),
            (subdomain, "a_b", 1),
            (wildcard, "*.a.b", 0),
            (wildcard, "*", 1),
            (path_segment, "system:a", 0),
            (path_segment, "a/b%", 2),
            (qualified, "a.b/C_d", 0),
            (qualified, "C", 0),
            (qualified, "/a", 1),
            (qualified, "a/", 2),
            (qualified, "a/b/c", 1),
            (label_value, "", 0),
            (label_value, "a b", 1),
            (config_key, "a.B_c-1", 0),
            (config_key, "..", 1),
            (config_key, "..a", 1),
            (config_key, "a/b", 1),
            (variable, "A B.c", 0),
            (variable, "A=B", 1),
            (port_name, "http", 0),
            (port_name, "80", 1),
            (port_name, "-a--b", 2),
            (header, "X-A", 0),
            (header, "X A", 1),
            (address, "::1", 0),
            (address, "1.2.3", 1),
        ];
        for (rule, name, count) in cases {
            let found = rule(name);
            assert_eq!(found.len(), *count, "{name}: {found:?}");
        }
        assert_eq!(label(&"a".repeat(64)), ["must be no more than 63 bytes"]);
    }

    #[test]
    fn messages_have_examples_and_the_pattern() {
        assert_eq!(
            label("A"),
            [
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
              and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
              '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            ]
        );
    }
}
