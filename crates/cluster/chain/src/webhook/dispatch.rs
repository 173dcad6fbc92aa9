//! Asks the webhooks that want to be asked, in the right order, and obeys their answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use serde_json::{Value, json};
use toolforge_kinds::{Kind, Status};
use uuid::Uuid;

use super::call::{CallError, Caller};
use super::conditions::{Conditions, Verdict};
use super::definition::{Definitions, FailurePolicy, Phase, ReinvocationPolicy, Webhook};
use super::denial;
use super::matching::{is_exempt, wanted_kind};
use super::mutation::Mutation;
use super::review::{self, Answer, Asked};
use crate::attributes::Attributes;
use crate::observer::{Observer, WebhookCall};
use crate::rights;
use crate::world::World;

/// What a webhook may not change: what the object is.
const IDENTITY: &[&str] = &[
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/uid",
];

/// Asks webhooks.
pub(crate) struct Dispatcher {
    world: Arc<dyn World>,
    caller: Caller,
    conditions: Conditions,
    definitions: Definitions,
    observer: Option<Arc<dyn Observer>>,
}

/// When a webhook is asked: in which round, and as which one. Audit annotations are named by it.
#[derive(Debug, Clone, Copy)]
struct Turn {
    round: usize,
    index: usize,
}

impl Turn {
    fn annotate(self, attributes: &Attributes, prefix: &str, value: String) {
        let name = format!("{prefix}/round_{}_index_{}", self.round, self.index);
        attributes.annotations.add(&name, value);
    }
}

impl Dispatcher {
    pub(crate) fn new(world: Arc<dyn World>) -> Self {
        Self {
            caller: Caller::new(Arc::clone(&world)),
            conditions: Conditions::default(),
            observer: None,
            world,
            definitions: Definitions::default(),
        }
    }

    /// Tells `observer` of each call from now on.
    pub(crate) fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.observer = Some(observer);
    }

    /// Asks the mutating webhooks one after the other; each sees what those before it made of the object.
    pub(crate) async fn mutate(
        &self,
        attributes: &Attributes,
        mutation: &mut Mutation,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        for (index, webhook) in self.webhooks(attributes, Phase::Mutating)?.iter().enumerate() {
            let turn = Turn { round: 0, index };
            self.mutate_with(webhook, attributes, mutation, old, turn).await?;
        }
        Ok(())
    }

    /// Asks those once more that want it, when the object has changed since they saw it.
    pub(crate) async fn mutate_again(
        &self,
        attributes: &Attributes,
        mutation: &mut Mutation,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        for (index, webhook) in self.webhooks(attributes, Phase::Mutating)?.iter().enumerate() {
            let wants = webhook.reinvocation_policy == Some(ReinvocationPolicy::IfNeeded);
            if wants && mutation.changed_since(&webhook.configuration, &webhook.name) {
                let turn = Turn { round: 1, index };
                self.mutate_with(webhook, attributes, mutation, old, turn).await?;
            }
        }
        Ok(())
    }

    /// Asks the validating webhooks all at once; the first refusal in their order counts.
    pub(crate) async fn validate(
        &self,
        attributes: &Attributes,
        object: Option<&Value>,
        old: Option<&Value>,
    ) -> Result<Vec<String>, Status> {
        let webhooks = self.webhooks(attributes, Phase::Validating)?;
        let answers = join_all(webhooks.iter().enumerate().filter_map(|(index, webhook)| {
            let kind = wanted_kind(self.world.as_ref(), webhook, attributes, object, old)?;
            let turn = Turn { round: 0, index };
            Some(self.ask(webhook, Phase::Validating, attributes, kind, object, old, turn))
        }));
        let mut warnings = Vec::new();
        for answer in answers.await {
            warnings.extend(answer?.map(|answer| answer.warnings).unwrap_or_default());
        }
        Ok(warnings)
    }

    fn webhooks(&self, attributes: &Attributes, phase: Phase) -> Result<Arc<Vec<Webhook>>, Status> {
        if is_exempt(attributes) {
            return Ok(Arc::default());
        }
        self.definitions
            .all(self.world.as_ref(), phase)
            .map_err(Status::internal)
    }

    async fn mutate_with(
        &self,
        webhook: &Webhook,
        attributes: &Attributes,
        mutation: &mut Mutation,
        old: Option<&Value>,
        turn: Turn,
    ) -> Result<(), Status> {
        let object = mutation.object();
        let Some(kind) = wanted_kind(self.world.as_ref(), webhook, attributes, object, old) else {
            return Ok(());
        };
        let answer = self
            .ask(webhook, Phase::Mutating, attributes, kind, object, old, turn)
            .await?;
        let Some(answer) = answer else { return Ok(()) };
        let before = mutation.state();
        if let Some(patch) = answer.patch {
            let patched = self
                .patched(webhook, attributes, kind, mutation.object(), &patch)
                .await?;
            mutation.replace(patched);
        }
        let told = json!({
            "configuration": webhook.configuration, "webhook": webhook.name,
            "mutated": before != mutation.state(),
        });
        turn.annotate(attributes, "mutation.webhook.admission.k8s.io", told.to_string());
        mutation.warn(answer.warnings);
        mutation.note_seen(&webhook.configuration, &webhook.name);
        Ok(())
    }

    /// Asks one webhook. Nothing comes back when it does not want to be asked, or cannot be and may be ignored.
    #[expect(clippy::too_many_arguments, reason = "all of the question")]
    async fn ask(
        &self,
        webhook: &Webhook,
        phase: Phase,
        attributes: &Attributes,
        kind: &Kind,
        object: Option<&Value>,
        old: Option<&Value>,
        turn: Turn,
    ) -> Result<Option<Answer>, Status> {
        let uid = Uuid::new_v4().to_string();
        let shown = self.as_kind(attributes, kind, object).await?;
        let shown_old = self.as_kind(attributes, kind, old).await?;
        let asked = Asked {
            uid: &uid,
            version: webhook.review_version(),
        };
        let question = review::question(asked, attributes, kind, shown, shown_old);
        if webhook.has_conditions() {
            let rights = rights::of_request(&self.world, attributes);
            match self.conditions.check(webhook, &question, &rights) {
                Verdict::Ask => {}
                Verdict::Skip => return Ok(None),
                Verdict::Refuse(why) => return Err(attributes.forbidden(object.or(old), &why)),
            }
        }
        if attributes.dry_run && !webhook.may_run_dry() {
            return Err(denial::no_dry_run(&webhook.name));
        }
        let begun = Instant::now();
        let called = self
            .caller
            .call(webhook.into(), Bytes::from(question.to_string()))
            .await;
        let answer = called.and_then(|bytes| review::answer(&bytes, asked, phase).map_err(CallError::Answer));
        self.tell(webhook, phase, attributes, answer.as_ref(), begun.elapsed());
        for (name, value) in answer.iter().flat_map(|answer| &answer.annotations) {
            let name = format!("{}/{name}", webhook.name);
            attributes.annotations.add(&name, value.as_str());
        }
        match answer {
            Ok(answer) if answer.allowed => Ok(Some(answer)),
            Ok(answer) => Err(denial::denied(&webhook.name, &answer.status)),
            Err(error) if webhook.failure_policy == Some(FailurePolicy::Ignore) => {
                tracing::warn!(
                    "{}; going on, as its failurePolicy says",
                    denial::failed(&webhook.name, &error)
                );
                let prefix = match phase {
                    Phase::Mutating => "failed-open.mutating.webhook.admission.k8s.io",
                    Phase::Validating => "failed-open.validating.webhook.admission.k8s.io",
                };
                turn.annotate(attributes, prefix, webhook.name.clone());
                Ok(None)
            }
            Err(error) => Err(denial::unreachable(&webhook.name, &error)),
        }
    }
}

