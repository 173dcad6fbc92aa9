//! JSON Web Tokens in their compact form: three parts, of which the last is the signature of the other two.
//!
//! Pure but for the key. Only `ES256` by our own key is accepted; what else a header asks for is not looked at.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use toolforge_pki::PkiError;

use super::{Claims, REMEMBERED, Tokens};

/// Longest token that is looked at, in bytes: ours have a few hundred.
const MAX_BYTES: usize = 16 << 10;

/// The algorithm of [`toolforge_pki::SigningKey`].
pub(super) const ALGORITHM: &str = "ES256";

/// Base64 as JOSE writes it.
pub(super) fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Tokens {
    /// A token with these claims.
    pub(super) fn sign(&self, claims: &Claims) -> Result<String, PkiError> {
        let header = json!({ "alg": ALGORITHM, "kid": self.key_id });
        let body = serde_json::to_vec(claims).map_err(|problem| PkiError::Encode(problem.to_string()))?;
        let mut token = format!("{}.{}", base64(header.to_string().as_bytes()), base64(&body));
        let signature = base64(&self.key.sign(token.as_bytes())?);
        token.push('.');
        token.push_str(&signature);
        Ok(token)
    }

    /// The claims of a token that this key has signed; nothing for any other bytes.
    pub(super) fn open_token(&self, token: &str) -> Option<Arc<Claims>> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let digest = toolforge_pki::sha256(token.as_bytes());
        if let Some(known) = self.good.lock().get(&digest) {
            return Some(known.clone());
        }
        let claims = Arc::new(self.verify(token)?);
        let mut good = self.good.lock();
        if good.len() >= REMEMBERED {
            good.clear();
        }
        good.insert(digest, claims.clone());
        Some(claims)
    }

    fn verify(&self, token: &str) -> Option<Claims> {
        let (content, signature) = token.rsplit_once('.')?;
        let (header, body) = content.split_once('.')?;
        let header: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if header.get("alg")?.as_str()? != ALGORITHM {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if !self.key.has_signed(content.as_bytes(), &signature) {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::claims::{Bound, Subject};

    fn make() -> (tempfile::TempDir, Tokens) {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(folder.path(), "https://127.0.0.1:1", "").unwrap();
        (folder, tokens)
    }

    fn claims() -> Claims {
        let subject = Subject::new("default", "robot", "1");
        Claims::bound(&subject, &Bound::default(), vec!["a".to_owned()], 100, 600, None)
    }

    #[test]
    fn what_was_signed_comes_back() {
        let (_folder, tokens) = make();
        let token = tokens.sign(&claims()).unwrap();
        let found = tokens.open_token(&token).unwrap();
        assert_eq!(found.subject(), "system:serviceaccount:default:robot");
        assert_eq!(tokens.open_token(&token).unwrap(), found);
    }

    #[test]
    fn nothing_else_does() {
        let (_folder, tokens) = make();
        let token = tokens.sign(&claims()).unwrap();
        let (content, signature) = token.rsplit_once('.').unwrap();
        let (header, body) = content.split_once('.').unwrap();
        let other = base64(br#"{"iss":"x","sub":"system:serviceaccount:default:admin"}"#);
        let none = base64(br#"{"alg":"none"}"#);
        for bad in [
            String::new(),
            "..".to_owned(),
            "a.b.c".to_owned(),
            content.to_owned(),
            format!("{header}.{other}.{signature}"),
            format!("{none}.{body}."),
            format!("{token}x"),
            "x".repeat(MAX_BYTES + 1),
        ] {
            assert!(tokens.open_token(&bad).is_none(), "{bad}");
        }
        let (_other_folder, others) = make();
        assert!(others.open_token(&token).is_none());
    }
}
