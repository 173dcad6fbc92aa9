use proptest::prelude::*;

use super::*;

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

#[test]
fn names_are_equal_whatever_their_case_and_blanks() {
    assert_eq!(
        dn("uid=tools.alpha,ou=people,dc=org"),
        dn("UID=Tools.Alpha , OU=People,DC=ORG")
    );
    assert_eq!(dn("cn=a+sn=b,dc=org"), dn("sn=b+commonName=A,dc=org"));
    assert_ne!(dn("uid=a,dc=org"), dn("uid=b,dc=org"));
}

#[test]
fn escapes_and_quotes_mean_the_same() {
    assert_eq!(dn(r"cn=a\, b,dc=org"), dn(r#"cn="a, b",dc=org"#));
    assert_eq!(dn(r"cn=a\2c b,dc=org"), dn(r"cn=a\, b,dc=org"));
    assert_eq!(dn("cn=#0401 61".replace(' ', "").as_str()), dn("cn=a"));
}

#[test]
fn parents_are_prefixes() {
    let child = dn("uid=x,ou=people,dc=org");
    assert_eq!(child.parent_key(), Some(&**dn("ou=people,dc=org").key()));
    assert!(child.is_within(&dn("dc=org")));
    assert!(!dn("ou=people2,dc=org").is_within(&dn("ou=people,dc=org")));
    assert_eq!(child.parent_text(), "ou=people,dc=org");
    assert_eq!(dn("").parent_key(), None);
    assert_eq!(dn("dc=org").parent_key(), Some(""));
}

#[test]
fn refuses_what_is_not_a_name() {
    for bad in [
        "x",
        "=x",
        "a b=c",
        "cn=",
        "cn=a,",
        r"cn=a\",
        "cn=#04",
        ",",
        "cn=a,,dc=org",
    ] {
        assert!(Dn::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn only_blanks_that_are_not_escaped_are_dropped() {
    for value in ["\u{2000}Ὗ", "a ", " a", "x\u{a0}"] {
        let name = dn(&format!(" cn={} ", escape_value(value)));
        assert_eq!(name.rdn()[0].1, value.as_bytes(), "{value:?}");
        assert_eq!(dn(&name.to_string()), name, "its own text means the same");
    }
}

proptest! {
    #[test]
    fn never_panics(text in ".{0,80}") {
        let _ = Dn::parse(&text);
    }

    #[test]
    fn escaped_values_come_back(value in "\\PC{1,20}") {
        prop_assume!(!value.trim().is_empty());
        let name = dn(&format!("cn={}", escape_value(&value)));
        prop_assert_eq!(&name.rdn()[0].1, value.as_bytes());
    }
}