impl Dispatcher {
    fn tell(
        &self,
        webhook: &Webhook,
        phase: Phase,
        attributes: &Attributes,
        answer: Result<&Answer, &CallError>,
        taken: Duration,
    ) {
        let Some(observer) = &self.observer else { return };
        let rejected = match answer {
            Ok(answer) => !answer.allowed,
            Err(_) => webhook.failure_policy != Some(FailurePolicy::Ignore),
        };
        observer.webhook_called(&WebhookCall {
            name: &webhook.name,
            is_mutating: phase == Phase::Mutating,
            operation: attributes.operation,
            rejected,
            taken,
        });
    }
}

impl Dispatcher {
    /// An object of the request as the kind that a webhook wants; null where there is none.
    async fn as_kind(
        &self,
        attributes: &Attributes,
        kind: &Kind,
        object: Option<&Value>,
    ) -> Result<Value, Status> {
        let object = object.cloned().unwrap_or_default();
        if object.is_null() || !is_seen_as(attributes, kind) {
            return Ok(object);
        }
        let converted = self.world.convert(attributes.kind, kind, object).await;
        converted.map_err(|status| Status::internal(status.message))
    }

    /// The object with a webhook's patch, which is for the object as the webhook's kind.
    async fn patched(
        &self,
        webhook: &Webhook,
        attributes: &Attributes,
        kind: &Kind,
        object: Option<&Value>,
        patch: &Value,
    ) -> Result<Value, Status> {
        let name = &webhook.name;
        let object = object.ok_or_else(|| {
            Status::internal(format!(
                "admission webhook {name:?} attempted to modify the object, which is not supported for this operation"
            ))
        })?;
        let shown = self.as_kind(attributes, kind, Some(object)).await?;
        let mut patched = toolforge_patch::json_patch(&shown, patch).map_err(|error| {
            Status::internal(format!(
                "admission webhook {name:?} sent a patch that fails: {error}"
            ))
        })?;
        if is_seen_as(attributes, kind) {
            let converted = self.world.convert(kind, attributes.kind, patched).await;
            patched = converted.map_err(|status| Status::internal(status.message))?;
        }
        match IDENTITY
            .iter()
            .find(|field| patched.pointer(field) != object.pointer(field))
        {
            None => Ok(patched),
            Some(field) => {
                let field = field[1..].replace('/', ".");
                Err(Status::internal(format!(
                    "admission webhook {name:?} changed {field}, which no webhook may"
                )))
            }
        }
    }
}

/// Whether the webhook sees the objects of a request as another kind; a `Scale` is the same of every version.
fn is_seen_as(attributes: &Attributes, kind: &Kind) -> bool {
    let is_whole = attributes.subresource.as_deref().is_none_or(|name| {
        let found = attributes.kind.subresource(name);
        found.is_some_and(|found| found.object(attributes.kind).2 == attributes.kind.kind)
    });
    is_whole && kind != attributes.kind
}
