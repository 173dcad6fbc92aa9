//! What is known of the types: how each field's list or map is merged, and which type stands behind it.
//!
//! The table in `facts.txt` is read once, on first use. A walk over an object carries a [`Node`], which says how the
//! value at hand is treated; whoever walks asks the node for its children. The table is generated, not edited.

mod custom;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

use custom::Custom;
pub use custom::CustomType;

/// The table as `cargo xtask gen` wrote it.
const TABLE: &str = include_str!("facts.txt");

/// The type whose facts hold for the metadata of every object, also of unknown kinds.
const OBJECT_META: &str = "meta.v1.ObjectMeta";

static FACTS: LazyLock<Facts> = LazyLock::new(|| parse(TABLE));

/// The type of an object, as far as patches need to know it.
///
/// Kinds that the table does not know have atomic lists and granular maps, but the metadata of any other object.
#[derive(Debug, Clone, Copy)]
pub struct TypeRef<'a> {
    root: Root<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Root<'a> {
    Known(&'static Type),
    Custom(&'a CustomType),
    Unknown,
}

impl<'a> TypeRef<'a> {
    /// The type of the objects of a kind that a user has defined.
    pub fn custom(of: &'a CustomType) -> Self {
        Self {
            root: Root::Custom(of),
        }
    }

    /// The type of the objects of a kind; `group` is empty for the core group.
    pub fn of(group: &str, version: &str, kind: &str) -> Self {
        let group = if group.is_empty() { "core" } else { group };
        let name = FACTS
            .prefixes
            .get(group)
            .map(|prefix| format!("{prefix}.{version}.{kind}"));
        Self {
            root: name
                .and_then(|name| FACTS.types.get(name.as_str()))
                .map_or(Root::Unknown, Root::Known),
        }
    }

    /// Whether the table knows the kind; Kubernetes refuses strategic merge patches for kinds that it does not know.
    pub fn is_known(self) -> bool {
        matches!(self.root, Root::Known(_))
    }

    pub(crate) fn node(self) -> Node<'a> {
        let shape = match self.root {
            Root::Known(root) => Shape::Struct(Some(root)),
            Root::Custom(of) => Shape::Custom(of.root()),
            Root::Unknown => Shape::UnknownRoot,
        };
        Node { field: None, shape }
    }
}

