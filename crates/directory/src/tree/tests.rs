use ldap3_proto::proto::{LdapAttribute, LdapModify, LdapModifyType, LdapPartialAttribute};

use super::*;
use crate::ldif;

const LDIF: &str = "dn: ou=people,dc=org\nobjectClass: organizationalUnit\nou: people\n\n\
                    dn: uid=ada,ou=people,dc=org\nobjectClass: posixAccount\nuid: ada\nuidNumber: 1000\n";

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

fn load(text: &str) -> Result<Tree, LdifError> {
    Tree::load(
        &dn("dc=org"),
        ldif::read(text.as_bytes()).unwrap(),
        Timestamp::UNIX_EPOCH,
    )
}

fn attribute(name: &str, values: &[&str]) -> LdapAttribute {
    LdapPartialAttribute {
        atype: name.to_owned(),
        vals: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
    }
}

fn apply(tree: &mut Tree, write: &Write) -> Result<Changed, LdapResultCode> {
    tree.apply(write, "cn=admin,dc=org", Timestamp::UNIX_EPOCH)
        .map_err(|refusal| refusal.code)
}

fn add(name: &str, attributes: &[(&str, &[&str])]) -> Write {
    Write::Add {
        dn: dn(name),
        attributes: attributes
            .iter()
            .map(|(name, values)| attribute(name, values))
            .collect(),
    }
}

fn modify(name: &str, operation: LdapModifyType, attribute_name: &str, values: &[&str]) -> Write {
    Write::Modify {
        dn: dn(name),
        changes: vec![LdapModify {
            operation,
            modification: attribute(attribute_name, values),
        }],
    }
}

#[test]
fn the_base_is_made_where_the_file_has_none_and_order_does_not_matter() {
    let reversed = "dn: uid=ada,ou=people,dc=org\nobjectClass: a\nuid: ada\n\ndn: ou=people,dc=org\nobjectClass: b\nou: people\n";
    let tree = load(reversed).unwrap();
    let names: Vec<String> = tree.entries().map(|entry| entry.dn.to_string()).collect();
    assert_eq!(names, ["dc=org", "ou=people,dc=org", "uid=ada,ou=people,dc=org"]);
    assert!(!tree.identity().is_nil());
}

#[test]
fn a_bad_file_is_refused_with_line_and_field() {
    let parentless = load("dn: uid=a,ou=x,dc=org\nobjectClass: a\nuid: a\n").unwrap_err();
    assert_eq!((parentless.line, parentless.field.as_str()), (1, "dn"));
    let number = load(&LDIF.replace("1000", "many")).unwrap_err();
    assert_eq!((number.line, number.field.as_str()), (5, "uidNumber"));
    assert_eq!(
        load("dn: uid=a,dc=org\nobjectClass: a\nuid: b\n")
            .unwrap_err()
            .field,
        "uid"
    );
    assert_eq!(
        load("dn: uid=a,dc=org\nuid: a\n").unwrap_err().field,
        "objectClass"
    );
    assert_eq!(load(&format!("{LDIF}\n{LDIF}")).unwrap_err().line, 10);
    assert_eq!(
        load("dn: uid=a,dc=net\nobjectClass: a\nuid: a\n")
            .unwrap_err()
            .field,
        "dn"
    );
}

#[test]
fn adding_checks_the_parent_the_name_and_the_classes() {
    let mut tree = load(LDIF).unwrap();
    let class: (&str, &[&str]) = ("objectClass", &["account"]);
    let bob = "uid=bob,ou=people,dc=org";
    assert_eq!(
        apply(&mut tree, &add(bob, &[("uid", &["bob"])])).unwrap_err(),
        LdapResultCode::ObjectClassViolation
    );
    assert_eq!(
        apply(&mut tree, &add(bob, &[class])).unwrap_err(),
        LdapResultCode::NamingViolation
    );
    let numbered: [(&str, &[&str]); 3] = [class, ("uid", &["bob"]), ("uidNumber", &["x"])];
    assert_eq!(
        apply(&mut tree, &add(bob, &numbered)).unwrap_err(),
        LdapResultCode::InvalidAttributeSyntax
    );
    let orphan = add("uid=bob,ou=nowhere,dc=org", &[class, ("uid", &["bob"])]);
    assert_eq!(
        apply(&mut tree, &orphan).unwrap_err(),
        LdapResultCode::NoSuchObject
    );
    let good = add(bob, &[class, ("uid", &["bob"])]);
    let changed = apply(&mut tree, &good).unwrap();
    assert_eq!(changed.new.unwrap().text("creatorsName"), Some("cn=admin,dc=org"));
    assert_eq!(
        apply(&mut tree, &good).unwrap_err(),
        LdapResultCode::EntryAlreadyExists
    );
    let forged: [(&str, &[&str]); 3] = [class, ("uid", &["eve"]), ("entryUUID", &["x"])];
    assert_eq!(
        apply(&mut tree, &add("uid=eve,dc=org", &forged)).unwrap_err(),
        LdapResultCode::ConstraintViolation
    );
}

