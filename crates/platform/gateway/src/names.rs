//! The header names that `http` has no constants for.

use http::HeaderName;

pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
pub(crate) const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
pub(crate) const DIGEST: HeaderName = HeaderName::from_static("digest");
pub(crate) const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
pub(crate) const SERVICE_WORKER_ALLOWED: HeaderName = HeaderName::from_static("service-worker-allowed");
pub(crate) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// What [`crate::headers::finish_own`] writes on answers that no tool gave.
pub(crate) const TOOLFORGE_ANSWER: HeaderName = HeaderName::from_static("toolforge-answer");
pub(crate) const X_AUTH_REQUEST_REDIRECT: HeaderName = HeaderName::from_static("x-auth-request-redirect");
pub(crate) const X_CLACKS_OVERHEAD: HeaderName = HeaderName::from_static("x-clacks-overhead");
pub(crate) const X_CODE: HeaderName = HeaderName::from_static("x-code");
pub(crate) const X_FORMAT: HeaderName = HeaderName::from_static("x-format");
pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(crate) const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
pub(crate) const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
pub(crate) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(crate) const X_INGRESS_NAME: HeaderName = HeaderName::from_static("x-ingress-name");
pub(crate) const X_NAMESPACE: HeaderName = HeaderName::from_static("x-namespace");
pub(crate) const X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
pub(crate) const X_ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
pub(crate) const X_ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const X_SERVICE_NAME: HeaderName = HeaderName::from_static("x-service-name");
pub(crate) const X_SERVICE_PORT: HeaderName = HeaderName::from_static("x-service-port");
