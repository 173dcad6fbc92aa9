//! The tools that are known, with their maintainers: read from the namespaces, kept when the API is gone.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use k8s_openapi::api::core::v1::Namespace as NamespaceObject;
use kube::runtime::watcher::Event;
use toolforge_model::{Maintainer, ToolName, labels};

use super::tools::Tools;

/// The last list of tools that was complete, to be read by every request without waiting.
#[derive(Debug, Default)]
pub(crate) struct Known {
    tools: ArcSwapOption<Tools>,
}

impl Known {
    /// The tools, or nothing before they have been read once.
    pub(crate) fn tools(&self) -> Option<Arc<Tools>> {
        self.tools.load_full()
    }
}

/// Follows the namespaces, event by event.
#[derive(Debug)]
pub(crate) struct Follower {
    known: Arc<Known>,
    /// The list being read; the old one is served until it is complete.
    incoming: Tools,
}

impl Follower {
    pub(crate) fn new(known: Arc<Known>) -> Self {
        Self {
            known,
            incoming: Tools::default(),
        }
    }

    pub(crate) fn apply(&mut self, event: Event<NamespaceObject>) {
        match event {
            Event::Init => self.incoming.clear(),
            Event::InitApply(namespace) => put(&mut self.incoming, &namespace),
            Event::InitDone => self
                .known
                .tools
                .store(Some(Arc::new(std::mem::take(&mut self.incoming)))),
            Event::Apply(namespace) => self.change(|tools| put(tools, &namespace)),
            Event::Delete(namespace) => self.change(|tools| {
                if let Some(name) = tool(&namespace) {
                    tools.remove(&name);
                }
            }),
        }
    }

    /// Readers keep the list that they have; the next reader gets the changed one.
    fn change(&self, change: impl FnOnce(&mut Tools)) {
        let mut tools = self
            .known
            .tools()
            .map(|tools| Tools::clone(&tools))
            .unwrap_or_default();
        change(&mut tools);
        self.known.tools.store(Some(Arc::new(tools)));
    }
}

/// A namespace that is going away is no tool's any more.
fn put(tools: &mut Tools, namespace: &NamespaceObject) {
    let Some(name) = tool(namespace) else { return };
    if namespace.metadata.deletion_timestamp.is_some() {
        tools.remove(&name);
    } else {
        tools.insert(name, maintainers(namespace));
    }
}

fn tool(namespace: &NamespaceObject) -> Option<ToolName> {
    ToolName::of_namespace(namespace.metadata.name.as_deref()?)
}

fn maintainers(namespace: &NamespaceObject) -> Vec<Maintainer> {
    let annotation = namespace
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get(labels::MAINTAINERS));
    let mut maintainers: Vec<Maintainer> = match annotation.map(|text| serde_json::from_str(text)) {
        Some(Ok(maintainers)) => maintainers,
        Some(Err(error)) => {
            tracing::warn!(namespace = namespace.metadata.name, %error, "the maintainers of a tool cannot be read");
            Vec::new()
        }
        None => Vec::new(),
    };
    maintainers.sort_by_cached_key(|maintainer| (maintainer.name.to_lowercase(), maintainer.uid.clone()));
    maintainers
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::Namespace as NamespaceObject;
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::{Follower, Known};

    fn namespace(name: &str, maintainers: &str) -> NamespaceObject {
        let annotations = json!({"toolforge.org/maintainers": maintainers});
        serde_json::from_value(json!({"metadata": {"name": name, "annotations": annotations}})).unwrap()
    }

    fn names(known: &Known) -> Option<Vec<String>> {
        Some(known.tools()?.names().map(ToString::to_string).collect())
    }

    #[test]
    fn serves_the_old_list_until_the_new_one_is_complete() {
        let known = Arc::new(Known::default());
        let mut follower = Follower::new(Arc::clone(&known));
        follower.apply(Event::Init);
        follower.apply(Event::InitApply(namespace("tool-alpha", "[]")));
        assert_eq!(names(&known), None);
        follower.apply(Event::InitDone);
        assert_eq!(names(&known).unwrap(), ["alpha"]);
        follower.apply(Event::Init);
        follower.apply(Event::InitApply(namespace("tool-beta", "[]")));
        assert_eq!(names(&known).unwrap(), ["alpha"]);
        follower.apply(Event::InitDone);
        assert_eq!(names(&known).unwrap(), ["beta"]);
    }

    #[test]
    fn follows_tools_that_come_and_go() {
        let known = Arc::new(Known::default());
        let mut follower = Follower::new(Arc::clone(&known));
        follower.apply(Event::Init);
        follower.apply(Event::InitDone);
        follower.apply(Event::Apply(namespace("tool-alpha", "[]")));
        follower.apply(Event::Apply(namespace("tool-beta", "[]")));
        follower.apply(Event::Apply(namespace("default", "[]")));
        assert_eq!(names(&known).unwrap(), ["alpha", "beta"]);
        follower.apply(Event::Delete(namespace("tool-alpha", "[]")));
        let mut going = namespace("tool-beta", "[]");
        going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        follower.apply(Event::Apply(going));
        assert_eq!(names(&known).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn sorts_maintainers_by_name_and_bears_what_cannot_be_read() {
        let known = Arc::new(Known::default());
        let mut follower = Follower::new(Arc::clone(&known));
        let people = r#"[{"uid": "z", "name": "ada Lovelace"}, {"uid": "a", "name": "Grace Hopper"}, {"uid": "b", "name": "Ada Byron"}]"#;
        follower.apply(Event::Apply(namespace("tool-alpha", people)));
        follower.apply(Event::Apply(namespace("tool-beta", "not JSON")));
        let tools = known.tools().unwrap();
        let people = |name: &str| tools.maintainers(&name.parse().unwrap()).unwrap();
        let alpha: Vec<&str> = people("alpha")
            .iter()
            .map(|maintainer| maintainer.name.as_str())
            .collect();
        assert_eq!(alpha, ["Ada Byron", "ada Lovelace", "Grace Hopper"]);
        assert!(people("beta").is_empty());
    }
}