/// How the value at one place of an object is treated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'a> {
    field: Option<&'static Field>,
    shape: Shape<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Shape<'a> {
    /// A struct; without facts when there is nothing to say about its fields.
    Struct(Option<&'static Type>),
    /// A map or list as its field says.
    Collection(&'static Field),
    /// An object of a kind that the table does not know.
    UnknownRoot,
    /// A value within such an object.
    Deduced,
    /// A value of a kind that a user has defined.
    Custom(&'a Custom),
}

/// How the items of a list are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListType {
    /// Not at all: the list is one value.
    Atomic,
    /// Each item is its own key.
    Set,
    /// By the fields that [`Node::list_keys`] names.
    Map,
}

impl<'a> Node<'a> {
    /// The node of a field of a struct, or of an entry of a map.
    pub(crate) fn child(self, name: &str) -> Self {
        match self.shape {
            Shape::Struct(Some(of)) => of.fields.get(name).map_or(PLAIN, Field::node),
            Shape::Struct(None) => PLAIN,
            Shape::Collection(field) => field.element_node(),
            Shape::UnknownRoot if name == "metadata" => struct_node(OBJECT_META),
            Shape::Custom(of) if name == "metadata" && of.is_object => struct_node(OBJECT_META),
            Shape::Custom(of) => match of.child(name) {
                Some(child) => Self {
                    field: None,
                    shape: Shape::Custom(child),
                },
                None if of.preserves => Self {
                    field: None,
                    shape: Shape::Deduced,
                },
                None => PLAIN,
            },
            Shape::UnknownRoot | Shape::Deduced => Self {
                field: None,
                shape: Shape::Deduced,
            },
        }
    }

    /// The node of an item of a list.
    pub(crate) fn item(self) -> Self {
        match self.shape {
            Shape::Collection(field) => field.element_node(),
            Shape::Custom(of) => of.items.as_deref().map_or(PLAIN, |of| Self {
                field: None,
                shape: Shape::Custom(of),
            }),
            _ => PLAIN,
        }
    }

    /// Whether a map or struct is one value, owned and replaced as a whole.
    pub(crate) fn is_atomic(self) -> bool {
        if let Shape::Custom(of) = self.shape {
            return of.atomic;
        }
        match self.field.and_then(|field| field.atomic) {
            Some(atomic) => atomic,
            None => matches!(self.shape, Shape::Struct(Some(of)) if of.atomic),
        }
    }

    /// Whether the entries of this map are free names, each owned for itself, rather than fields of a struct.
    pub(crate) fn is_map(self) -> bool {
        matches!(
            self.shape,
            Shape::Collection(_) | Shape::Deduced | Shape::UnknownRoot
        ) || matches!(self.shape, Shape::Custom(of) if of.is_map())
    }

    pub(crate) fn list_type(self) -> ListType {
        match self.shape {
            Shape::Custom(of) => of.list,
            _ => self.field.map_or(ListType::Atomic, |field| field.list),
        }
    }

    /// The fields that tell the items of a list map apart, each with its default.
    pub(crate) fn list_keys(self) -> &'a [Key] {
        match self.shape {
            Shape::Custom(of) => &of.keys,
            _ => self.field.map_or(&[], |field| field.keys.as_slice()),
        }
    }

    /// The strategy of a strategic merge patch.
    pub(crate) fn strategy(self) -> Strategy {
        self.field.map_or(Strategy::Default, |field| field.strategy)
    }
}

/// A value with nothing to say about.
const PLAIN: Node<'static> = Node {
    field: None,
    shape: Shape::Struct(None),
};

/// What a strategic merge patch does to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Maps are merged, lists are replaced.
    Default,
    /// Maps are replaced too.
    Replace,
    /// Lists of scalars are united.
    MergeScalars,
    /// Lists of maps are merged by this key.
    MergeBy(&'static str),
}

/// A key of a list map.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: Cow<'static, str>,
    pub(crate) default: Option<Value>,
}

#[derive(Debug)]
struct Facts {
    prefixes: HashMap<&'static str, &'static str>,
    types: HashMap<&'static str, Type>,
}

/// A type of the table.
#[derive(Debug)]
pub(crate) struct Type {
    atomic: bool,
    fields: HashMap<&'static str, Field>,
}

/// A field with something to say about.
#[derive(Debug)]
pub(crate) struct Field {
    element: Option<&'static str>,
    collection: bool,
    atomic: Option<bool>,
    list: ListType,
    keys: Vec<Key>,
    strategy: Strategy,
}

/// The facts about a type by the name that it has in the table, such as `core.v1.Pod`.
pub(crate) fn published(name: &str) -> Option<&'static Type> {
    FACTS.types.get(name)
}

impl Type {
    /// Whether its values are owned and replaced as a whole.
    pub(crate) fn is_atomic(&self) -> bool {
        self.atomic
    }

    /// The fields with facts, by name.
    pub(crate) fn fields(&'static self) -> impl Iterator<Item = (&'static str, &'static Field)> {
        self.fields.iter().map(|(name, field)| (*name, field))
    }
}

impl Field {
    /// Whether the field says of itself that it is one value, or that it is not.
    pub(crate) fn atomic(&self) -> Option<bool> {
        self.atomic
    }

    pub(crate) fn list_type(&self) -> ListType {
        self.list
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    pub(crate) fn strategy(&self) -> Strategy {
        self.strategy
    }

    fn node(&'static self) -> Node<'static> {
        let shape = if self.collection {
            Shape::Collection(self)
        } else {
            self.element_node().shape
        };
        Node {
            field: Some(self),
            shape,
        }
    }

    fn element_node(&self) -> Node<'static> {
        self.element.map_or(PLAIN, struct_node)
    }
}

fn struct_node(name: &str) -> Node<'static> {
    Node {
        field: None,
        shape: Shape::Struct(FACTS.types.get(name)),
    }
}

