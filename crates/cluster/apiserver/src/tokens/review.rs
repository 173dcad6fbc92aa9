//! `TokenReview`: who stands behind a token, for servers that are handed one.

use serde_json::{Value, json};
use toolforge_kinds::Status;

use super::Tokens;
use crate::store::Store;

/// Answers a review.
pub(crate) fn answer(tokens: &Tokens, store: &Store, mut review: Value) -> Result<Value, Status> {
    let token = review
        .pointer("/spec/token")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if token.is_empty() {
        return Err(Status::bad_request(
            "token is required for TokenReview in authentication",
        ));
    }
    let mut audiences = super::issue::strings(review.pointer("/spec/audiences"));
    if audiences.is_empty() {
        audiences = Tokens::audiences();
    }
    let status = match tokens.owner(token, &audiences, store) {
        Ok(owner) => json!({
            "authenticated": true, "user": owner.user.to_value(), "audiences": owner.audiences,
        }),
        Err(refused) => json!({ "user": {}, "error": refused.to_string() }),
    };
    if let Some(map) = review.as_object_mut() {
        map.entry("metadata").or_insert_with(|| json!({}));
        map.insert("status".to_owned(), status);
    }
    Ok(review)
}
