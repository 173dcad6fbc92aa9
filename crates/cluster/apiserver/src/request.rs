//! What a request is about, read from its method, path and query: the attributes that authorization decides on.
//!
//! Pure. Paths follow <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris>.

use http::Method;

use crate::query::Query;

/// A request as authorization sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestInfo {
    /// `get`, `list`, `watch`, `create`, ... or the lower-case method for paths that are no resource.
    pub(crate) verb: &'static str,
    /// The decoded path.
    pub(crate) path: String,
    /// Which objects, when the path names a resource.
    pub(crate) resource: Option<ResourceInfo>,
    /// What a listing or watch is limited to, as it was written.
    pub(crate) field_selector: Option<String>,
}

/// The resource that a path names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourceInfo {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) subresource: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
}

impl RequestInfo {
    /// Reads a request.
    pub(crate) fn read(method: &Method, path: &str, query: &Query) -> Self {
        let resource = read_resource(path);
        let verb = match &resource {
            None => plain_verb(method),
            Some(found) => resource_verb(method, found.name.is_some(), query.is_true("watch")),
        };
        let resource = resource.map(|mut found| {
            if found.name.is_none() && matches!(verb, "list" | "watch" | "deletecollection") {
                // A selector for one name is a request for that object: rules with resourceNames apply to it.
                found.name = query.get("fieldSelector").and_then(name_of_field_selector);
            }
            found
        });
        Self {
            verb,
            path: path.to_owned(),
            resource,
            field_selector: query
                .get("fieldSelector")
                .filter(|_| matches!(verb, "list" | "watch" | "deletecollection"))
                .map(str::to_owned),
        }
    }
}

fn name_of_field_selector(selector: &str) -> Option<String> {
    selector
        .split(',')
        .find_map(|part| {
            part.trim()
                .strip_prefix("metadata.name=")
                .map(|value| value.trim_start_matches('='))
        })
        .map(str::to_owned)
}

fn plain_verb(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "get",
        "HEAD" => "head",
        "POST" => "post",
        "PUT" => "put",
        "PATCH" => "patch",
        "DELETE" => "delete",
        "OPTIONS" => "options",
        _ => "unknown",
    }
}

fn resource_verb(method: &Method, named: bool, watch: bool) -> &'static str {
    match (method.as_str(), named) {
        ("GET" | "HEAD", false) if watch => "watch",
        ("GET" | "HEAD", true) => "get",
        ("GET" | "HEAD", false) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) => "deletecollection",
        _ => "unknown",
    }
}

/// `/api/v1/...` and `/apis/GROUP/VERSION/...` below the version; `None` for everything else.
fn read_resource(path: &str) -> Option<ResourceInfo> {
    let mut parts = path.trim_matches('/').split('/');
    let (group, version) = match parts.next()? {
        "api" => (String::new(), parts.next()?.to_owned()),
        "apis" => (parts.next()?.to_owned(), parts.next()?.to_owned()),
        _ => return None,
    };
    let rest: Vec<&str> = parts.collect();
    let mut found = ResourceInfo {
        group,
        version,
        ..ResourceInfo::default()
    };
    let text = |part: &&str| (*part).to_owned();
    let rest = match rest.as_slice() {
        [] | [""] => return None,
        // The namespace itself: its rules are those of the namespace.
        ["namespaces", name] | ["namespaces", name, "status" | "finalize"] => {
            found.namespace = Some((*name).to_owned());
            rest.as_slice()
        }
        ["namespaces", namespace, below @ ..] if !below.is_empty() => {
            found.namespace = Some((*namespace).to_owned());
            below
        }
        other => other,
    };
    found.plural = rest.first().map(text)?;
    found.name = rest.get(1).map(text);
    found.subresource = match rest.get(2..) {
        // What is below it is the path of another server.
        Some(["proxy", ..]) => Some("proxy".to_owned()),
        Some(below) if !below.is_empty() => Some(below.join("/")),
        _ => None,
    };
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, target: &str) -> RequestInfo {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        RequestInfo::read(&method.parse().unwrap(), path, &Query::parse(query))
    }

    fn line(method: &str, target: &str) -> String {
        let info = read(method, target);
        let Some(found) = info.resource else {
            return format!("{} {}", info.verb, info.path);
        };
        format!(
            "{} {}/{}/{} sub={} ns={} name={}",
            info.verb,
            found.group,
            found.version,
            found.plural,
            found.subresource.unwrap_or_default(),
            found.namespace.unwrap_or_default(),
            found.name.unwrap_or_default()
        )
    }

    #[test]
    fn reads_paths_as_kubernetes_does() {
        for (method, target, expected) in [
            ("GET", "/api/v1/pods", "list /v1/pods sub= ns= name="),
            (
                "GET",
                "/api/v1/namespaces/a/pods?watch=true",
                "watch /v1/pods sub= ns=a name=",
            ),
            (
                "GET",
                "/api/v1/namespaces/a/pods?watch=1",
                "watch /v1/pods sub= ns=a name=",
            ),
            (
                "GET",
                "/api/v1/namespaces/a/pods/b",
                "get /v1/pods sub= ns=a name=b",
            ),
            (
                "GET",
                "/api/v1/namespaces/a/pods/b/log",
                "get /v1/pods sub=log ns=a name=b",
            ),
            ("GET", "/api/v1/namespaces", "list /v1/namespaces sub= ns= name="),
            (
                "GET",
                "/api/v1/namespaces/a",
                "get /v1/namespaces sub= ns=a name=a",
            ),
            (
                "PUT",
                "/api/v1/namespaces/a/finalize",
                "update /v1/namespaces sub=finalize ns=a name=a",
            ),
            (
                "POST",
                "/apis/apps/v1/namespaces/a/deployments",
                "create apps/v1/deployments sub= ns=a name=",
            ),
            (
                "PATCH",
                "/apis/apps/v1/namespaces/a/deployments/d/scale",
                "patch apps/v1/deployments sub=scale ns=a name=d",
            ),
            (
                "DELETE",
                "/api/v1/namespaces/a/pods",
                "deletecollection /v1/pods sub= ns=a name=",
            ),
            ("DELETE", "/api/v1/nodes/n", "delete /v1/nodes sub= ns= name=n"),
            (
                "GET",
                "/api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Db",
                "list /v1/pods sub= ns=a name=b",
            ),
            (
                "PUT",
                "/api/v1/namespaces/a/services/https:b:c/proxy/d/e/",
                "update /v1/services sub=proxy ns=a name=https:b:c",
            ),
            ("GET", "/healthz", "get /healthz"),
            ("GET", "/apis/apps/v1", "get /apis/apps/v1"),
            ("POST", "/api", "post /api"),
        ] {
            assert_eq!(line(method, target), expected, "{method} {target}");
        }
    }
}
