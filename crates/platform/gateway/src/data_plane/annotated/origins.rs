//! CORS: what scripts of other sites are told that they may do. Pure.

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
    },
};
use toolforge_annotations::{Cors, Origins};

use crate::body::ResponseBody;

/// What a request is told as `Access-Control-Allow-Origin`; `None` where it is told nothing.
pub(super) fn allowed(cors: &Cors, headers: &HeaderMap) -> Option<HeaderValue> {
    match &cors.origins {
        Origins::Any => Some(HeaderValue::from_static("*")),
        listed @ Origins::Listed(_) => headers.get(ORIGIN).filter(|origin| listed.hold(origin)).cloned(),
    }
}

/// The answer to a browser that asks before it lets a script ask.
pub(super) fn preflight() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::own(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Tells it in an answer, in place of what the tool said about it.
pub(super) fn tell(cors: &Cors, origin: HeaderValue, headers: &mut HeaderMap) {
    if matches!(cors.origins, Origins::Listed(_)) {
        // Others get another answer: whoever keeps this one has to know.
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, cors.methods.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, cors.headers.clone());
    headers.insert(ACCESS_CONTROL_MAX_AGE, cors.max_age.clone());
    if cors.credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    } else {
        headers.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
    }
    if let Some(expose) = &cors.expose {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
    }
}
