//! The signer: puts certificates into approved requests, or says in the condition Failed why not, and deletes requests
//! that have had their time.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{DeleteParams, PostParams, Preconditions};
use toolforge_pki::{Authority, read_request_pem};

use super::rules::{Signer, Verdict, admit_request, lifetime, verdict};
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine};
use crate::key::Key;
use crate::queue::Queue;
use crate::world::World;

/// The controller.
pub(crate) struct CertificateRequests {
    world: Arc<World>,
    authority: Arc<Authority>,
    queue: Arc<Queue<Key>>,
}

impl CertificateRequests {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>, authority: Arc<Authority>) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let add = Arc::clone(&queue);
        world.requests.on_change(move |change| {
            if let Some(request) = change.new {
                add.add(Key::of(&**request));
            }
        });
        Arc::new(Self {
            world: Arc::clone(world),
            authority,
            queue,
        })
    }

    /// The certificate, or why there is none.
    fn sign(&self, request: &CertificateSigningRequest, signer: Signer) -> Result<String, String> {
        let pem =
            std::str::from_utf8(&request.spec.request.0).map_err(|_| "request is not PEM text".to_owned())?;
        let subject =
            read_request_pem(pem).map_err(|error| format!("unable to parse the request: {error}"))?;
        admit_request(signer, &request.spec, &subject)?;
        let certificate =
            self.authority
                .sign_request(pem, lifetime(&request.spec), signer.usages(&request.spec));
        certificate.map_err(|error| format!("unable to sign the request: {error}"))
    }

    async fn answer(
        &self,
        request: &CertificateSigningRequest,
        answer: Result<String, String>,
    ) -> Result<(), Failure> {
        let mut changed = request.clone();
        let status = changed.status.get_or_insert_default();
        match answer {
            Ok(certificate) => status.certificate = Some(ByteString(certificate.into_bytes())),
            Err(message) => {
                let now = Timestamp::now();
                status
                    .conditions
                    .get_or_insert_default()
                    .push(CertificateSigningRequestCondition {
                        type_: "Failed".to_owned(),
                        status: "True".to_owned(),
                        reason: Some("SignerValidationFailure".to_owned()),
                        message: Some(message),
                        last_update_time: Some(Time(now)),
                        last_transition_time: Some(Time(now)),
                    });
            }
        }
        let name = request.metadata.name.as_deref().unwrap_or_default();
        let api = self.world.requests.everywhere();
        let written = gone_is_fine(api.replace_status(name, &PostParams::default(), &changed).await);
        if let Some(written) = written.step("answer a certificate request")? {
            self.world.requests.absorb(written);
        }
        Ok(())
    }

    async fn clear_away(&self, request: &CertificateSigningRequest) -> Result<(), Failure> {
        let preconditions = Some(Preconditions {
            uid: request.metadata.uid.clone(),
            resource_version: None,
        });
        let params = DeleteParams {
            preconditions,
            ..DeleteParams::default()
        };
        let name = request.metadata.name.as_deref().unwrap_or_default();
        let deleted = self.world.requests.everywhere().delete(name, &params).await;
        gone_is_fine(deleted)
            .step("clear away a certificate request")
            .map(drop)
    }
}

impl Controller for CertificateRequests {
    type Key = Key;

    const NAME: &'static str = "certificates";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let Some(request) = self.world.requests.by_key(key) else {
            return Ok(None);
        };
        match verdict(&request, Timestamp::now()) {
            Verdict::Sign(signer) => {
                self.answer(&request, self.sign(&request, signer)).await?;
                Ok(None)
            }
            Verdict::ClearAway => self.clear_away(&request).await.map(|()| None),
            Verdict::Keep(rest) => Ok(Some(rest)),
        }
    }
}
