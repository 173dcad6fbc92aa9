//! Searches and comparisons: which entries, which of their attributes, page by page.
//!
//! Pure but for the deadline, which is a closure. Sessions send what comes out; keeping clients up to date is
//! `sync.rs`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ldap3_proto::{
    control::LdapControl,
    proto::{
        LdapPartialAttribute, LdapResultCode, LdapSearchRequest, LdapSearchResultEntry, LdapSearchScope,
        OID_WHOAMI,
    },
};

use crate::{
    access::Who,
    entry::Entry,
    filter,
    name::Dn,
    persist, schema, starttls, subschema,
    tree::{Refusal, Tree},
};

/// Paged results (RFC 2696).
pub(crate) const OID_PAGED: &str = "1.2.840.113556.1.4.319";
/// Content synchronisation (RFC 4533).
pub(crate) const OID_SYNC: &str = "1.3.6.1.4.1.4203.1.9.1.1";
/// Manage DSA IT (RFC 3296): there are no referrals here, so it changes nothing.
pub(crate) const OID_MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
/// The cancel operation (RFC 3909).
pub(crate) const OID_CANCEL: &str = "1.3.6.1.1.8";
/// `+` asks for all operational attributes (RFC 3673).
const OID_ALL_OPERATIONAL: &str = "1.3.6.1.4.1.4203.1.5.1";
/// `(&)` is true and `(|)` is false (RFC 4526).
const OID_TRUE_FALSE: &str = "1.3.6.1.4.1.4203.1.5.3";
/// Modify-increment (RFC 4525).
const OID_INCREMENT: &str = "1.3.6.1.1.14";

/// How many entries are looked at between two looks at the clock.
const ENTRIES_PER_LOOK: usize = 256;

/// What a search found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) entries: Vec<LdapSearchResultEntry>,
    /// The control that goes with the end of a page.
    pub(crate) control: Option<LdapControl>,
    /// Why the search ended early, when it did; what was found until then is still sent.
    pub(crate) cut: Option<Refusal>,
}

/// Whether a request asks for the root entry (RFC 4512, 5.1).
pub(crate) fn is_root(request: &LdapSearchRequest) -> bool {
    request.base.trim().is_empty() && request.scope == LdapSearchScope::Base
}

/// The root entry.
pub(crate) fn root(tree: &Tree, request: &LdapSearchRequest) -> Found {
    let mut entry = Entry::new(tree.base().clone());
    entry.push("objectClass", "top");
    entry.push("namingContexts", tree.base().to_string());
    entry.push("subschemaSubentry", subschema::NAME);
    for oid in [OID_PAGED, OID_SYNC, persist::OID, OID_MANAGE_DSA_IT] {
        entry.push("supportedControl", oid);
    }
    for oid in [OID_WHOAMI, OID_CANCEL, starttls::OID] {
        entry.push("supportedExtension", oid);
    }
    for oid in [OID_ALL_OPERATIONAL, OID_TRUE_FALSE, OID_INCREMENT] {
        entry.push("supportedFeatures", oid);
    }
    entry.push("supportedLDAPVersion", "3");
    entry.push("vendorName", "Toolforge");
    let mut found = alone(request, &entry, |name| name != "objectclass");
    for entry in &mut found.entries {
        entry.dn.clear();
    }
    found
}

/// The entry of the schema, if a search with its name as base asks for it.
pub(crate) fn schema(request: &LdapSearchRequest) -> Option<Found> {
    if request.scope == LdapSearchScope::OneLevel || !subschema::is_schema(&request.base) {
        return None;
    }
    let operational = |name: &str| !matches!(name, "objectclass" | "cn");
    Some(alone(request, &subschema::entry()?, operational))
}

