//! Who is shown which certificate.

use toolforge_pki::Authority;

use super::*;

fn certificate(names: &[&str]) -> ServerCertificate {
    let identity = Authority::create("test").unwrap().issue_server(names).unwrap();
    ServerCertificate::read(&identity).unwrap()
}

fn shows(certificates: &Certificates, name: &str, expected: &ServerCertificate) {
    assert!(
        Arc::ptr_eq(&certificates.find(Some(name)), expected.certified()),
        "{name}"
    );
}

#[test]
fn the_exact_name_goes_before_the_wildcard_and_the_default_is_for_the_rest() {
    let (default, wildcard, exact) = (
        certificate(&["*.default.test"]),
        certificate(&["*.example.org", "example.net"]),
        certificate(&["a.example.org"]),
    );
    let certificates = Certificates::new(default.clone());
    shows(&certificates, "a.example.org", &default);
    certificates.set_files(vec![wildcard.clone(), exact.clone()]);
    for (name, expected) in [
        ("a.example.org", &exact),
        ("a.example.org.", &exact),
        ("b.example.org", &wildcard),
        ("example.net", &wildcard),
        ("example.org", &default),
        ("a.b.example.org", &default),
        ("", &default),
        (".", &default),
    ] {
        shows(&certificates, name, expected);
    }
    assert!(Arc::ptr_eq(&certificates.find(None), default.certified()));
    certificates.set_files(Vec::new());
    shows(&certificates, "a.example.org", &default);
}

#[test]
fn a_claim_is_for_its_host_only_and_yields_to_the_operators_file_for_it() {
    let default = certificate(&["*.example.org"]);
    // It says that it is for everybody; it was claimed for one host.
    let greedy = certificate(&["a.example.org", "*.example.org"]);
    let certificates = Certificates::new(default.clone());
    let claim = |host: &str| Claimed {
        host: host.to_owned(),
        certificate: greedy.clone(),
    };
    assert_eq!(sources(&certificates), [("default", 1)]);
    certificates.set_claimed(vec![claim("a.example.org")]);
    shows(&certificates, "a.example.org", &greedy);
    shows(&certificates, "b.example.org", &default);
    let operators = certificate(&["a.example.org"]);
    certificates.set_files(vec![operators.clone()]);
    shows(&certificates, "a.example.org", &operators);
    assert_eq!(
        sources(&certificates),
        [("default", 1), ("files", 1), ("secrets", 1)]
    );
    assert_eq!(certificates.ends()[1].first, operators.not_after());
}

/// How many there are, by where they are from.
fn sources(certificates: &Certificates) -> Vec<(&'static str, usize)> {
    let ends = certificates.ends();
    ends.iter().map(|ends| (ends.source, ends.count)).collect()
}
