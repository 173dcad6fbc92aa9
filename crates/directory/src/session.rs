//! What one client does: its operations one after the other, their answers, and its synchronising searches.
//!
//! Driven by `connection.rs`. Decides who may do what; what an operation does is for `search.rs`, `sync.rs` and
//! `change.rs`. Whatever a peer sends, the worst is the end of its own connection.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use ldap3_proto::{
    DisconnectionNotice, LdapMsg,
    control::LdapControl,
    proto::{
        LdapBindResponse, LdapExtendedRequest, LdapExtendedResponse, LdapOp, LdapResult, LdapResultCode,
        LdapSearchRequest, OID_WHOAMI,
    },
};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    access::Who,
    answer::{cancel_target, refuse, result, unknown_critical},
    change::Write,
    following::Following,
    name::Dn,
    search::{self, OID_CANCEL},
    server::Shared,
    starttls,
    tree::Refusal,
};

/// How long somebody unknown may keep a connection without a word.
const ANONYMOUS_IDLE: Duration = Duration::from_mins(1);

/// How long somebody known may keep a connection without a word and without a synchronising search.
const IDLE: Duration = Duration::from_hours(1);

/// Synchronising searches of one connection at once.
const MOST_SYNCS: usize = 16;

type Outgoing = mpsc::Sender<LdapMsg>;

/// The state of one client.
pub(crate) struct Session {
    shared: Arc<Shared>,
    out: Outgoing,
    who: Who,
    syncs: JoinSet<()>,
    running: HashMap<i32, CancellationToken>,
}

impl Session {
    /// A client who has said nothing yet; answers go to `out`.
    pub(crate) fn new(shared: Arc<Shared>, out: Outgoing) -> Self {
        Self {
            shared,
            out,
            who: Who::Anonymous,
            syncs: JoinSet::new(),
            running: HashMap::new(),
        }
    }

    /// How long the client may be silent now.
    pub(crate) fn idle(&mut self) -> Duration {
        while self.syncs.try_join_next().is_some() {}
        match self.who {
            Who::Anonymous => ANONYMOUS_IDLE,
            _ if !self.syncs.is_empty() => Duration::MAX,
            _ => IDLE,
        }
    }

    /// Answers one message; false ends the connection.
    pub(crate) async fn handle(&mut self, message: LdapMsg) -> bool {
        let LdapMsg { msgid, op, ctrl } = message;
        if let Some(answer) = unknown_critical(&ctrl).and_then(|refusal| refuse(&op, &refusal)) {
            return self.send(msgid, answer, Vec::new()).await;
        }
        match op {
            LdapOp::UnbindRequest => false,
            LdapOp::AbandonRequest(target) => {
                self.stop(target);
                true
            }
            LdapOp::SearchRequest(request) => self.search(msgid, request, &ctrl).await,
            LdapOp::ExtendedRequest(request) => self.extended(msgid, &request).await,
            LdapOp::BindRequest(request) => {
                // A bind ends all that runs (RFC 4511, 4.2.1); one that fails leaves nobody.
                self.stop_all();
                let bound = self.shared.accounts.bind(&request);
                self.who = *bound.as_ref().unwrap_or(&Who::Anonymous);
                let res = result(&bound.map(|_| ()));
                self.send(
                    msgid,
                    LdapOp::BindResponse(LdapBindResponse { res, saslcreds: None }),
                    Vec::new(),
                )
                .await
            }
            LdapOp::CompareRequest(request) => {
                let answer = self.compare(&request.dn, &request.atype, &request.val);
                self.send(msgid, LdapOp::CompareResult(answer), Vec::new()).await
            }
            op => {
                if let Some(answer) = self.write(op).await {
                    return self.send(msgid, answer, Vec::new()).await;
                }
                let notice =
                    DisconnectionNotice::gen_response(LdapResultCode::ProtocolError, "not a request");
                let _ = self.out.send(notice).await;
                false
            }
        }
    }

