//! The stored objects as the admission chain sees them.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;
use toolforge_chain::{Decision, Question, World};
use toolforge_kinds::{Kind, Status};

use crate::authn::User;
use crate::authz::{Access, Attributes};
use crate::conversion::Conversion;
use crate::definitions::Kinds;
use crate::store::{Key, Resource, Store};

/// The store, for reading, and the kinds of users.
#[derive(Clone, Debug)]
pub(crate) struct StoredWorld {
    pub(crate) store: Arc<Store>,
    pub(crate) kinds: Arc<Kinds>,
    pub(crate) access: Arc<Access>,
    /// Who converts users' kinds; whoever looks for Services only has no need of it.
    pub(crate) conversion: Option<Arc<Conversion>>,
}

impl World for StoredWorld {
    fn list(&self, group: &str, plural: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let Some(resource) = Resource::find(group, plural) else {
            return Vec::new();
        };
        self.store
            .list(resource, namespace)
            .objects
            .iter()
            .map(|stored| stored.value())
            .collect()
    }

    fn get(&self, group: &str, plural: &str, namespace: Option<&str>, name: &str) -> Option<Arc<Value>> {
        let key = Key::new(Resource::find(group, plural)?, namespace, name);
        self.store.get(&key).map(|stored| stored.value())
    }

    fn versions(&self, group: &str, plural: &str) -> Vec<&'static Kind> {
        self.kinds.versions(group, plural)
    }

    fn changed(&self, group: &str, plural: &str) -> Option<u64> {
        Some(self.store.changed(Resource::find(group, plural)?))
    }

    fn decide(&self, user: &toolforge_chain::User, question: &Question) -> Decision {
        let user = User {
            name: user.name.clone(),
            uid: user.uid.clone(),
            groups: user.groups.clone(),
            extra: user.extra.clone().into_iter().collect(),
        };
        let decision = self.access.decide(&user, &asked(question), &self.store);
        Decision {
            allowed: decision.is_allowed(),
            reason: decision.reason().to_owned(),
            error: String::new(),
        }
    }

    fn convert<'a>(
        &'a self,
        from: &'a Kind,
        to: &'a Kind,
        object: Value,
    ) -> BoxFuture<'a, Result<Value, Status>> {
        Box::pin(async move {
            let target = self.kinds.by_resource(to.group, to.version, to.plural);
            let hook = target.as_ref().and_then(|target| target.hook.as_deref());
            let (Some(conversion), Some(target), Some(hook)) = (&self.conversion, &target, hook) else {
                return Ok(toolforge_kinds::convert(from, to, object));
            };
            let converted = conversion
                .values(hook, &target.kind, vec![Arc::new(object)])
                .await?;
            converted
                .into_iter()
                .next()
                .ok_or_else(|| Status::internal("the conversion has lost the object"))
        })
    }
}

/// A question of an expression as one of a request.
fn asked(question: &Question) -> Attributes {
    if let Some(path) = &question.path {
        return Attributes {
            verb: question.verb.clone(),
            path: Some(path.clone()),
            ..Attributes::default()
        };
    }
    Attributes {
        verb: question.verb.clone(),
        group: question.group.clone(),
        version: "*".to_owned(),
        resource: question.resource.clone(),
        subresource: question.subresource.clone(),
        namespace: question.namespace.clone(),
        name: question.name.clone(),
        field_selector: Some(question.field_selector.clone()).filter(|selector| !selector.is_empty()),
        path: None,
    }
}
