//! The directory over LDAPS, as the `ldap3` client and `OpenLDAP`'s own programs see it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod durable;
mod programs;
mod scene;

use std::{collections::HashSet, sync::Arc};

use ldap3::{
    Mod, Scope, SearchEntry, SearchOptions,
    adapters::{Adapter, EntriesOnly, PagedResults},
    controls::{
        EntryState, MakeCritical as _, RefreshMode, SyncInfo, SyncRequest, SyncState, parse_syncinfo,
    },
    exop::{WhoAmI, WhoAmIResp},
};
use toolforge_pki::client_config;

use scene::{BASE, DEADLINE, names, person, serve, set};

#[tokio::test]
async fn anonymous_sees_the_root_entry_and_nothing_else() {
    let served = serve().await;
    let mut ldap = served.anonymous().await;
    let (root, _) = ldap
        .search("", Scope::Base, "(objectClass=*)", vec!["+"])
        .await
        .unwrap()
        .success()
        .unwrap();
    let root = SearchEntry::construct(root.into_iter().next().unwrap());
    assert_eq!(root.attrs["namingContexts"], [BASE]);
    assert!(
        root.attrs["supportedControl"]
            .iter()
            .any(|oid| oid == "1.3.6.1.4.1.4203.1.9.1.1")
    );
    let refused = ldap
        .search(BASE, Scope::Subtree, "(uid=ada)", vec!["*"])
        .await
        .unwrap();
    assert_eq!(refused.1.rc, 50);
    assert_eq!(
        ldap.compare("uid=ada,ou=people,dc=toolforge,dc=org", "uid", "ada")
            .await
            .unwrap()
            .0
            .rc,
        50
    );
}

#[tokio::test]
async fn wrong_passwords_and_empty_ones_are_refused() {
    let served = serve().await;
    let mut ldap = served.anonymous().await;
    assert_eq!(
        ldap.simple_bind("cn=admin,dc=toolforge,dc=org", "reader-secret")
            .await
            .unwrap()
            .rc,
        49
    );
    assert_eq!(
        ldap.simple_bind("cn=nobody,dc=toolforge,dc=org", "admin-secret")
            .await
            .unwrap()
            .rc,
        49
    );
    assert_eq!(
        ldap.simple_bind("cn=admin,dc=toolforge,dc=org", "")
            .await
            .unwrap()
            .rc,
        53
    );
    assert_eq!(ldap.simple_bind("not a name", "x").await.unwrap().rc, 34);
}

#[tokio::test]
async fn the_reader_reads_all_but_passwords_and_writes_nothing() {
    let served = serve().await;
    let mut ldap = served.bound("reader").await;
    let (found, _) = ldap
        .search(BASE, Scope::Subtree, "(uid=ADA)", vec!["*", "entryUUID"])
        .await
        .unwrap()
        .success()
        .unwrap();
    let ada = SearchEntry::construct(found.into_iter().next().unwrap());
    assert_eq!(ada.attrs["cn"], ["Ada Lovelace"]);
    assert!(ada.attrs.contains_key("entryUUID") && !ada.attrs.contains_key("userPassword"));
    assert!(
        !ada.attrs.contains_key("entryCSN"),
        "operational attributes come only when asked for"
    );
    assert!(names(&mut ldap, "(userPassword=geheim)").await.is_empty());
    assert_eq!(
        ldap.add("uid=eve,ou=people,dc=toolforge,dc=org", person("eve"))
            .await
            .unwrap()
            .rc,
        50
    );
    assert_eq!(
        ldap.delete("uid=ada,ou=people,dc=toolforge,dc=org")
            .await
            .unwrap()
            .rc,
        50
    );
    let (exop, _) = ldap.extended(WhoAmI).await.unwrap().success().unwrap();
    assert_eq!(
        exop.parse::<WhoAmIResp>().authzid,
        "dn:cn=reader,dc=toolforge,dc=org"
    );
}

#[tokio::test]
async fn limits_pages_and_scopes_are_kept() {
    let served = serve().await;
    let mut ldap = served.bound("admin").await;
    for at in 0..7 {
        let uid: &'static str = format!("user{at}").leak();
        ldap.add(&format!("uid={uid},ou=people,{BASE}"), person(uid))
            .await
            .unwrap()
            .success()
            .unwrap();
    }
    let adapters: Vec<Box<dyn Adapter<_, _>>> =
        vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(3))];
    let mut stream = ldap
        .streaming_search_with(adapters, BASE, Scope::Subtree, "(uid=user*)", vec!["uid"])
        .await
        .unwrap();
    let mut seen = HashSet::new();
    while let Some(entry) = stream.next().await.unwrap() {
        assert!(seen.insert(SearchEntry::construct(entry).dn));
    }
    stream.finish().await.success().unwrap();
    assert_eq!(seen.len(), 7);
    let cut = ldap
        .with_search_options(SearchOptions::new().sizelimit(2))
        .search(BASE, Scope::Subtree, "(uid=user*)", vec!["uid"])
        .await
        .unwrap();
    assert_eq!((cut.0.len(), cut.1.rc), (2, 4));
    let (one, _) = ldap
        .search(BASE, Scope::OneLevel, "(&)", vec!["1.1"])
        .await
        .unwrap()
        .success()
        .unwrap();
    assert_eq!(one.len(), 2, "people and servicegroups");
    let missing = ldap
        .search("ou=x,dc=toolforge,dc=org", Scope::Base, "(&)", vec!["1.1"])
        .await
        .unwrap()
        .1;
    assert_eq!((missing.rc, missing.matched.as_str()), (32, BASE));
    let equal = ldap
        .compare("uid=ada,ou=people,dc=toolforge,dc=org", "cn", "ada  LOVELACE")
        .await
        .unwrap();
    assert!(equal.equal().unwrap());
}

