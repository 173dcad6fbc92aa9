//! Which page a URL means, and in which form. Pure.

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Overview,
    Nodes,
    Node(String),
    Namespaces,
    Namespace(String),
    Pod(String, String),
    Ingress(String, String),
    Images,
    Image(String),
    /// With what is looked for.
    Search(String),
}

/// The ending that asks for JSON.
const JSON: &str = ".json";

impl Route {
    /// The page at a path, and whether its ending asks for JSON; nothing where there is none.
    pub(crate) fn of(path: &str, query: &str) -> Option<(Self, bool)> {
        let (path, json) = match path.strip_suffix(JSON) {
            Some(path) => (path, true),
            None => (path, false),
        };
        let parts: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(decoded)
            .collect::<Option<_>>()?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let own = |text: &str| text.to_owned();
        let route = match parts.as_slice() {
            [] => Self::Overview,
            ["index"] if json => Self::Overview,
            ["nodes"] => Self::Nodes,
            ["nodes", node] => Self::Node(own(node)),
            ["namespaces"] => Self::Namespaces,
            ["namespaces", namespace] => Self::Namespace(own(namespace)),
            ["namespaces", namespace, "pods", pod] => Self::Pod(own(namespace), own(pod)),
            ["namespaces", namespace, "ingresses", ingress] => Self::Ingress(own(namespace), own(ingress)),
            ["images"] => Self::Images,
            ["images", image @ ..] => Self::Image(image.join("/")),
            ["search"] => Self::Search(searched(query)),
            _ => return None,
        };
        Some((route, json))
    }

    /// The namespace whose changes change the page; nothing where all do.
    pub(crate) fn scope(&self) -> Option<&str> {
        match self {
            Self::Namespace(namespace) | Self::Pod(namespace, _) | Self::Ingress(namespace, _) => {
                Some(namespace)
            }
            _ => None,
        }
    }
}

fn decoded(part: &str) -> Option<String> {
    let text = percent_encoding::percent_decode_str(part).decode_utf8().ok()?;
    Some(text.into_owned())
}

/// What is looked for, from `q=` of a query.
fn searched(query: &str) -> String {
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == "q")
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_name_pages() {
        for (path, route, json) in [
            ("/", Route::Overview, false),
            ("/index.json", Route::Overview, true),
            ("/nodes/", Route::Nodes, false),
            ("/nodes/a.json", Route::Node("a".to_owned()), true),
            (
                "/namespaces/tool-t/",
                Route::Namespace("tool-t".to_owned()),
                false,
            ),
            (
                "/namespaces/tool-t/.json",
                Route::Namespace("tool-t".to_owned()),
                true,
            ),
            (
                "/namespaces/tool-t/pods/p/",
                Route::Pod("tool-t".to_owned(), "p".to_owned()),
                false,
            ),
            (
                "/images/registry.example/a%3Alatest",
                Route::Image("registry.example/a:latest".to_owned()),
                false,
            ),
        ] {
            assert_eq!(Route::of(path, ""), Some((route, json)), "{path}");
        }
        assert_eq!(
            Route::of("/search", "x=1&q=+a%26b+"),
            Some((Route::Search("a&b".to_owned()), false))
        );
        for none in ["/nothing", "/namespaces/a/pods", "/nodes/a/b", "/%ff"] {
            assert_eq!(Route::of(none, ""), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_url_is_borne(path in "\\PC{0,60}", query in "\\PC{0,30}") {
            let _ = Route::of(&path, &query);
        }
    }
}