#[test]
fn modifying_adds_deletes_replaces_and_counts() {
    let mut tree = load(LDIF).unwrap();
    let ada = "uid=ada,ou=people,dc=org";
    let before = tree.find(&dn(ada)).unwrap().clone();
    apply(
        &mut tree,
        &modify(ada, LdapModifyType::Add, "mail", &["a@x", "b@x"]),
    )
    .unwrap();
    let again = modify(ada, LdapModifyType::Add, "MAIL", &["A@X"]);
    assert_eq!(
        apply(&mut tree, &again).unwrap_err(),
        LdapResultCode::AttributeOrValueExists
    );
    apply(&mut tree, &modify(ada, LdapModifyType::Delete, "mail", &["a@x"])).unwrap();
    apply(&mut tree, &modify(ada, LdapModifyType::Replace, "cn", &["Ada"])).unwrap();
    apply(
        &mut tree,
        &modify(ada, LdapModifyType::Increment, "uidNumber", &["1"]),
    )
    .unwrap();
    let after = tree.find(&dn(ada)).unwrap();
    assert_eq!(
        (after.text("mail"), after.text("cn"), after.text("uidNumber")),
        (Some("b@x"), Some("Ada"), Some("1001"))
    );
    assert_eq!(after.uuid(), before.uuid());
    assert!(after.csn() > before.csn());
    let name = modify(ada, LdapModifyType::Replace, "uid", &["eve"]);
    assert_eq!(
        apply(&mut tree, &name).unwrap_err(),
        LdapResultCode::NotALlowedOnRDN
    );
    let missing = modify(ada, LdapModifyType::Delete, "title", &[]);
    assert_eq!(
        apply(&mut tree, &missing).unwrap_err(),
        LdapResultCode::NoSuchAttribute
    );
}

#[test]
fn only_leaves_are_deleted_and_removals_are_remembered() {
    let mut tree = load(LDIF).unwrap();
    let start = tree.csn();
    let people = Write::Delete {
        dn: dn("ou=people,dc=org"),
    };
    assert_eq!(
        apply(&mut tree, &people).unwrap_err(),
        LdapResultCode::NotAllowedOnNonLeaf
    );
    let uuid = tree.find(&dn("uid=ada,ou=people,dc=org")).unwrap().uuid();
    apply(
        &mut tree,
        &Write::Delete {
            dn: dn("uid=ada,ou=people,dc=org"),
        },
    )
    .unwrap();
    assert_eq!(tree.removed_since(&start), Some(vec![uuid]));
    assert_eq!(tree.removed_since(&tree.csn()), Some(vec![]));
    assert_eq!(tree.removed_since(""), None);
}

#[test]
fn renaming_moves_a_leaf_and_keeps_its_identity() {
    let mut tree = load(LDIF).unwrap();
    let uuid = tree.find(&dn("uid=ada,ou=people,dc=org")).unwrap().uuid();
    let write = Write::Rename {
        dn: dn("uid=ada,ou=people,dc=org"),
        to: "uid=grace".to_owned(),
        drop_old: true,
        below: Some(dn("dc=org")),
    };
    apply(&mut tree, &write).unwrap();
    let grace = tree.find(&dn("uid=grace,dc=org")).unwrap();
    assert_eq!((grace.uuid(), grace.values("uid").len()), (uuid, 1));
    assert!(tree.find(&dn("uid=ada,ou=people,dc=org")).is_err());
}

#[test]
fn what_is_missing_names_the_nearest_that_exists() {
    let tree = load(LDIF).unwrap();
    assert_eq!(
        tree.find(&dn("uid=x,ou=y,ou=people,dc=org")).unwrap_err().matched,
        "ou=people,dc=org"
    );
}

#[test]
fn change_numbers_survive_a_reload() {
    let tree = load(LDIF).unwrap();
    let again = load(&ldif::write(tree.entries().map(|entry| &**entry))).unwrap();
    assert_eq!(again.csn(), tree.csn());
    assert_eq!(again.identity(), tree.identity());
}
