//! Certificates as their users meet them: over TLS, in files, and in what is read back from them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{os::unix::fs::PermissionsExt as _, sync::Arc, time::Duration};

use rustls::{ClientConnection, ServerConnection};
use toolforge_pki::{
    Authority, KeyKind, Usage, client_config, new_key_request, new_request, new_server_request,
    read_certificate_pem, read_request_pem, server_config,
};

#[test]
fn a_client_certificate_keeps_every_group() {
    let authority = Authority::create("test authority").unwrap();
    let identity = authority
        .issue_client("system:node:one", &["system:nodes", "a, b=c"])
        .unwrap();
    let read = read_certificate_pem(&identity.certificate_pem).unwrap();
    assert_eq!(read.common_name, "system:node:one");
    assert_eq!(read.organizations, ["system:nodes", "a, b=c"]);
}

#[test]
fn a_request_says_whom_it_is_for() {
    let (_, request) = new_request("alpha", &["toolforge"]).unwrap();
    let requested = read_request_pem(&request).unwrap();
    assert_eq!(
        (requested.common_name.as_str(), requested.organizations),
        ("alpha", vec!["toolforge".into()])
    );
}

#[test]
fn a_signed_request_lives_as_long_as_asked() {
    let authority = Authority::create("test authority").unwrap();
    let (_, request) = new_request("alpha", &["toolforge"]).unwrap();
    let certificate = authority
        .sign_request(&request, Duration::from_hours(1), Usage::Client)
        .unwrap();
    let read = read_certificate_pem(&certificate).unwrap();
    let lifetime = read.not_after.duration_since(read.not_before).unwrap();
    assert_eq!(
        lifetime,
        Duration::from_mins(65),
        "an hour, and five minutes for late clocks"
    );
}

#[test]
fn a_server_is_reached_by_the_names_of_its_request() {
    let authority = Authority::create("test authority").unwrap();
    let names = ["a.b.svc", "a.b.svc.cluster.local"];
    let (key_pem, request) = new_server_request("system:node:a", &["system:nodes"], &names).unwrap();
    let requested = read_request_pem(&request).unwrap();
    assert_eq!(requested.dns_names, names);
    assert!(requested.emails.is_empty() && requested.uris.is_empty());
    let signed = authority.sign_request(&request, Duration::from_hours(1), Usage::Server);
    let server = toolforge_pki::Identity {
        certificate_pem: signed.unwrap(),
        key_pem,
    };
    for name in names {
        handshake(&authority, &authority, &server, None, name).unwrap();
    }
    assert!(handshake(&authority, &authority, &server, None, "b.svc").is_err());
}

#[test]
fn nothing_outlives_the_authority_that_signed_it() {
    let authority = Authority::create("test authority").unwrap();
    let (_, request) = new_request("alpha", &[]).unwrap();
    let century = Duration::from_hours(24 * 365 * 100);
    let signed = authority.sign_request(&request, century, Usage::Client).unwrap();
    let end = |pem: &str| read_certificate_pem(pem).unwrap().not_after;
    assert_eq!(end(&signed), end(authority.certificate_pem()));
}

#[test]
fn a_request_that_was_tampered_with_is_refused() {
    let (_, request) = new_request("alpha", &["toolforge"]).unwrap();
    let (_, other) = new_request("omega", &["toolforge"]).unwrap();
    let lines: Vec<&str> = request.lines().collect();
    let others: Vec<&str> = other.lines().collect();
    let mut mixed = lines.clone();
    // The last line of the body holds the end of the signature.
    mixed[lines.len() - 2] = others[others.len() - 2];
    assert!(read_request_pem(&mixed.join("\n")).is_err());
}

#[test]
fn an_authority_is_made_once_and_its_key_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let first = Authority::load_or_create(folder.path(), "ca", "test authority").unwrap();
    let second = Authority::load_or_create(folder.path(), "ca", "another name").unwrap();
    assert_eq!(first.certificate_pem(), second.certificate_pem());
    let mode = std::fs::metadata(folder.path().join("ca.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn server_and_client_meet_over_mutual_tls() {
    let authority = Authority::create("test authority").unwrap();
    let server = authority
        .issue_server(&["localhost", "*.example.test", "127.0.0.1"])
        .unwrap();
    let client = authority.issue_client("ada", &["admins"]).unwrap();
    for name in ["localhost", "tool.example.test", "127.0.0.1"] {
        let peer = handshake(&authority, &authority, &server, Some(&client), name).unwrap();
        assert_eq!(
            toolforge_pki::read_certificate_der(&peer.unwrap())
                .unwrap()
                .common_name,
            "ada"
        );
    }
    assert_eq!(
        handshake(&authority, &authority, &server, None, "localhost").unwrap(),
        None
    );
    assert!(handshake(&authority, &authority, &server, None, "elsewhere.test").is_err());
}

#[test]
fn strangers_are_refused_on_both_sides() {
    let authority = Authority::create("test authority").unwrap();
    let stranger = Authority::create("stranger").unwrap();
    let server = authority.issue_server(&["localhost"]).unwrap();
    let forged = stranger.issue_client("admin", &["system:masters"]).unwrap();
    assert!(handshake(&authority, &authority, &server, Some(&forged), "localhost").is_err());
    assert!(handshake(&stranger, &authority, &server, None, "localhost").is_err());
}

/// Runs a handshake in memory; answers the certificate that the server saw.
fn handshake(
    trusted_by_client: &Authority,
    trusted_by_server: &Authority,
    server: &toolforge_pki::Identity,
    client: Option<&toolforge_pki::Identity>,
    name: &'static str,
) -> Result<Option<Vec<u8>>, rustls::Error> {
    let server = server_config(server, Some(trusted_by_server.certificate_pem())).unwrap();
    let client = client_config(trusted_by_client.certificate_pem(), client).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name.try_into().unwrap()).unwrap();
    let mut wire = Vec::new();
    while client.is_handshaking() || server.is_handshaking() {
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut bytes = wire.as_slice();
        while !bytes.is_empty() {
            server.read_tls(&mut bytes).unwrap();
            server.process_new_packets()?;
        }
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut bytes = wire.as_slice();
        while !bytes.is_empty() {
            client.read_tls(&mut bytes).unwrap();
            client.process_new_packets()?;
        }
        wire.clear();
    }
    Ok(server
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map(|first| first.as_ref().to_vec()))
}

#[test]
fn keys_of_every_kind_are_signed_for_and_work_in_handshakes() {
    let authority = Authority::create("test authority").unwrap();
    for name in ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-4096"] {
        let kind: KeyKind = name.parse().unwrap();
        assert_eq!(kind.to_string(), name);
        let (key_pem, request) = new_key_request(kind, "alpha", &["toolforge", "b"], &["a.b.svc"]).unwrap();
        let requested = read_request_pem(&request).unwrap();
        assert_eq!(requested.organizations, ["toolforge", "b"], "{name}");
        assert_eq!(requested.dns_names, ["a.b.svc"], "{name}");
        let certificate_pem = authority.sign_request(&request, Duration::from_mins(10), Usage::Client);
        let identity = toolforge_pki::Identity {
            certificate_pem: certificate_pem.unwrap(),
            key_pem,
        };
        // Refuses a key that does not belong to the certificate.
        client_config(authority.certificate_pem(), Some(&identity)).unwrap();
    }
    assert!(
        "dsa"
            .parse::<KeyKind>()
            .unwrap_err()
            .to_string()
            .contains("rsa-4096")
    );
}
