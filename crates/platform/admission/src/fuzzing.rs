//! The door for the fuzz target to the reviews: a server without a socket. Built with `--cfg fuzzing` only.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use k8s_openapi::api::core::v1::Namespace;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use toolforge_policy::Policies;

use crate::accounts::Accounts;
use crate::grants::Grants;
use crate::guard::Guard;
use crate::metrics::Metrics;
use crate::pods::Known;
use crate::review::Review;

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
    /// Guards that know the account in this namespace, and have an API that is down.
    ///
    /// # Errors
    /// When there is no runtime.
    pub fn new(policies: Policies, known: Namespace) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (accounts, grants) = runtime.block_on(async {
            let down = Router::new().fallback(async || StatusCode::INTERNAL_SERVER_ERROR);
            let client = kube::Client::new(down, "default");
            // Nothing follows: who may use which policy stays unknown, and Pods are answered with that.
            let ended = CancellationToken::new();
            ended.cancel();
            let grants = Grants::follow(&client, &ended);
            (Accounts::fixed(client, Arc::new(Metrics::new()), known), grants)
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
        let Ok(review) = Review::read(body) else {
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
        }
        true
    }
}