/// What a search finds that has one entry to look at.
fn alone(request: &LdapSearchRequest, entry: &Entry, operational: impl Fn(&str) -> bool) -> Found {
    let mut entries = Vec::new();
    if filter::is_shallow(&request.filter) && filter::matches(&request.filter, entry, false) {
        let selection = Selection::of(request);
        let attributes = entry
            .attributes
            .iter()
            .filter(|(name, _)| selection.wants(name, operational(name)))
            .map(|(_, attribute)| partial(&attribute.name, &attribute.values, request.typesonly))
            .collect();
        entries.push(LdapSearchResultEntry {
            dn: entry.dn.to_string(),
            attributes,
        });
    }
    Found {
        entries,
        control: None,
        cut: None,
    }
}

/// Answers a search; `late` says when its time is over.
pub(crate) fn search(
    tree: &Tree,
    request: &LdapSearchRequest,
    controls: &[LdapControl],
    who: Who,
    late: &dyn Fn() -> bool,
) -> Result<Found, Refusal> {
    let base = check(request)?;
    let page = Page::of(controls)?;
    let selection = Selection::of(request);
    let limit = usize::try_from(request.sizelimit).unwrap_or(0);
    let mut found = Found {
        entries: Vec::new(),
        control: None,
        cut: None,
    };
    let mut last = String::new();
    let matching = tree
        .scope(
            &base,
            &request.scope,
            page.as_ref().and_then(|page| page.after.as_deref()),
        )?
        .enumerate()
        .map_while(|(at, entry)| (at % ENTRIES_PER_LOOK != ENTRIES_PER_LOOK - 1 || !late()).then_some(entry))
        .filter(|entry| filter::matches(&request.filter, entry, who.is_admin()));
    for entry in matching {
        if page.as_ref().is_some_and(|page| found.entries.len() == page.size) {
            found.control = Some(end_of_page(last.as_bytes()));
            return Ok(found);
        }
        if limit > 0 && found.entries.len() == limit {
            found.cut = Some(Refusal::new(
                LdapResultCode::SizeLimitExceeded,
                "there is more than the limit allows",
            ));
            break;
        }
        entry.dn.key().as_ref().clone_into(&mut last);
        found
            .entries
            .push(show(tree, entry, &selection, request.typesonly, who));
    }
    if late() {
        found.cut = Some(Refusal::new(
            LdapResultCode::TimeLimitExceeded,
            "the time limit was reached",
        ));
    }
    found.control = page.map(|_| end_of_page(b""));
    Ok(found)
}

/// What every search has to satisfy before it is begun: its base, parsed.
pub(crate) fn check(request: &LdapSearchRequest) -> Result<Dn, Refusal> {
    if !filter::is_shallow(&request.filter) {
        return Err(Refusal::new(
            LdapResultCode::AdminLimitExceeded,
            "the filter is nested too deeply",
        ));
    }
    Ok(Dn::parse(&request.base)?)
}

/// Compares one value of an entry.
pub(crate) fn compare(
    tree: &Tree,
    dn: &Dn,
    attribute: &str,
    value: &[u8],
    who: Who,
) -> Result<bool, Refusal> {
    let entry = tree.find(dn)?;
    let name = schema::canonical(attribute);
    if schema::is_secret(&name) && !who.is_admin() {
        return Err(Refusal::new(
            LdapResultCode::InsufficentAccessRights,
            "passwords are for the administrator",
        ));
    }
    if !entry.attributes.contains_key(&name) {
        return Err(Refusal::new(
            LdapResultCode::NoSuchAttribute,
            format!("{dn} has no {attribute}"),
        ));
    }
    Ok(entry.has_value(&name, value))
}

/// Whether an entry belongs to what a search asks for.
pub(crate) fn belongs(entry: &Entry, base: &Dn, request: &LdapSearchRequest, who: Who) -> bool {
    let in_scope = match request.scope {
        LdapSearchScope::Base => entry.dn == *base,
        LdapSearchScope::OneLevel => entry.dn.parent_key() == Some(&**base.key()),
        LdapSearchScope::Subtree => entry.dn.is_within(base),
        LdapSearchScope::Children => entry.dn.is_within(base) && entry.dn != *base,
    };
    in_scope && filter::matches(&request.filter, entry, who.is_admin())
}

