//! The links of the chain in their order.

use std::sync::Arc;

use serde_json::Value;
use toolforge_kinds::Status;

use crate::attributes::{Attributes, Operation};
use crate::observer::Observer;
use crate::webhook::{Dispatcher, Mutation};
use crate::world::World;
use crate::{lifecycle, limits, pod_security, priority, quota, service_account};

/// The admission chain over one world.
pub struct Chain {
    world: Arc<dyn World>,
    webhooks: Dispatcher,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").finish_non_exhaustive()
    }
}

impl Chain {
    /// A chain that sees `world`.
    pub fn new(world: Arc<dyn World>) -> Self {
        Self {
            webhooks: Dispatcher::new(Arc::clone(&world)),
            world,
        }
    }

    /// Tells `observer` how webhooks fare.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.webhooks.observe(observer);
        self
    }

    /// Lets limit ranges and mutating webhooks change the object; gives it back with the webhooks' warnings.
    ///
    /// The caller defaults and validates the object afterwards, and puts back what no webhook may change.
    ///
    /// # Errors
    /// The refusal to answer the request with.
    pub async fn mutate(
        &self,
        attributes: &Attributes,
        object: Option<Value>,
        old: Option<&Value>,
    ) -> Result<(Option<Value>, Vec<String>), Status> {
        lifecycle::admit(self.world.as_ref(), attributes, object.as_ref())?;
        let mut mutation = Mutation::of(object);
        self.set_defaults(attributes, &mut mutation)?;
        self.webhooks.mutate(attributes, &mut mutation, old).await?;
        self.set_defaults(attributes, &mut mutation)?;
        self.webhooks.mutate_again(attributes, &mut mutation, old).await?;
        self.set_defaults(attributes, &mut mutation)?;
        Ok(mutation.into_parts())
    }

    /// Asks everybody who may refuse; gives the webhooks' warnings.
    ///
    /// Quota comes last: it is exact when the caller lets no other write into the namespace between this answer and
    /// the moment when the object is stored. A caller that does not want to hold up a namespace while webhooks answer
    /// calls [`Chain::validate_unlocked`] first and then, with its lock, [`Chain::check_quota`].
    ///
    /// # Errors
    /// The refusal to answer the request with.
    pub async fn validate(
        &self,
        attributes: &Attributes,
        object: Option<&Value>,
        old: Option<&Value>,
    ) -> Result<Vec<String>, Status> {
        let warnings = self.validate_unlocked(attributes, object, old).await?;
        self.check_quota(attributes, object, old)?;
        Ok(warnings)
    }

    /// All of [`Chain::validate`] but quota.
    ///
    /// # Errors
    /// The refusal to answer the request with.
    pub async fn validate_unlocked(
        &self,
        attributes: &Attributes,
        object: Option<&Value>,
        old: Option<&Value>,
    ) -> Result<Vec<String>, Status> {
        lifecycle::admit(self.world.as_ref(), attributes, object)?;
        self.check_limits(attributes, object)?;
        service_account::admit(self.world.as_ref(), attributes, object)?;
        priority::admit(attributes, object)?;
        let mut warnings = pod_security::admit(self.world.as_ref(), attributes, object, old)?;
        warnings.extend(self.webhooks.validate(attributes, object, old).await?);
        Ok(warnings)
    }

    /// Whether the object fits into the quotas of its namespace.
    ///
    /// # Errors
    /// The refusal to answer the request with.
    pub fn check_quota(
        &self,
        attributes: &Attributes,
        object: Option<&Value>,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        quota::admit(self.world.as_ref(), attributes, object, old)
    }

    fn ranges(&self, attributes: &Attributes) -> Vec<Arc<Value>> {
        match &attributes.namespace {
            Some(namespace) if limits::concern(attributes) => {
                self.world.list("", "limitranges", Some(namespace))
            }
            _ => Vec::new(),
        }
    }

    fn set_defaults(&self, attributes: &Attributes, mutation: &mut Mutation) -> Result<(), Status> {
        if !attributes.is_of("", "pods") || attributes.operation != Operation::Create {
            return Ok(());
        }
        for range in self.ranges(attributes) {
            mutation.change(|pod| limits::set_defaults(&range, pod));
        }
        let mut completed = Ok(());
        mutation.change(|pod| completed = service_account::complete(self.world.as_ref(), attributes, pod));
        completed
    }

    fn check_limits(&self, attributes: &Attributes, object: Option<&Value>) -> Result<(), Status> {
        let Some(object) = object else { return Ok(()) };
        for range in self.ranges(attributes) {
            let problems = limits::violations(&range, attributes.kind.plural, object);
            match problems.as_slice() {
                [] => {}
                [only] => return Err(attributes.forbidden(Some(object), only)),
                several => {
                    return Err(attributes.forbidden(Some(object), &format!("[{}]", several.join(", "))));
                }
            }
        }
        Ok(())
    }
}
