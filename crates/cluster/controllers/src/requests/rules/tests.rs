use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequestCondition, CertificateSigningRequestStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;

fn subject(common_name: &str, organizations: &[&str]) -> Requested {
    Requested {
        common_name: common_name.to_owned(),
        organizations: organizations.iter().map(ToString::to_string).collect(),
        dns_names: Vec::new(),
        addresses: Vec::new(),
        emails: Vec::new(),
        uris: Vec::new(),
    }
}

fn named(mut subject: Requested) -> Requested {
    subject.dns_names.push("n1".to_owned());
    subject
}

fn node() -> Requested {
    subject("system:node:n1", &["system:nodes"])
}

#[test]
fn a_serving_certificate_has_names_that_are_dialled_and_no_others() {
    let usages = ["digital signature", "server auth"];
    let with = |change: fn(&mut Requested)| {
        let mut subject = named(node());
        change(&mut subject);
        admit_request(Signer::NodeServing, &spec(&usages), &subject).err()
    };
    assert_eq!(with(|_| {}), None);
    assert_eq!(
        with(|subject| subject.dns_names.clear()).unwrap(),
        "DNS or IP subjectAltName is required"
    );
    let address = |subject: &mut Requested| {
        subject.dns_names.clear();
        subject.addresses.push([127, 0, 0, 1].into());
    };
    assert_eq!(with(address), None);
    assert_eq!(
        with(|subject| subject.emails.push("a@b.c".to_owned())).unwrap(),
        "Email subjectAltNames are not allowed"
    );
    assert_eq!(
        with(|subject| subject.uris.push("spiffe://a".to_owned())).unwrap(),
        "URI subjectAltNames are not allowed"
    );
    assert_eq!(
        with(|subject| subject.organizations.push("system:masters".to_owned())).unwrap(),
        "subject organization is not system:nodes"
    );
    assert_eq!(
        with(|subject| "ada".clone_into(&mut subject.common_name)).unwrap(),
        "subject common name does not begin with system:node:"
    );
}

#[test]
fn a_certificate_is_for_what_was_asked() {
    let usages = Signer::NodeServing.usages(&spec(&["digital signature", "server auth"]));
    assert_eq!(usages.purpose, Usage::Server);
    assert!(usages.digital_signature && !usages.key_encipherment);
}

fn spec(usages: &[&str]) -> CertificateSigningRequestSpec {
    CertificateSigningRequestSpec {
        signer_name: "kubernetes.io/kube-apiserver-client".into(),
        usages: Some(usages.iter().map(ToString::to_string).collect()),
        ..CertificateSigningRequestSpec::default()
    }
}

#[test]
fn signers_keep_to_their_documented_rules() {
    let client: &[&str] = &["client auth"];
    let node: &[&str] = &["client auth", "digital signature", "key encipherment"];
    let serving: &[&str] = &["server auth", "digital signature"];
    let table: &[(Signer, &[&str], Requested, bool)] = &[
        (Signer::ApiClient, client, subject("wm-lol", &["toolforge"]), true),
        (Signer::ApiClient, node, subject("wm-lol", &[]), true),
        (
            Signer::ApiClient,
            client,
            subject("root", &["toolforge", "system:masters"]),
            false,
        ),
        (Signer::ApiClient, client, subject("", &["toolforge"]), false),
        (Signer::ApiClient, &["server auth"], subject("a", &[]), false),
        (
            Signer::ApiClient,
            &["client auth", "server auth"],
            subject("a", &[]),
            false,
        ),
        (Signer::ApiClient, &[], subject("a", &[]), false),
        (
            Signer::NodeClient,
            node,
            subject("system:node:n1", &["system:nodes"]),
            true,
        ),
        (
            Signer::NodeClient,
            client,
            subject("system:node:n1", &["system:nodes"]),
            false,
        ),
        (
            Signer::NodeClient,
            node,
            subject("system:node:", &["system:nodes"]),
            false,
        ),
        (Signer::NodeClient, node, subject("ada", &["system:nodes"]), false),
        (
            Signer::NodeClient,
            node,
            subject("system:node:n1", &["system:nodes", "system:masters"]),
            false,
        ),
        (
            Signer::NodeServing,
            serving,
            named(subject("system:node:n1", &["system:nodes"])),
            true,
        ),
        (
            Signer::NodeServing,
            node,
            named(subject("system:node:n1", &["system:nodes"])),
            false,
        ),
        (
            Signer::NodeServing,
            serving,
            subject("system:node:n1", &["system:nodes"]),
            false,
        ),
        (
            Signer::NodeClient,
            node,
            named(subject("system:node:n1", &["system:nodes"])),
            false,
        ),
    ];
    for (signer, usages, subject, allowed) in table {
        let verdict = admit_request(*signer, &spec(usages), subject);
        assert_eq!(
            verdict.is_ok(),
            *allowed,
            "{signer:?} {usages:?} {subject:?}: {verdict:?}"
        );
    }
}

#[test]
fn lifetimes_stay_between_ten_minutes_and_a_year() {
    for (asked, given) in [
        (None, 31_536_000),
        (Some(60), 600),
        (Some(86_400), 86_400),
        (Some(i32::MAX), 31_536_000),
    ] {
        let spec = CertificateSigningRequestSpec {
            expiration_seconds: asked,
            ..spec(&[])
        };
        assert_eq!(lifetime(&spec).as_secs(), given);
    }
}

fn request(conditions: &[&str], age_minutes: i64, now: Timestamp) -> CertificateSigningRequest {
    let then = Time(now - SignedDuration::from_mins(age_minutes));
    let conditions = conditions.iter().map(|kind| CertificateSigningRequestCondition {
        type_: (*kind).to_owned(),
        status: "True".into(),
        last_update_time: Some(then.clone()),
        ..CertificateSigningRequestCondition::default()
    });
    CertificateSigningRequest {
        metadata: kube::api::ObjectMeta {
            creation_timestamp: Some(then.clone()),
            ..kube::api::ObjectMeta::default()
        },
        spec: spec(&["client auth"]),
        status: Some(CertificateSigningRequestStatus {
            conditions: Some(conditions.collect()),
            certificate: None,
        }),
    }
}

#[test]
fn approved_requests_are_signed_and_old_ones_go() {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    let hour = Duration::from_hours(1);
    let table = [
        (&["Approved"][..], 0, Verdict::Sign(Signer::ApiClient)),
        (&["Approved", "Denied"][..], 0, Verdict::Keep(hour)),
        (&["Approved", "Failed"][..], 0, Verdict::Keep(hour)),
        (&["Denied"][..], 61, Verdict::ClearAway),
        (&[][..], 0, Verdict::Keep(hour * 24)),
        (&[][..], 24 * 60, Verdict::ClearAway),
    ];
    for (conditions, age, expected) in table {
        assert_eq!(
            verdict(&request(conditions, age, now), now),
            expected,
            "{conditions:?} {age}"
        );
    }
    let mut signed = request(&["Approved"], 61, now);
    signed.status.get_or_insert_default().certificate = Some(k8s_openapi::ByteString(b"x".to_vec()));
    assert_eq!(verdict(&signed, now), Verdict::ClearAway);
    let mut foreign = request(&["Approved"], 0, now);
    foreign.spec.signer_name = "example.org/own".into();
    assert_eq!(verdict(&foreign, now), Verdict::Keep(hour));
}
