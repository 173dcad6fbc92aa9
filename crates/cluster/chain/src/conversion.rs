//! Conversion webhooks: objects of users' kinds from one version to another, by whom the definition names.
//!
//! Many objects are asked about in few reviews, of bounded size and number at a time; the API server decides which objects
//! need it. What a webhook may not change is kept or refused as in Kubernetes.
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#webhook-conversion>.

mod metadata;
mod review;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::Deserialize as _;
use serde_json::Value;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::webhook::{CallError, Callee, Caller, ClientConfig};
use crate::world::World;
use review::{AnswerError, ReviewVersion};

/// How long a webhook may take for one review, in seconds; as in Kubernetes.
const TIMEOUT_SECONDS: u64 = 30;

/// Most objects of one review.
const BATCH_OBJECTS: usize = 200;

/// Size of the objects from which a review holds no more, in bytes; one object may be larger by itself.
const BATCH_BYTES: usize = 1 << 20;

/// Reviews that one webhook is asked at a time, whoever asks.
const REVIEWS_AT_A_TIME: usize = 8;

/// Reviews of one list that are under way at a time: what their answers hold in memory.
const REVIEWS_OF_A_LIST: usize = 4;

/// Who converts the objects of one definition.
#[derive(Debug)]
pub struct ConversionWebhook {
    definition: String,
    config: ClientConfig,
    version: ReviewVersion,
    turns: Semaphore,
}

/// Why objects could not be converted, in the words of Kubernetes.
#[derive(Debug, thiserror::Error)]
pub enum ConversionError {
    /// It could not be asked, or says that it failed.
    #[error("conversion webhook for {of} failed: {why}")]
    Failed {
        /// Version and kind of the object.
        of: String,
        /// What went wrong.
        why: String,
    },
    /// It lost some.
    #[error("conversion webhook for {of} returned {found} objects, expected {expected}")]
    Count {
        /// Version and kind of the first object.
        of: String,
        /// Objects of the answer.
        found: usize,
        /// Objects of the question.
        expected: usize,
    },
    /// It changed what it may not, or has not done what it should.
    #[error("conversion webhook for {of} returned invalid {what}: {why}")]
    Invalid {
        /// Version and kind of the object.
        of: String,
        /// The part that is wrong.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

impl ConversionWebhook {
    /// The webhook of a definition with this `spec.conversion`; `None` where versions are converted by name alone.
    pub fn of(definition: &str, conversion: &Value) -> Option<Self> {
        let webhook = conversion
            .get("webhook")
            .filter(|_| conversion.get("strategy").is_some_and(|found| found == "Webhook"))?;
        Some(Self {
            definition: definition.to_owned(),
            config: ClientConfig::deserialize(webhook.get("clientConfig")?).ok()?,
            version: ReviewVersion::first_of(webhook.get("conversionReviewVersions")?)?,
            turns: Semaphore::new(REVIEWS_AT_A_TIME),
        })
    }
}

/// Asks conversion webhooks.
pub struct Converter {
    caller: Caller,
}

impl std::fmt::Debug for Converter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Converter").finish_non_exhaustive()
    }
}

impl Converter {
    /// A converter that finds Services in `world`.
    pub fn new(world: Arc<dyn World>) -> Self {
        Self {
            caller: Caller::new(world),
        }
    }

    /// The objects in another version, in their order. All of them must be of other versions.
    ///
    /// # Errors
    /// When the webhook cannot be asked, fails, or changes what it may not; then of all objects.
    pub async fn convert(
        &self,
        webhook: &ConversionWebhook,
        api_version: &str,
        objects: Vec<Arc<Value>>,
    ) -> Result<Vec<Value>, ConversionError> {
        let reviews = batches(objects)
            .into_iter()
            .map(|batch| self.convert_batch(webhook, api_version, batch));
        let converted: Vec<Vec<Value>> = stream::iter(reviews)
            .buffered(REVIEWS_OF_A_LIST)
            .try_collect()
            .await?;
        Ok(converted.into_iter().flatten().collect())
    }

    async fn convert_batch(
        &self,
        webhook: &ConversionWebhook,
        api_version: &str,
        batch: Vec<Arc<Value>>,
    ) -> Result<Vec<Value>, ConversionError> {
        let of = batch
            .first()
            .map(|first| review::kind_of(first))
            .unwrap_or_default();
        let failed = |why: String| ConversionError::Failed { of: of.clone(), why };
        let uid = Uuid::new_v4().to_string();
        let question = review::question(webhook.version, &uid, api_version, &batch);
        let bytes = self
            .ask(webhook, question)
            .await
            .map_err(|error| failed(error.to_string()))?;
        let answer = review::answer(webhook.version, &bytes, &uid);
        let converted = answer.map_err(|error: AnswerError| failed(error.to_string()))?;
        if converted.len() != batch.len() {
            return Err(ConversionError::Count {
                of,
                found: converted.len(),
                expected: batch.len(),
            });
        }
        let pairs = batch.iter().zip(converted).enumerate();
        pairs
            .map(|(index, (original, converted))| accept(api_version, index, original, converted))
            .collect()
    }

    async fn ask(&self, webhook: &ConversionWebhook, question: String) -> Result<Bytes, CallError> {
        let turn = tokio::time::timeout(Duration::from_secs(TIMEOUT_SECONDS), webhook.turns.acquire());
        // The semaphore is never closed.
        let _turn = turn.await.map_err(|_| CallError::TooSlow)?;
        let callee = Callee {
            name: (&webhook.definition, "conversion"),
            config: &webhook.config,
            timeout_seconds: TIMEOUT_SECONDS,
        };
        self.caller.call(callee, Bytes::from(question)).await
    }
}

/// Objects in reviews of bounded size.
fn batches(objects: Vec<Arc<Value>>) -> Vec<Vec<Arc<Value>>> {
    let mut batches: Vec<Vec<Arc<Value>>> = Vec::new();
    let mut size = 0;
    for object in objects {
        let bytes = review::size(&object);
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH_OBJECTS && size + bytes <= BATCH_BYTES => {
                size += bytes;
                batch.push(object);
            }
            _ => {
                size = bytes;
                batches.push(vec![object]);
            }
        }
    }
    batches
}

/// Takes an object as the webhook gave it, with the metadata that is not the webhook's to change.
fn accept(
    api_version: &str,
    index: usize,
    original: &Value,
    mut converted: Value,
) -> Result<Value, ConversionError> {
    let invalid = |what: &str, why: String| ConversionError::Invalid {
        of: review::kind_of(original),
        what: what.to_owned(),
        why,
    };
    for (what, expected, found) in [
        (
            "groupVersion",
            api_version,
            review::text(&converted, "apiVersion"),
        ),
        (
            "kind",
            review::text(original, "kind"),
            review::text(&converted, "kind"),
        ),
    ] {
        if expected != found {
            let why = format!("invalid {what} (expected {expected}, received {found})");
            return Err(invalid(&format!("object at index {index}"), why));
        }
    }
    metadata::check_identity(original, &converted).map_err(|why| invalid("object", why))?;
    metadata::restore(original, &mut converted).map_err(|why| invalid("metadata", why))?;
    Ok(converted)
}

#[cfg(test)]
mod tests;
