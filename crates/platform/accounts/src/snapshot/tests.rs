use super::*;
use crate::picture::{Kind, Picture};

/// The snapshot of these entries; the group of the admins is among the groups.
fn assemble(project: &str, accounts: &[Record], groups: &[Record], people: &[Record]) -> Snapshot {
    let mut picture = Picture::new(project);
    let admin = format!("{project}.admin");
    let admins = groups
        .iter()
        .filter(|group| group.first("cn") == Some(&admin))
        .cloned()
        .collect::<Vec<_>>();
    for (kind, records) in [
        (Kind::Tool, accounts),
        (Kind::Group, groups),
        (Kind::Admins, &admins),
        (Kind::Person, people),
    ] {
        for (at, record) in records.iter().enumerate() {
            picture.put(kind, &at.to_be_bytes(), record);
        }
    }
    picture.snapshot().clone()
}

fn record(dn: &str, values: &[(&str, &str)]) -> Record {
    let mut record = Record {
        dn: dn.to_owned(),
        ..Record::default()
    };
    for (name, value) in values {
        record
            .values
            .entry((*name).to_owned())
            .or_default()
            .push((*value).to_owned());
    }
    record
}

fn account(name: &str, uid: &str, home: &str) -> Record {
    let cn = format!("tools.{name}");
    record(
        &format!("uid={cn},ou=people"),
        &[("cn", &cn), ("uidnumber", uid), ("homedirectory", home)],
    )
}

fn person(uid: &str, name: &str) -> Record {
    let home = format!("/home/{uid}");
    let values = [
        ("uid", uid),
        ("cn", name),
        ("uidnumber", "1001"),
        ("gidnumber", "1001"),
        ("homedirectory", &home),
    ];
    record(&format!("uid={uid},ou=people"), &values)
}

fn group(name: &str, members: &[&str]) -> Record {
    let mut group = record("", &[("cn", &format!("tools.{name}"))]);
    group.values.insert(
        "member".to_owned(),
        members
            .iter()
            .map(|uid| format!("uid={uid},ou=people,dc=org"))
            .collect(),
    );
    group
}

#[test]
fn tools_have_their_maintainers_with_their_names() {
    let found = assemble(
        "tools",
        &[account("alpha", "50001", "/data/project/alpha")],
        &[group("alpha", &["grace", "ada", "gone"])],
        &[person("ada", "Ada Lovelace"), person("grace", "Grace Hopper")],
    );
    let alpha = found.tools.values().next().unwrap().as_ref().unwrap();
    assert_eq!(
        (alpha.uid, alpha.home.to_str()),
        (50001, Some("/data/project/alpha"))
    );
    let names: Vec<&str> = alpha
        .maintainers
        .iter()
        .map(|maintainer| maintainer.name.as_str())
        .collect();
    assert_eq!(names, ["Ada Lovelace", "gone", "Grace Hopper"]);
}

#[test]
fn names_that_no_namespace_can_have_are_skipped_and_others_are_not() {
    let long = "a".repeat(54);
    let accounts: Vec<Record> = ["a_b", "A", "a.b", &long, "good"]
        .iter()
        .map(|name| account(name, "50001", "/data/project/x"))
        .collect();
    let found = assemble("tools", &accounts, &[], &[]);
    assert_eq!(found.tools.len(), 1);
    assert_eq!(found.skipped.len(), 4);
}

#[test]
fn an_unusable_account_says_which_attribute_and_which_rule() {
    for (uid, home, attribute) in [
        ("0", "/x", "uidNumber"),
        ("many", "/x", "uidNumber"),
        ("5", "x", "homeDirectory"),
    ] {
        let found = assemble("tools", &[account("alpha", uid, home)], &[], &[]);
        let error = found.tools.values().next().unwrap().clone().unwrap_err();
        assert_eq!(error.attribute, attribute);
        assert!(error.to_string().contains("uid=tools.alpha,ou=people"), "{error}");
    }
}

#[test]
fn admins_are_the_members_of_the_admin_group_that_exist() {
    let found = assemble(
        "tools",
        &[],
        &[group("admin", &["ada", "gone"])],
        &[person("ada", "Ada")],
    );
    assert_eq!(found.admins.keys().collect::<Vec<_>>(), ["ada"]);
}

#[test]
fn either_attribute_of_a_password_policy_locks_an_account() {
    let mut records = [
        account("open", "50001", "/x"),
        account("since", "50002", "/x"),
        account("policy", "50003", "/x"),
    ];
    records[1].values.insert(
        "pwdaccountlockedtime".to_owned(),
        vec!["000001010000Z".to_owned()],
    );
    records[2].values.insert(
        "pwdpolicysubentry".to_owned(),
        vec!["cn=disabled,ou=ppolicies".to_owned()],
    );
    let found = assemble("tools", &records, &[], &[]);
    let locked: Vec<bool> = found
        .tools
        .values()
        .map(|tool| tool.as_ref().unwrap().locked)
        .collect();
    assert_eq!(locked, [false, true, true], "in the order open, policy, since");
}

#[test]
fn accounts_of_other_projects_are_not_ours() {
    let mut other = account("alpha", "50001", "/x");
    other
        .values
        .insert("cn".to_owned(), vec!["toolsbeta.alpha".to_owned()]);
    assert_eq!(assemble("tools", &[other], &[], &[]), Snapshot::default());
}

#[test]
fn names_of_members_are_read_as_names() {
    assert_eq!(user_of("UID=ada,ou=people").as_deref(), Some("ada"));
    assert_eq!(user_of(r"uid=a\,b,ou=people").as_deref(), Some("a,b"));
    assert_eq!(user_of("cn=ada,ou=people"), None);
    assert_eq!(user_of("uid=,ou=people"), None);
    assert_eq!(user_of("nonsense"), None);
}
