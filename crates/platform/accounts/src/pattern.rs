//! What the objects of all tools have in common: those of a made-up tool as text, with gaps where they speak of it.
//!
//! Pure, but for the memory of the last one made. Nearly always a tool has all that it should, and to make its objects as trees
//! only to see that is more work than all the rest of a look at it. A pattern with a tool's own words in its gaps is the text
//! of that tool's objects, which the cache compares as it is. **Invariant:** a pattern can say that there is nothing to do, and
//! nothing else. What a tool should have, and what is to be done where it has not, say `desired.rs` and `plan.rs` alone.

use std::sync::Arc;

use parking_lot::Mutex;
use toolforge_model::{Maintainer, ToolName};
use toolforge_policy::psp::ToolClass;

use crate::{
    cache::Cache,
    desired::{desired_tool_objects, maintainers},
    overrides::Overrides,
    plan::ObjectKey,
    snapshot::Tool,
};

mod gaps;

#[cfg(test)]
mod tests;

use gaps::Gaps;

/// The objects of any tool that no overrides name.
#[derive(Debug)]
pub(crate) struct Pattern(Vec<Object>);

#[derive(Debug)]
struct Object {
    kind: String,
    namespace: Gaps,
    name: Gaps,
    text: Gaps,
}

/// What objects say of a tool and of no other, as it stands in their texts.
struct Words([String; 5]);

impl Pattern {
    /// Makes it. There is none when the rules happen to have the words of the made-up tool: then the gaps are not all its own.
    fn new(class: &ToolClass, overrides: &Overrides) -> Option<Self> {
        let of = |tool: &Tool, uid: &str| -> Vec<(ObjectKey, String)> {
            let objects = desired_tool_objects(tool, class, overrides, Some(uid)).into_iter();
            objects
                .map(|object| (ObjectKey::of(&object), object.to_string()))
                .collect()
        };
        let [(sample, uid), (proof, proof_uid)] = [1, 2].map(made_up);
        let words = Words::of(&sample, &uid);
        let objects = of(&sample, &uid)
            .into_iter()
            .map(|(key, text)| words.cut(key, &text));
        let pattern = Self(objects.collect());
        let fits = pattern
            .filled(&Words::of(&proof, &proof_uid))
            .eq(of(&proof, &proof_uid));
        fits.then_some(pattern)
    }

    /// Whether a tool has all that it should; `uid` is that of its namespace.
    pub(crate) fn is_in(&self, cache: &Cache, tool: &Tool, uid: &str) -> bool {
        self.filled(&Words::of(tool, uid))
            .all(|(key, text)| cache.is_as(&key, &text))
    }

    fn filled(&self, words: &Words) -> impl Iterator<Item = (ObjectKey, String)> {
        self.0.iter().map(|object| {
            let key = ObjectKey {
                kind: object.kind.clone(),
                namespace: object.namespace.filled(&words.0),
                name: object.name.filled(&words.0),
            };
            (key, object.text.filled(&words.0))
        })
    }
}

impl Words {
    fn of(tool: &Tool, uid: &str) -> Self {
        Self([
            tool.name.to_string(),
            tool.uid.to_string(),
            within_quotes(&tool.home.to_string_lossy()),
            within_quotes(&maintainers(tool)),
            within_quotes(uid),
        ])
    }

    fn cut(&self, key: ObjectKey, text: &str) -> Object {
        Object {
            kind: key.kind,
            namespace: Gaps::cut(&key.namespace, &self.0),
            name: Gaps::cut(&key.name, &self.0),
            text: Gaps::cut(text, &self.0),
        }
    }
}

/// How JSON writes a text, less the quotes.
fn within_quotes(text: &str) -> String {
    // Text cannot fail to become JSON.
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

/// A tool that there is not, and the uid of its namespace. Nothing of it is in anything else of it.
fn made_up(number: u32) -> (Tool, String) {
    let somebody = format!("somebody-{number}-made-up");
    let tool = Tool {
        name: format!("made-up-{number}-tool").parse().expect("it is a name"),
        uid: u32::MAX - number,
        home: format!("/made-up/{number}/home").into(),
        maintainers: vec![Maintainer {
            uid: somebody.clone(),
            name: somebody,
        }],
        locked: false,
    };
    (tool, format!("uid-{number}-made-up"))
}

/// The pattern by the overrides that are in force.
#[derive(Debug, Default)]
pub(crate) struct Patterns(Mutex<Option<Made>>);

#[derive(Debug)]
struct Made {
    by: Arc<Overrides>,
    pattern: Option<Arc<Pattern>>,
}

impl Patterns {
    /// The pattern of a tool; none when it is not like all others.
    pub(crate) fn of(
        &self,
        tool: &ToolName,
        class: &ToolClass,
        overrides: &Arc<Overrides>,
    ) -> Option<Arc<Pattern>> {
        if overrides.name(tool) {
            return None;
        }
        let mut last = self.0.lock();
        match &*last {
            Some(made) if Arc::ptr_eq(&made.by, overrides) => made.pattern.clone(),
            _ => {
                let pattern = Pattern::new(class, overrides).map(Arc::new);
                let by = overrides.clone();
                last.insert(Made { by, pattern }).pattern.clone()
            }
        }
    }
}