fn parse(table: &'static str) -> Facts {
    let mut facts = Facts {
        prefixes: HashMap::new(),
        types: HashMap::new(),
    };
    let mut current = "";
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else {
            continue;
        };
        if line.starts_with(' ') {
            if let Some(of) = facts.types.get_mut(current) {
                of.fields.insert(first, parse_field(second, words));
            }
        } else if first == "group" {
            facts.prefixes.extend(words.next().map(|prefix| (second, prefix)));
        } else {
            current = second;
            facts.types.insert(
                current,
                Type {
                    atomic: words.next().is_some(),
                    fields: HashMap::new(),
                },
            );
        }
    }
    facts
}

fn parse_field(element: &'static str, words: impl Iterator<Item = &'static str>) -> Field {
    let mut field = Field {
        element: (element != "-").then_some(element),
        collection: false,
        atomic: None,
        list: ListType::Atomic,
        keys: Vec::new(),
        strategy: Strategy::Default,
    };
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match (name, value) {
            ("atomic", _) => field.atomic = Some(true),
            ("granular", _) => field.atomic = Some(false),
            ("list", "map") => field.list = ListType::Map,
            ("list", "set") => field.list = ListType::Set,
            ("keys", keys) => field.keys = keys.split(',').map(parse_key).collect(),
            ("replace", _) => field.strategy = Strategy::Replace,
            ("merge", "") => field.strategy = Strategy::MergeScalars,
            ("merge", key) => field.strategy = Strategy::MergeBy(key),
            _ => {}
        }
        field.collection |= matches!(name, "list" | "map");
    }
    field
}

fn parse_key(word: &'static str) -> Key {
    let (name, default) = match word.split_once(':') {
        Some((name, default)) => (name, Some(Value::from(default))),
        None => (word, None),
    };
    Key {
        name: name.into(),
        default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_how_containers_are_merged() {
        let spec = TypeRef::of("apps", "v1", "Deployment")
            .node()
            .child("spec")
            .child("template")
            .child("spec");
        let containers = spec.child("containers");
        assert_eq!(containers.list_type(), ListType::Map);
        assert_eq!(containers.strategy(), Strategy::MergeBy("name"));
        let ports = containers.item().child("ports");
        let keys: Vec<_> = ports
            .list_keys()
            .iter()
            .map(|key| (&*key.name, key.default.clone()))
            .collect();
        assert_eq!(
            keys,
            [("containerPort", None), ("protocol", Some(Value::from("TCP")))]
        );
        assert_eq!(spec.child("tolerations").list_type(), ListType::Atomic);
        assert!(spec.child("nodeSelector").is_atomic());
    }

    #[test]
    fn a_selector_is_one_value_and_a_claim_reference_is_not() {
        assert!(
            TypeRef::of("apps", "v1", "Deployment")
                .node()
                .child("spec")
                .child("selector")
                .is_atomic()
        );
        assert!(
            !TypeRef::of("", "v1", "PersistentVolume")
                .node()
                .child("spec")
                .child("claimRef")
                .is_atomic()
        );
    }

    #[test]
    fn unknown_kinds_have_the_metadata_of_all_others() {
        let unknown = TypeRef::of("example.org", "v1", "Crate");
        assert!(!unknown.is_known());
        assert_eq!(
            unknown.node().child("metadata").child("finalizers").list_type(),
            ListType::Set
        );
        assert_eq!(
            unknown.node().child("spec").child("containers").list_type(),
            ListType::Atomic
        );
    }

    #[test]
    fn every_type_that_a_field_names_is_in_the_table() {
        for (name, of) in &FACTS.types {
            for (field, facts) in &of.fields {
                let known = facts
                    .element
                    .is_none_or(|element| FACTS.types.contains_key(element));
                assert!(known, "{name}.{field} names an unknown type");
            }
        }
    }
}
