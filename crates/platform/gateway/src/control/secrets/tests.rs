//! What follows from what is heard of Secrets.

use k8s_openapi::{ByteString, api::core::v1::Secret};
use toolforge_pki::Authority;

use super::*;

fn identity(names: &[&str]) -> Identity {
    Authority::create("test").unwrap().issue_server(names).unwrap()
}

fn certificate(name: &str) -> ServerCertificate {
    ServerCertificate::read(&identity(&[name])).unwrap()
}

fn key() -> ObjectKey {
    ObjectKey::new("tool-a", "web")
}

fn claims() -> Vec<TlsClaim> {
    vec![TlsClaim {
        host: "a.test".to_owned(),
        secret: key(),
        ingress: ObjectKey::new("tool-a", "ingress"),
    }]
}

/// What is shown for the host, and what is said of it.
fn shown(secrets: &mut Secrets) -> (Option<ServerCertificate>, Vec<String>) {
    let (mut certificates, problems) = secrets.certificates(claims());
    assert!(certificates.len() <= 1);
    (certificates.pop().map(|claimed| claimed.certificate), problems)
}

#[test]
fn what_does_not_work_is_said_once_and_leaves_what_was_before() {
    let mut secrets = Secrets::default();
    assert_eq!(shown(&mut secrets), (None, Vec::new()), "nothing is known yet");
    for event in [SecretEvent::Begin, SecretEvent::Done] {
        secrets.hear(event, true);
    }
    let (none, problems) = shown(&mut secrets);
    assert_eq!(none, None);
    assert!(
        problems[0].contains("there is no Secret tool-a/web"),
        "{problems:?}"
    );
    let first = certificate("a.test");
    assert!(secrets.hear(SecretEvent::Put(key(), Ok(first.clone())), true));
    assert_eq!(shown(&mut secrets), (Some(first.clone()), Vec::new()));
    secrets.hear(SecretEvent::Put(key(), Err("data[tls.key]: broken".into())), true);
    let (still, problems) = shown(&mut secrets);
    assert_eq!(still, Some(first.clone()));
    assert_eq!(
        problems,
        ["Secret tool-a/web, data[tls.key]: broken; until then its last certificate is shown"]
    );
    assert_eq!(shown(&mut secrets), (Some(first), Vec::new()), "it was said");
    secrets.hear(SecretEvent::Put(key(), Ok(certificate("b.test"))), true);
    let (none, problems) = shown(&mut secrets);
    assert_eq!(none, None, "a certificate for another host is not shown");
    assert!(problems[0].contains("it is not for a.test"), "{problems:?}");
    assert!(secrets.hear(SecretEvent::Gone(key()), true));
    assert_eq!(shown(&mut secrets).0, None);
}

#[test]
fn an_api_without_memory_takes_nothing_away() {
    let mut secrets = Secrets::default();
    let first = certificate("a.test");
    secrets.hear(SecretEvent::Begin, true);
    secrets.hear(SecretEvent::Listed(key(), Ok(first.clone())), true);
    secrets.hear(SecretEvent::Done, true);
    for event in [SecretEvent::Begin, SecretEvent::Done] {
        secrets.hear(event, false);
    }
    assert_eq!(shown(&mut secrets).0, Some(first.clone()));
    assert!(!secrets.remember(false));
    assert_eq!(shown(&mut secrets).0, Some(first));
    assert!(secrets.remember(true));
    assert_eq!(shown(&mut secrets).0, None);
}

#[test]
fn a_secret_is_read_by_its_fields_and_nothing_of_its_key_is_told() {
    let (good, other) = (identity(&["a.test"]), identity(&["b.test"]));
    let secret = |certificate: &str, key: &str| {
        let field = |name: &str, text: &str| (name.to_owned(), ByteString(text.as_bytes().to_vec()));
        read_secret(&Secret {
            data: Some([field("tls.crt", certificate), field("tls.key", key)].into()),
            ..Secret::default()
        })
    };
    let read = secret(&good.certificate_pem, &good.key_pem).unwrap();
    assert_eq!(read.dns_names(), ["a.test"]);
    assert!(
        read_secret(&Secret::default())
            .unwrap_err()
            .contains("data[tls.crt] is missing")
    );
    for (read, field) in [
        (secret("soon", &good.key_pem), "data[tls.crt]: "),
        (secret(&good.certificate_pem, &other.key_pem), "data[tls.key]: "),
        (
            secret(&good.certificate_pem, &good.key_pem.replace('\n', "")),
            "data[tls.key]: ",
        ),
    ] {
        let problem = read.unwrap_err();
        assert!(
            problem.starts_with(field) && !problem.contains("MIG"),
            "{problem}"
        );
    }
}