/// An entry as it is sent.
pub(crate) fn show(
    tree: &Tree,
    entry: &Entry,
    selection: &Selection,
    types_only: bool,
    who: Who,
) -> LdapSearchResultEntry {
    let mut attributes: Vec<LdapPartialAttribute> = entry
        .attributes
        .iter()
        .filter(|(name, _)| who.is_admin() || !schema::is_secret(name))
        .filter(|(name, _)| selection.wants(name, schema::is_operational(name)))
        .map(|(_, attribute)| partial(&attribute.name, &attribute.values, types_only))
        .collect();
    if selection.wants("entrydn", true) {
        attributes.push(partial(
            "entryDN",
            &[entry.dn.to_string().into_bytes()],
            types_only,
        ));
    }
    if selection.wants("subschemasubentry", true) {
        attributes.push(partial(
            "subschemaSubentry",
            &[subschema::NAME.into()],
            types_only,
        ));
    }
    if entry.dn == *tree.base() && selection.wants("contextcsn", true) {
        attributes.push(partial("contextCSN", &[tree.csn().into_bytes()], types_only));
    }
    if selection.wants("hassubordinates", true) {
        let answer = if tree.has_children(&entry.dn) {
            "TRUE"
        } else {
            "FALSE"
        };
        attributes.push(partial("hasSubordinates", &[answer.into()], types_only));
    }
    LdapSearchResultEntry {
        dn: entry.dn.to_string(),
        attributes,
    }
}

fn partial(name: &str, values: &[Vec<u8>], types_only: bool) -> LdapPartialAttribute {
    LdapPartialAttribute {
        atype: name.to_owned(),
        vals: if types_only { Vec::new() } else { values.to_vec() },
    }
}

/// Which attributes are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    user: bool,
    operational: bool,
    named: Vec<String>,
}

impl Selection {
    /// Nothing asked for means all that are not operational; `1.1` means none.
    pub(crate) fn of(request: &LdapSearchRequest) -> Self {
        let named: Vec<String> = request.attrs.iter().map(|name| schema::canonical(name)).collect();
        Self {
            user: named.is_empty() || named.iter().any(|name| name == "*"),
            operational: named.iter().any(|name| name == "+"),
            named,
        }
    }

    fn wants(&self, name: &str, operational: bool) -> bool {
        let all = if operational { self.operational } else { self.user };
        // Asking for `cn` asks for `cn;lang-en` too.
        all || self
            .named
            .iter()
            .any(|wanted| wanted == name || name.split(';').next() == Some(wanted.as_str()))
    }
}

/// A page asked for.
struct Page {
    size: usize,
    after: Option<String>,
}

impl Page {
    /// The cookie is the key of the last entry sent, so that the server keeps nothing between pages.
    fn of(controls: &[LdapControl]) -> Result<Option<Self>, Refusal> {
        let Some((size, cookie)) = controls.iter().find_map(|control| match control {
            LdapControl::SimplePagedResults { size, cookie } => Some((*size, cookie)),
            _ => None,
        }) else {
            return Ok(None);
        };
        let refuse =
            |what: &str| Refusal::new(LdapResultCode::ProtocolError, format!("paged results: {what}"));
        let size = usize::try_from(size).map_err(|_| refuse("the page size is negative"))?;
        let after = match cookie.as_slice() {
            [] => None,
            cookie => {
                let key = STANDARD
                    .decode(cookie)
                    .ok()
                    .and_then(|key| String::from_utf8(key).ok());
                Some(key.ok_or_else(|| refuse("the cookie is not one of this server"))?)
            }
        };
        // Size 0 ends a paged search, and as a first request it asks for an estimate only: neither sends entries.
        Ok(Some(Self { size, after }))
    }
}

fn end_of_page(key: &[u8]) -> LdapControl {
    LdapControl::SimplePagedResults {
        size: 0,
        cookie: STANDARD.encode(key).into_bytes(),
    }
}
