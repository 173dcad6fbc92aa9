//! What a client may say before the connection is encrypted: that it wants that (RFC 4511, 4.14), and little more.
//!
//! One port serves both kinds of client: whoever begins with a TLS handshake (`ldaps://`) never comes here, whoever
//! begins with LDAP (`ldap://`) has to ask for TLS before anything else. **Invariant:** no password and no entry
//! crosses an unencrypted connection, the root entry excepted.

use futures::{SinkExt as _, StreamExt as _};
use ldap3_proto::{
    LdapCodec, LdapMsg,
    proto::{LdapExtendedResponse, LdapOp, LdapResultCode},
};
use tokio::net::TcpStream;
use tokio_util::codec::Framed;

use crate::{
    answer::{refuse, result},
    search,
    tree::{Refusal, Tree},
};

/// The request for TLS.
pub(crate) const OID: &str = "1.3.6.1.4.1.1466.20037";

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// The largest message before TLS; a search of the root entry is a fraction of it.
const LARGEST_MESSAGE_BYTES: usize = 1 << 14;

/// Nesting of a message before TLS.
const DEEPEST_MESSAGE: usize = 20;

/// The stream at the moment at which a TLS handshake begins; none when the client never asks for one.
pub(crate) async fn until_tls(
    stream: TcpStream,
    tree: impl Fn() -> std::sync::Arc<Tree>,
) -> Option<TcpStream> {
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    if first[0] == TLS_HANDSHAKE {
        return Some(stream);
    }
    let codec = LdapCodec::new(Some(LARGEST_MESSAGE_BYTES), Some(DEEPEST_MESSAGE));
    let mut framed = Framed::new(stream, codec);
    loop {
        let message = framed.next().await?.ok()?;
        let wants_tls = matches!(&message.op, LdapOp::ExtendedRequest(request) if request.name == OID);
        // Whatever came behind the request was sent in the clear, and must not be taken for what comes under TLS.
        if wants_tls && !framed.read_buffer().is_empty() {
            return None;
        }
        for answer in answers(message, &tree())? {
            framed.send(answer).await.ok()?;
        }
        if wants_tls {
            return Some(framed.into_inner());
        }
    }
}

/// The answers to one message; none ends the connection.
fn answers(message: LdapMsg, tree: &Tree) -> Option<Vec<LdapMsg>> {
    let LdapMsg { msgid, op, .. } = message;
    let ops = match op {
        LdapOp::UnbindRequest => return None,
        LdapOp::AbandonRequest(_) => Vec::new(),
        LdapOp::ExtendedRequest(request) if request.name == OID => {
            vec![LdapOp::ExtendedResponse(LdapExtendedResponse {
                res: result(&Ok(())),
                name: Some(OID.to_owned()),
                value: None,
            })]
        }
        LdapOp::SearchRequest(request) if search::is_root(&request) => search::root(tree, &request)
            .entries
            .into_iter()
            .map(LdapOp::SearchResultEntry)
            .chain([LdapOp::SearchResultDone(result(&Ok(())))])
            .collect(),
        op => {
            let message =
                "this connection is not encrypted: ask for StartTLS first (ldapsearch -ZZ), or use ldaps://";
            let refusal = Refusal::new(LdapResultCode::ConfidentialityRequired, message);
            vec![refuse(&op, &refusal)?]
        }
    };
    let message = |op| LdapMsg {
        msgid,
        op,
        ctrl: Vec::new(),
    };
    Some(ops.into_iter().map(message).collect())
}