fn sync(cookie: Option<Vec<u8>>, mode: RefreshMode) -> ldap3::controls::RawControl {
    SyncRequest {
        mode,
        cookie,
        reload_hint: false,
    }
    .critical()
    .into()
}

fn state(entry: &ldap3::ResultEntry) -> SyncState {
    let ldap3::controls::Control(Some(ldap3::controls::ControlType::SyncState), raw) = &entry.1[0] else {
        panic!("an entry of a synchronisation carries its state")
    };
    raw.parse()
}

async fn next<'a>(stream: &mut ldap3::SearchStream<'a, &'a str, Vec<&'a str>>) -> ldap3::ResultEntry {
    tokio::time::timeout(DEADLINE, stream.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn a_client_that_stays_learns_of_every_change_and_can_come_back_with_its_cookie() {
    let served = serve().await;
    let mut writer = served.bound("admin").await;
    let mut ldap = served.bound("reader").await;
    ldap.with_controls(vec![sync(None, RefreshMode::RefreshAndPersist)]);
    let mut stream = ldap
        .streaming_search(BASE, Scope::Subtree, "(uid=*)", vec!["uid"])
        .await
        .unwrap();
    assert!(matches!(state(&next(&mut stream).await).state, EntryState::Add));
    let refreshed = next(&mut stream).await;
    assert!(refreshed.is_intermediate());
    let SyncInfo::RefreshPresent {
        refresh_done: true, ..
    } = parse_syncinfo(refreshed)
    else {
        panic!("refresh ends")
    };

    let eve = "uid=eve,ou=people,dc=toolforge,dc=org";
    writer.add(eve, person("eve")).await.unwrap().success().unwrap();
    let added = state(&next(&mut stream).await);
    assert!(matches!(added.state, EntryState::Add));
    writer
        .modify(eve, vec![Mod::Replace("cn", set(&["E"]))])
        .await
        .unwrap()
        .success()
        .unwrap();
    let modified = state(&next(&mut stream).await);
    assert!(matches!(modified.state, EntryState::Modify));
    assert_eq!(modified.entry_uuid, added.entry_uuid);

    // Another connection, later, with the cookie of that change: only what came after it.
    writer.delete(eve).await.unwrap().success().unwrap();
    assert!(matches!(
        state(&next(&mut stream).await).state,
        EntryState::Delete
    ));
    writer
        .add("uid=mallory,ou=people,dc=toolforge,dc=org", person("mallory"))
        .await
        .unwrap()
        .success()
        .unwrap();
    let mut later = served.bound("reader").await;
    later.with_controls(vec![sync(modified.cookie, RefreshMode::RefreshOnly)]);
    let mut stream = later
        .streaming_search(BASE, Scope::Subtree, "(uid=*)", vec!["uid"])
        .await
        .unwrap();
    let first = next(&mut stream).await;
    assert_eq!(
        SearchEntry::construct(first).dn,
        "uid=mallory,ou=people,dc=toolforge,dc=org"
    );
    let SyncInfo::SyncIdSet {
        refresh_deletes: true,
        sync_uuids,
        ..
    } = parse_syncinfo(next(&mut stream).await)
    else {
        panic!("removals are named")
    };
    assert!(sync_uuids.contains(&added.entry_uuid));
    assert!(
        tokio::time::timeout(DEADLINE, stream.next())
            .await
            .unwrap()
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let served = serve().await;
    let tls = tokio_rustls::TlsConnector::from(Arc::new(client_config(&served.ca, None).unwrap()));
    let address = served.url.trim_start_matches("ldaps://").to_owned();
    let long = {
        let mut bytes = vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff];
        bytes.resize(3 << 20, 0x04);
        bytes
    };
    let samples: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0x30, 0x05, 0x02, 0x01, 0x01, 0x78, 0x00],
        vec![0x30, 0x80, 0x00, 0x00],
        vec![0x30; 4096],
        vec![0xff; 512],
        long,
    ];
    for bytes in samples {
        let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let mut stream = tls
            .connect("localhost".try_into().unwrap(), stream)
            .await
            .unwrap();
        // The server may hang up in the middle of what is sent.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut rest))
            .await
            .unwrap();
    }
    let mut ldap = served.bound("reader").await;
    assert_eq!(names(&mut ldap, "(uid=ada)").await.len(), 1);
}
