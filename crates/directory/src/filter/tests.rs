use ldap3_proto::parse_ldap_filter_str;

use super::*;
use crate::ldif;

fn entry() -> Entry {
    let text = "dn: uid=tools.alpha,ou=people,ou=servicegroups,dc=org\nobjectClass: posixAccount\ncn: tools.alpha\n\
                uid: tools.alpha\nuidNumber: 0050001\nhomeDirectory: /data/project/Alpha\nuserPassword: geheim\n\
                member: uid=ada, OU=People,dc=org\ndescription: A  Tool";
    ldif::read(text.as_bytes()).unwrap().remove(0).entry
}

fn holds(filter: &str) -> bool {
    matches(&parse_ldap_filter_str(filter).unwrap(), &entry(), false)
}

#[test]
fn filters_that_match() {
    for filter in [
        "(objectClass=POSIXACCOUNT)",
        "(&(objectClass=posixAccount)(cn=tools.*))",
        "(cn=TOOLS.al*)",
        "(cn=*ols*ph*a)",
        "(commonName=tools.alpha)",
        "(uidNumber=50001)",
        "(uidNumber>=9)",
        "(uidNumber<=50001)",
        "(homeDirectory=/data/project/Alpha)",
        "(cn~=tools.alpha)",
        "(!(cn=other))",
        "(!(mail=*))",
        "(|(cn=other)(uid=*))",
        "(cn:caseExactMatch:=tools.alpha)",
        "(ou:dn:=servicegroups)",
    ] {
        assert!(holds(filter), "{filter}");
    }
}

#[test]
fn values_match_by_their_meaning() {
    for (name, value) in [
        ("description", "a tool"),
        ("member", "UID=ada,ou=people,DC=org"),
        ("entryDN", "uid=tools.alpha,ou=people, ou=servicegroups,dc=org"),
    ] {
        assert!(
            matches(
                &LdapFilter::Equality(name.to_owned(), value.to_owned()),
                &entry(),
                false
            ),
            "{name}"
        );
    }
}

#[test]
fn bits_are_asked_for_by_rule() {
    let mask = |rule: &str, value: &str| {
        LdapFilter::Extensible(LdapMatchingRuleAssertion {
            matching_rule: Some(rule.to_owned()),
            type_: Some("uidNumber".to_owned()),
            match_value: value.to_owned(),
            dn_attributes: false,
        })
    };
    // 50001 is odd, and not a multiple of 2.
    assert!(matches(&mask("1.2.840.113556.1.4.803", "1"), &entry(), false));
    assert!(!matches(&mask("1.2.840.113556.1.4.803", "3"), &entry(), false));
    assert!(matches(&mask("1.2.840.113556.1.4.804", "3"), &entry(), false));
}

#[test]
fn filters_that_do_not_match() {
    for filter in [
        "(homeDirectory=/data/project/alpha)",
        "(cn=tools)",
        "(cn=alpha*)",
        "(uidNumber>=50002)",
        "(ou=servicegroups)",
        "(cn:caseExactMatch:=TOOLS.alpha)",
        "(cn:unknownMatch:=tools.alpha)",
        "(!(cn:unknownMatch:=tools.alpha))",
    ] {
        assert!(!holds(filter), "{filter}");
    }
}

#[test]
fn passwords_can_be_guessed_by_nobody() {
    let filter = |text| parse_ldap_filter_str(text).unwrap();
    for text in [
        "(userPassword=geheim)",
        "(!(userPassword=other))",
        "(userPassword=g*)",
        "(userPassword=*)",
    ] {
        assert!(!matches(&filter(text), &entry(), false), "{text}");
    }
    assert!(matches(&filter("(userPassword=geheim)"), &entry(), true));
}

#[test]
fn empty_and_is_true_and_empty_or_is_false() {
    assert!(matches(&LdapFilter::And(vec![]), &entry(), false));
    assert!(!matches(&LdapFilter::Or(vec![]), &entry(), false));
}

#[test]
fn deep_filters_are_seen() {
    let mut filter = LdapFilter::Present("cn".to_owned());
    assert!(is_shallow(&filter));
    for _ in 0..DEEPEST {
        filter = LdapFilter::Not(Box::new(filter));
    }
    assert!(!is_shallow(&filter));
}
