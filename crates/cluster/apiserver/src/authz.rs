//! Who may do what: RBAC from the stored roles and bindings, plus the rights of nodes.
//!
//! The index is kept up to date by the store; asking it touches no I/O.

pub(crate) mod aggregate;
pub(crate) mod escalation;
pub(crate) mod node;
pub(crate) mod open;
pub(crate) mod rbac;
pub(crate) mod reviews;
pub(crate) mod rules;

use crate::authn::User;
use crate::request::RequestInfo;
use crate::store::{Effect, Event, Observer, Store, Stored};
use parking_lot::RwLock;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use toolforge_kinds::Status;

/// What somebody wants to do, as RBAC sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) verb: String,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// What a listing is limited to, as it was written; only the rights of nodes depend on it.
    pub(crate) field_selector: Option<String>,
    /// Set instead of the resource for paths like `/healthz`.
    pub(crate) path: Option<String>,
}

impl Attributes {
    /// The attributes of a request.
    pub(crate) fn of(info: &RequestInfo) -> Self {
        let Some(found) = &info.resource else {
            return Self {
                verb: info.verb.to_owned(),
                path: Some(info.path.clone()),
                ..Self::default()
            };
        };
        Self {
            verb: info.verb.to_owned(),
            group: found.group.clone(),
            version: found.version.clone(),
            resource: found.plural.clone(),
            subresource: found.subresource.clone().unwrap_or_default(),
            namespace: found.namespace.clone().unwrap_or_default(),
            name: found.name.clone().unwrap_or_default(),
            field_selector: info.field_selector.clone(),
            path: None,
        }
    }

    /// `resource/subresource`, as rules write it.
    pub(crate) fn combined_resource(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }
}

/// A decision, with its reason for reviews.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Yes, because of a rule.
    Allow(String),
    /// No rule says yes; a reason where there is more to say.
    NoOpinion(String),
}

impl Decision {
    /// Whether it is a yes.
    pub(crate) fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }

    /// Why; may be empty.
    pub(crate) fn reason(&self) -> &str {
        let (Self::Allow(reason) | Self::NoOpinion(reason)) = self;
        reason
    }
}

/// The index of access rights; fed by the store.
#[derive(Debug, Default)]
pub(crate) struct Access {
    rbac: RwLock<rbac::Index>,
    open: Arc<open::Open>,
}

impl Access {
    /// Takes an object that was read when the store opened.
    pub(crate) fn load(&self, object: &Stored) {
        if object.key.resource.group == rbac::GROUP {
            self.rbac.write().put(&object.key, &object.value());
        }
    }

    /// Decides.
    pub(crate) fn decide(&self, user: &User, attributes: &Attributes, store: &Store) -> Decision {
        if user.is_in(crate::authn::MASTERS) {
            return Decision::Allow("group system:masters".to_owned());
        }
        let decision = self.rbac.read().decide(user, attributes);
        if decision.is_allowed() {
            return decision;
        }
        match node::Node::of(user) {
            Some(node) => node.decide(attributes, store),
            None => decision,
        }
    }

    /// Decides, and refuses in Kubernetes' words.
    pub(crate) fn require(&self, user: &User, attributes: &Attributes, store: &Store) -> Result<(), Status> {
        if self.decide(user, attributes, store).is_allowed() {
            return Ok(());
        }
        Err(refusal(user, attributes))
    }

    /// Holds the right to a request that stays open, and was allowed: it ends when RBAC says so, or with `closing`.
    ///
    /// Nothing is held for those with rights that RBAC does not give: masters, and nodes.
    pub(crate) fn hold(
        &self,
        user: &User,
        attributes: &Attributes,
        closing: &CancellationToken,
    ) -> Option<Arc<open::Held>> {
        let is_allowed = || self.rbac.read().decide(user, attributes).is_allowed();
        let is_above = user.is_in(crate::authn::MASTERS) || node::Node::of(user).is_some();
        if is_above {
            return None;
        }
        let held = self.open.hold(user, attributes, closing);
        // What ended before it was held has not been seen by anybody.
        if !is_allowed() {
            held.ends().cancel();
        }
        Some(Arc::new(held))
    }

    /// Reads the index.
    pub(crate) fn with_rbac<T>(&self, read: impl FnOnce(&rbac::Index) -> T) -> T {
        read(&self.rbac.read())
    }
}

impl Observer for Access {
    fn applied(&self, event: &Event) {
        if event.object.key.resource.group != rbac::GROUP {
            return;
        }
        let mut index = self.rbac.write();
        match event.effect {
            Effect::Put => index.put(&event.object.key, &event.object.value()),
            Effect::Removed => index.remove(&event.object.key),
        }
        drop(index);
        self.open.review(event, &self.rbac.read());
    }
}

/// `pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "y"`.
pub(crate) fn refusal(user: &User, attributes: &Attributes) -> Status {
    let who = format!("User {:?} cannot {}", user.name, attributes.verb);
    if let Some(path) = &attributes.path {
        return Status::forbidden_path(&format!("{who} path {path:?}"));
    }
    let scope = if attributes.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {:?}", attributes.namespace)
    };
    let resource = attributes.combined_resource();
    let qualified = if attributes.group.is_empty() {
        attributes.resource.clone()
    } else {
        format!("{}.{}", attributes.resource, attributes.group)
    };
    let subject = if attributes.name.is_empty() {
        String::new()
    } else {
        format!(" {:?}", attributes.name)
    };
    let mut details = serde_json::json!({ "kind": attributes.resource });
    if !attributes.group.is_empty() {
        details["group"] = attributes.group.clone().into();
    }
    if !attributes.name.is_empty() {
        details["name"] = attributes.name.clone().into();
    }
    let message = format!(
        "{qualified}{subject} is forbidden: {who} resource {resource:?} in API group {:?} {scope}",
        attributes.group
    );
    Status::custom(403, "Forbidden", message, Some(details))
}
