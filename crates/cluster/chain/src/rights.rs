//! The rights of who makes a request, as expressions ask about them.

use std::sync::Arc;

use toolforge_cel::{Asking, Authorizer, Decision, Question};

use crate::attributes::{Attributes, User};
use crate::world::World;

/// Answers for one user, and for the service accounts that an expression names.
struct Rights {
    world: Arc<dyn World>,
    user: User,
}

impl std::fmt::Debug for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rights")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Authorizer for Rights {
    fn decide(&self, question: &Question) -> Decision {
        match &question.service_account {
            Some((namespace, name)) => self.world.decide(&account(namespace, name), question),
            None => self.world.decide(&self.user, question),
        }
    }
}

/// A service account as a user, with the groups that it has by itself.
fn account(namespace: &str, name: &str) -> User {
    User {
        name: format!("system:serviceaccount:{namespace}:{name}"),
        groups: vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
        ],
        ..User::default()
    }
}

/// The variable `authorizer` of expressions about a request.
pub(crate) fn of_request(world: &Arc<dyn World>, attributes: &Attributes) -> Arc<Asking> {
    let rights = Rights {
        world: Arc::clone(world),
        user: attributes.user.clone(),
    };
    let request = Question {
        group: attributes.kind.group.to_owned(),
        resource: attributes.kind.plural.to_owned(),
        subresource: attributes.subresource.clone().unwrap_or_default(),
        namespace: attributes.namespace.clone().unwrap_or_default(),
        name: attributes.name.clone(),
        ..Question::default()
    };
    Arc::new(Asking::new(Arc::new(rights), request))
}
