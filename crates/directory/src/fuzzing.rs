//! The doors for fuzz targets to what clients send: whole messages, and filters on entries. Built with `--cfg fuzzing`
//! only.

use ldap3_proto::{
    LdapCodec, parse_ldap_filter_str,
    proto::{LdapFilter, LdapOp},
};
use tokio_util::{bytes::BytesMut, codec::Decoder as _};

use crate::{access::Who, connection, entry::Entry, filter, following::Following, ldif, search, tree::Tree};

/// Asks whether an entry of this LDIF matches a filter, as text, and its opposite; whether both could be read.
pub fn filter(filter: &str, text: &[u8]) -> bool {
    let (Ok(filter), Ok(records)) = (parse_ldap_filter_str(filter), ldif::read(text)) else {
        return false;
    };
    if !filter::is_shallow(&filter) {
        return true;
    }
    for record in &records {
        decided(&filter, &record.entry);
    }
    true
}

/// Nothing matches a filter and its opposite.
fn decided(filter: &LdapFilter, entry: &Entry) {
    let opposite = LdapFilter::Not(Box::new(filter.clone()));
    for secrets in [false, true] {
        let both = filter::matches(filter, entry, secrets) && filter::matches(&opposite, entry, secrets);
        assert!(!both, "{filter:?} matches and does not match {entry:?}");
    }
}

/// Reads what a client sends, and answers the searches in it from the tree of `Served`; how many messages there were.
pub fn messages(served: &Served, bytes: &[u8]) -> usize {
    let mut codec = connection::codec();
    let mut left = BytesMut::from(bytes);
    let mut count = 0;
    while let Ok(Some(message)) = LdapCodec::decode(&mut codec, &mut left) {
        count += 1;
        let LdapOp::SearchRequest(request) = &message.op else {
            continue;
        };
        for who in [Who::Anonymous, Who::Reader, Who::Admin] {
            // A refusal is an answer.
            let _ = search::search(&served.0, request, &message.ctrl, who, &|| false);
            if let Ok(Some(following)) = Following::of(message.msgid, request, &message.ctrl, who) {
                let _ = following.refresh(&served.0);
            }
        }
    }
    count
}

/// A directory that is asked.
#[derive(Debug)]
pub struct Served(Tree);

impl Served {
    /// The directory of an LDIF text below a base.
    ///
    /// # Errors
    /// When the text or the base is not right.
    pub fn new(base: &str, text: &[u8]) -> Result<Self, Box<dyn std::error::Error>> {
        let base = crate::Dn::parse(base)?;
        Ok(Self(Tree::load(
            &base,
            ldif::read(text)?,
            jiff::Timestamp::UNIX_EPOCH,
        )?))
    }
}