    async fn write(&self, op: LdapOp) -> Option<LdapOp> {
        Some(match op {
            LdapOp::AddRequest(request) => LdapOp::AddResponse(
                self.change(Dn::parse(&request.dn).map(|dn| Write::Add {
                    dn,
                    attributes: request.attributes,
                }))
                .await,
            ),
            LdapOp::DelRequest(name) => {
                LdapOp::DelResponse(self.change(Dn::parse(&name).map(|dn| Write::Delete { dn })).await)
            }
            LdapOp::ModifyRequest(request) => LdapOp::ModifyResponse(
                self.change(Dn::parse(&request.dn).map(|dn| Write::Modify {
                    dn,
                    changes: request.changes,
                }))
                .await,
            ),
            LdapOp::ModifyDNRequest(request) => {
                let below = request.new_superior.as_deref().map(Dn::parse).transpose();
                let write = Dn::parse(&request.dn).and_then(|dn| {
                    Ok(Write::Rename {
                        dn,
                        to: request.newrdn,
                        drop_old: request.deleteoldrdn,
                        below: below?,
                    })
                });
                LdapOp::ModifyDNResponse(self.change(write).await)
            }
            _ => return None,
        })
    }

    async fn change(&self, write: Result<Write, crate::name::NameError>) -> LdapResult {
        if !self.who.is_admin() {
            return result(&Err(Refusal::new(
                LdapResultCode::InsufficentAccessRights,
                format!("only {} may write", self.shared.accounts.name(Who::Admin)),
            )));
        }
        match write {
            Ok(write) => result(
                &self
                    .shared
                    .write(write, self.shared.accounts.name(self.who))
                    .await,
            ),
            Err(error) => result(&Err(error.into())),
        }
    }

    fn may_read(&self) -> Result<(), Refusal> {
        if self.who.reads() {
            return Ok(());
        }
        Err(Refusal::new(
            LdapResultCode::InsufficentAccessRights,
            "bind first: the anonymous see the root entry only",
        ))
    }

    fn compare(&self, dn: &str, attribute: &str, value: &[u8]) -> LdapResult {
        let compared = self
            .may_read()
            .and_then(|()| search::compare(&self.shared.tree(), &Dn::parse(dn)?, attribute, value, self.who));
        let mut answer = result(&compared.as_ref().map(|_| ()).map_err(Clone::clone));
        match compared {
            Ok(true) => answer.code = LdapResultCode::CompareTrue,
            Ok(false) => answer.code = LdapResultCode::CompareFalse,
            Err(_) => {}
        }
        answer
    }

    async fn search(&mut self, msgid: i32, request: LdapSearchRequest, controls: &[LdapControl]) -> bool {
        let schema = || self.who.reads().then(|| search::schema(&request)).flatten();
        let found = if search::is_root(&request) {
            Ok(search::root(&self.shared.tree(), &request))
        } else if let Some(found) = schema() {
            Ok(found)
        } else {
            let sync = self
                .may_read()
                .and_then(|()| Following::of(msgid, &request, controls, self.who));
            match sync {
                Err(refusal) => Err(refusal),
                Ok(Some(sync)) => return self.synchronise(msgid, sync).await,
                Ok(None) => {
                    let limit = u64::try_from(request.timelimit)
                        .ok()
                        .filter(|seconds| *seconds > 0);
                    let deadline =
                        limit.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
                    let late = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
                    search::search(&self.shared.tree(), &request, controls, self.who, &late)
                }
            }
        };
        match found {
            Err(refusal) => {
                self.send(msgid, LdapOp::SearchResultDone(result(&Err(refusal))), Vec::new())
                    .await
            }
            Ok(found) => {
                for entry in found.entries {
                    if !self
                        .send(msgid, LdapOp::SearchResultEntry(entry), Vec::new())
                        .await
                    {
                        return false;
                    }
                }
                let end = result(&found.cut.map_or(Ok(()), Err));
                self.send(
                    msgid,
                    LdapOp::SearchResultDone(end),
                    found.control.into_iter().collect(),
                )
                .await
            }
        }
    }

