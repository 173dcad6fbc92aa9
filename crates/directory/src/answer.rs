//! How outcomes look on the wire: results, and the refusal that fits an operation.
//!
//! Pure; used by `session.rs`, which decides what the outcome is.

use ldap3_proto::{
    control::LdapControl,
    proto::{LdapBindResponse, LdapExtendedResponse, LdapOp, LdapResult, LdapResultCode},
};

use crate::{persist, tree::Refusal};

/// The id in a cancel request: `SEQUENCE { INTEGER }`.
pub(crate) fn cancel_target(value: &[u8]) -> Option<i32> {
    match value {
        [0x30, outer, 0x02, length, id @ ..]
            if usize::from(*length) == id.len()
                && usize::from(*outer) == id.len() + 2
                && (1..=4).contains(&id.len()) =>
        {
            Some(id.iter().fold(0, |number, byte| number << 8 | i32::from(*byte)))
        }
        _ => None,
    }
}

/// The refusal of an operation that insists on a control that is not known here.
pub(crate) fn unknown_critical(controls: &[LdapControl]) -> Option<Refusal> {
    controls.iter().find_map(|control| match control {
        LdapControl::Unknown {
            oid,
            criticality: true,
            ..
        } if oid != persist::OID => {
            let message = format!("the control {oid} is not known here");
            Some(Refusal::new(
                LdapResultCode::UnavailableCriticalExtension,
                message,
            ))
        }
        _ => None,
    })
}

/// The answer of an operation's kind that refuses it; none for those that have no answer.
pub(crate) fn refuse(op: &LdapOp, refusal: &Refusal) -> Option<LdapOp> {
    let res = result(&Err(refusal.clone()));
    Some(match op {
        LdapOp::BindRequest(_) => LdapOp::BindResponse(LdapBindResponse { res, saslcreds: None }),
        LdapOp::SearchRequest(_) => LdapOp::SearchResultDone(res),
        LdapOp::ModifyRequest(_) => LdapOp::ModifyResponse(res),
        LdapOp::AddRequest(_) => LdapOp::AddResponse(res),
        LdapOp::DelRequest(_) => LdapOp::DelResponse(res),
        LdapOp::ModifyDNRequest(_) => LdapOp::ModifyDNResponse(res),
        LdapOp::CompareRequest(_) => LdapOp::CompareResult(res),
        LdapOp::ExtendedRequest(_) => LdapOp::ExtendedResponse(LdapExtendedResponse {
            res,
            name: None,
            value: None,
        }),
        _ => return None,
    })
}

/// The result that goes with an outcome.
pub(crate) fn result(outcome: &Result<(), Refusal>) -> LdapResult {
    let (code, matcheddn, message) = match outcome {
        Ok(()) => (LdapResultCode::Success, String::new(), String::new()),
        Err(refusal) => (
            refusal.code.clone(),
            refusal.matched.clone(),
            refusal.message.clone(),
        ),
    };
    LdapResult {
        code,
        matcheddn,
        message,
        referral: Vec::new(),
    }
}
