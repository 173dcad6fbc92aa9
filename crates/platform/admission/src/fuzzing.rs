//! The door for the fuzz target to the reviews: a server without a socket. Built with `--cfg fuzzing` only.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use k8s_openapi::api::core::v1::Namespace;
use serde::Deserialize as _;
use serde_json::Value;
use tokio::runtime::Runtime;
use toolforge_policy::Policies;
use toolforge_policy::psp::GrantIndex;

use crate::accounts::Accounts;
use crate::answer::Answer;
use crate::grants::Grants;
use crate::guard::Guard;
use crate::metrics::Metrics;
use crate::pods::Known;
use crate::review::{Request, Review, document};

/// All guards, under these policies, with the account of one tool.
pub struct Guards {
    runtime: Runtime,
    policies: Policies,
    accounts: Accounts,
    grants: Grants,
}

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guards").finish_non_exhaustive()
    }
}

impl Guards {
    /// Guards that know the account in this namespace and these grants, and have an API that is down.
    ///
    /// # Errors
    /// When there is no runtime.
    pub fn new(policies: Policies, known: Namespace, grants: GrantIndex) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (accounts, grants) = runtime.block_on(async {
            let down = Router::new().fallback(async || StatusCode::INTERNAL_SERVER_ERROR);
            let client = kube::Client::new(down, "default");
            let grants = Grants::fixed(client.clone(), grants);
            (
                Accounts::fixed(
                    client,
                    Arc::new(Metrics::new(toolforge_figures::Process::Shared)),
                    known,
                ),
                grants,
            )
        });
        Ok(Self {
            runtime,
            policies,
            accounts,
            grants,
        })
    }

    /// Asks every guard about a body, and writes its answer; whether the body was a review.
    pub fn ask(&self, body: &[u8]) -> bool {
        let Ok(document) = document(body) else {
            return false;
        };
        let Ok(review) = Review::read(&document) else {
            return false;
        };
        if let Some(answer) = review.unanswerable() {
            assert!(serde_json::to_vec(&review.answered(&answer)).is_ok());
            return true;
        }
        for guard in Guard::ALL {
            let known = Known {
                accounts: &self.accounts,
                grants: &self.grants,
                everywhere: self.policies.pod_everywhere,
            };
            let answer = guard.answer(&self.policies, known, &review.request);
            let answer = self.runtime.block_on(answer);
            assert!(answer.refusal().is_none_or(|message| !message.is_empty()));
            assert!(serde_json::to_vec(&review.answered(&answer)).is_ok());
            assert!(
                fits(&answer, &review.request),
                "{guard:?} changes what is not there"
            );
        }
        true
    }
}

/// Whether the changes in an answer can be made in the object that they are for.
fn fits(answer: &Answer, request: &Request<'_>) -> bool {
    let Answer::Allow(changes) = answer else {
        return true;
    };
    changes.is_empty()
        || Value::deserialize(request.object).is_ok_and(|mut object| changes.make_in(&mut object))
}
