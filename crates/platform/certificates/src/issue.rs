//! A new key, and its certificate: the request is made, approved, and waited for.
//!
//! A request left over from an interrupted attempt is replaced; ours is removed when it has served.

use std::time::Duration;

use k8s_openapi::{
    ByteString,
    api::certificates::v1::{
        CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestSpec,
        CertificateSigningRequestStatus,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
    runtime::wait::{Condition, await_condition},
};
use toolforge_pki::{Identity, KeyKind, PkiError};

use crate::IssueError;

/// Attempts to put our request in the place of a stale one that comes back.
const ATTEMPTS: usize = 5;
/// The least that the API accepts.
const SHORTEST: Duration = Duration::from_mins(10);

/// What a certificate is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Name of the request's object; nobody else may use it.
    pub object: String,
    /// Who is to sign, such as `kubernetes.io/kube-apiserver-client`.
    pub signer: String,
    /// What the certificate is for, in the words of the API, such as `client auth`.
    pub usages: &'static [&'static str],
    /// CN.
    pub common_name: String,
    /// Each O.
    pub organizations: Vec<String>,
    /// The names of a server.
    pub dns_names: Vec<String>,
    /// How long it is to live, ten minutes at least; without, the signer decides.
    pub lifetime: Option<Duration>,
    /// What kind of key it is for.
    pub key: KeyKind,
    /// Why it is approved, for who looks at the object.
    pub reason: &'static str,
    /// Whether somebody else is waited for to approve it, where the client may not; else that is an error at once.
    pub others_may_approve: bool,
    /// How long the approval, if it is left to others, and the signer may take together.
    pub patience: Duration,
}

/// Makes a key and gets its certificate.
///
/// The client must be allowed to create, get, list, watch and delete certificate requests. Who may also update their
/// `approval` and `approve` for the signer approves it at once; else it fails, or waits for somebody who does.
///
/// # Errors
/// When a step fails, or the request is refused, or is not answered in time. It may be tried again.
pub async fn issue(client: &Client, request: &Request) -> Result<Identity, IssueError> {
    let asked = request.clone();
    // An RSA key takes its time.
    let (key_pem, csr_pem) = tokio::task::spawn_blocking(move || make(&asked))
        .await
        .map_err(IssueError::Thread)?
        .map_err(IssueError::Key)?;
    let api: Api<CertificateSigningRequest> = Api::all(client.clone());
    let created = create(&api, &desired(request, csr_pem)).await?;
    let signed = approve_and_wait(&api, created, request).await;
    // Whatever came of it: the request has no further use. One that stays is replaced next time.
    let _ = api.delete(&request.object, &DeleteParams::default()).await;
    let certificate_pem = signed?;
    check(request, &certificate_pem)?;
    Ok(Identity {
        certificate_pem,
        key_pem,
    })
}

fn make(request: &Request) -> Result<(String, String), PkiError> {
    toolforge_pki::new_key_request(
        request.key,
        &request.common_name,
        &texts(&request.organizations),
        &texts(&request.dns_names),
    )
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn desired(request: &Request, csr_pem: String) -> CertificateSigningRequest {
    CertificateSigningRequest {
        metadata: ObjectMeta {
            name: Some(request.object.clone()),
            ..ObjectMeta::default()
        },
        spec: CertificateSigningRequestSpec {
            request: ByteString(csr_pem.into_bytes()),
            signer_name: request.signer.clone(),
            usages: Some(request.usages.iter().map(ToString::to_string).collect()),
            expiration_seconds: request
                .lifetime
                .map(|lifetime| i32::try_from(lifetime.max(SHORTEST).as_secs()).unwrap_or(i32::MAX)),
            ..CertificateSigningRequestSpec::default()
        },
        status: None,
    }
}

async fn create(
    api: &Api<CertificateSigningRequest>,
    request: &CertificateSigningRequest,
) -> Result<CertificateSigningRequest, IssueError> {
    let name = request.metadata.name.clone().unwrap_or_default();
    for _ in 0..ATTEMPTS {
        match api.create(&PostParams::default(), request).await {
            Ok(created) => return Ok(created),
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                tracing::info!(request = name, "a stale certificate request is replaced");
                match api.delete(&name, &DeleteParams::default()).await {
                    Err(kube::Error::Api(status)) if status.is_not_found() => {}
                    other => {
                        other.map_err(api_error("remove", &name))?;
                    }
                }
            }
            Err(error) => return Err(api_error("create", &name)(error)),
        }
    }
    Err(IssueError::Stale { name })
}