    async fn synchronise(&mut self, msgid: i32, sync: Following) -> bool {
        self.running.retain(|_, token| !token.is_cancelled());
        let (tree, mut changes) = self.shared.follow();
        let messages = if self.syncs.len() >= MOST_SYNCS {
            Err(Refusal::new(
                LdapResultCode::AdminLimitExceeded,
                "too many synchronising searches on one connection",
            ))
        } else {
            sync.refresh(&tree)
        };
        let messages = match messages {
            Ok(messages) => messages,
            Err(refusal) => {
                return self
                    .send(msgid, LdapOp::SearchResultDone(result(&Err(refusal))), Vec::new())
                    .await;
            }
        };
        for message in messages {
            if self.out.send(message).await.is_err() {
                return false;
            }
        }
        if !sync.stays() {
            return true;
        }
        let token = CancellationToken::new();
        self.running.insert(msgid, token.clone());
        let (out, shared) = (self.out.clone(), self.shared.clone());
        self.syncs.spawn(async move {
            let _done = token.clone().drop_guard();
            loop {
                let next = tokio::select! {
                    () = token.cancelled() => return,
                    () = out.closed() => return,
                    next = changes.recv() => next,
                };
                let Ok(change) = next else {
                    let _ = out.send(sync.fell_behind()).await;
                    return;
                };
                if let Some(message) = sync.change(&shared.tree(), &change)
                    && out.send(message).await.is_err()
                {
                    return;
                }
            }
        });
        true
    }

    async fn extended(&mut self, msgid: i32, request: &LdapExtendedRequest) -> bool {
        let (outcome, value) = match request.name.as_str() {
            OID_WHOAMI => {
                let name = self.shared.accounts.name(self.who);
                let authorization = if name.is_empty() {
                    name
                } else {
                    format!("dn:{name}")
                };
                (Ok(()), Some(authorization.into_bytes()))
            }
            OID_CANCEL => (self.cancel(request.value.as_deref()).await, None),
            starttls::OID => {
                let message = "the connection is encrypted already";
                (Err(Refusal::new(LdapResultCode::OperationsError, message)), None)
            }
            name => {
                let message = format!("the extended operation {name} is not known here");
                (Err(Refusal::new(LdapResultCode::ProtocolError, message)), None)
            }
        };
        let response = LdapExtendedResponse {
            res: result(&outcome),
            name: None,
            value,
        };
        self.send(msgid, LdapOp::ExtendedResponse(response), Vec::new())
            .await
    }

    /// RFC 3909: ends a search with the result `canceled`.
    async fn cancel(&mut self, value: Option<&[u8]>) -> Result<(), Refusal> {
        let target = value.and_then(cancel_target).ok_or_else(|| {
            Refusal::new(
                LdapResultCode::ProtocolError,
                "cancel takes the id of an operation",
            )
        })?;
        if !self.stop(target) {
            return Err(Refusal::new(
                LdapResultCode::NoSuchOperation,
                "no such operation is running",
            ));
        }
        let canceled = Refusal::new(LdapResultCode::Canceled, "");
        self.send(
            target,
            LdapOp::SearchResultDone(result(&Err(canceled))),
            Vec::new(),
        )
        .await;
        Ok(())
    }

    fn stop(&mut self, msgid: i32) -> bool {
        match self.running.remove(&msgid) {
            Some(token) if !token.is_cancelled() => {
                token.cancel();
                true
            }
            _ => false,
        }
    }

    fn stop_all(&mut self) {
        for (_, token) in self.running.drain() {
            token.cancel();
        }
    }

    async fn send(&self, msgid: i32, op: LdapOp, ctrl: Vec<LdapControl>) -> bool {
        self.shared.figures.sent(&op);
        self.out.send(LdapMsg { msgid, op, ctrl }).await.is_ok()
    }
}