async fn approve_and_wait(
    api: &Api<CertificateSigningRequest>,
    created: CertificateSigningRequest,
    asked: &Request,
) -> Result<String, IssueError> {
    let name = asked.object.clone();
    let uid = created.metadata.uid.clone();
    let approved = approve(api, created, asked).await?;
    let settled = tokio::time::timeout(
        asked.patience,
        await_condition(api.clone(), &name, Settled { uid }),
    )
    .await
    .map_err(|_| late(asked, approved))?
    .map_err(|source| IssueError::Watch {
        name: name.clone(),
        source: Box::new(source),
    })?;
    let status = settled.and_then(|request| request.status).unwrap_or_default();
    if let Some(refused) = refusal(&name, &status) {
        return Err(refused);
    }
    match status
        .certificate
        .and_then(|bytes| String::from_utf8(bytes.0).ok())
    {
        Some(pem) => Ok(pem),
        None => Err(IssueError::Refused {
            name,
            verdict: "Removed".to_owned(),
            reason: "it was removed before it was signed".to_owned(),
        }),
    }
}

/// Why there is no answer: nobody has signed what is approved, or nobody has approved it.
fn late(asked: &Request, approved: bool) -> IssueError {
    let (name, signer, within) = (asked.object.clone(), asked.signer.clone(), asked.patience);
    if approved {
        IssueError::NotSigned { name, signer, within }
    } else {
        IssueError::NotApproved { name, signer, within }
    }
}

/// Approves, unless somebody was faster: an answer that is there already is for the wait to see. False, where that is
/// left to others.
async fn approve(
    api: &Api<CertificateSigningRequest>,
    mut request: CertificateSigningRequest,
    asked: &Request,
) -> Result<bool, IssueError> {
    let name = &asked.object;
    let uid = request.metadata.uid.clone();
    for _ in 0..ATTEMPTS {
        let conditions = request
            .status
            .get_or_insert_default()
            .conditions
            .get_or_insert_default();
        if request.metadata.uid != uid || !conditions.is_empty() {
            return Ok(true);
        }
        conditions.push(approval(asked));
        match api
            .replace_subresource("approval", name, &PostParams::default(), &request)
            .await
        {
            Ok(_) => return Ok(true),
            Err(kube::Error::Api(status)) if asked.others_may_approve && status.is_forbidden() => {
                tracing::info!(
                    request = name,
                    why = status.message,
                    "others have to approve this request"
                );
                return Ok(false);
            }
            Err(kube::Error::Api(status)) if status.is_conflict() => {
                request = api.get(name).await.map_err(api_error("read", name))?;
            }
            Err(error) => return Err(api_error("approve", name)(error)),
        }
    }
    Err(IssueError::Stale { name: name.clone() })
}

fn approval(asked: &Request) -> CertificateSigningRequestCondition {
    CertificateSigningRequestCondition {
        type_: "Approved".to_owned(),
        status: "True".to_owned(),
        reason: Some("AuthorizedUser".to_owned()),
        message: Some(asked.reason.to_owned()),
        ..CertificateSigningRequestCondition::default()
    }
}

/// A request that needs no more waiting: signed, refused, or gone.
struct Settled {
    uid: Option<String>,
}

impl Condition<CertificateSigningRequest> for Settled {
    fn matches_object(&self, request: Option<&CertificateSigningRequest>) -> bool {
        let Some(request) = request else { return true };
        request.metadata.uid != self.uid
            || request.status.as_ref().is_some_and(|status| {
                let signed = status.certificate.as_ref().is_some_and(|pem| !pem.0.is_empty());
                signed || refusal("", status).is_some()
            })
    }
}

fn refusal(name: &str, status: &CertificateSigningRequestStatus) -> Option<IssueError> {
    let condition = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| matches!(condition.type_.as_str(), "Denied" | "Failed"))?;
    let reason = condition.message.clone().or_else(|| condition.reason.clone());
    Some(IssueError::Refused {
        name: name.to_owned(),
        verdict: condition.type_.clone(),
        reason: reason.unwrap_or_else(|| "nobody says why".to_owned()),
    })
}

fn check(request: &Request, certificate_pem: &str) -> Result<(), IssueError> {
    let certified =
        toolforge_pki::read_certificate_pem(certificate_pem).map_err(|source| IssueError::Certificate {
            name: request.object.clone(),
            source,
        })?;
    // The names of a server are what it is known by; what a signer makes of its subject is the signer's own.
    if certified.common_name == request.common_name || !request.dns_names.is_empty() {
        return Ok(());
    }
    Err(IssueError::WrongName {
        name: request.object.clone(),
        found: certified.common_name,
    })
}

fn api_error(step: &'static str, name: &str) -> impl FnOnce(kube::Error) -> IssueError {
    let name = name.to_owned();
    move |source| IssueError::Api {
        step,
        name,
        source: Box::new(source),
    }
}
