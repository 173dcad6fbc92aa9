use proptest::prelude::*;

use super::*;

fn record(dn: &str, values: &[(&str, &[&str])]) -> Record {
    let mut record = Record {
        dn: dn.to_owned(),
        ..Record::default()
    };
    for (name, found) in values {
        let found = found.iter().map(|value| (*value).to_owned()).collect();
        record.values.insert((*name).to_owned(), found);
    }
    record
}

fn account(name: &str, uid: &str) -> Record {
    let cn = format!("tools.{name}");
    record(
        &format!("uid={cn}"),
        &[
            ("cn", &[&cn]),
            ("uidnumber", &[uid]),
            ("homedirectory", &["/data/project/x"]),
        ],
    )
}

fn group(name: &str, members: &[&str]) -> Record {
    let cn = format!("tools.{name}");
    let members: Vec<String> = members
        .iter()
        .map(|user| format!("uid={user},ou=people"))
        .collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    record(&format!("cn={cn}"), &[("cn", &[&cn]), ("member", &members)])
}

fn person(user: &str, name: &str) -> Record {
    record(
        &format!("uid={user}"),
        &[
            ("uid", &[user]),
            ("cn", &[name]),
            ("uidnumber", &["1001"]),
            ("gidnumber", &["1001"]),
            ("homedirectory", &["/home/x"]),
        ],
    )
}

#[test]
fn a_change_reaches_what_it_is_about_and_nothing_else() {
    let mut picture = Picture::new("tools");
    picture.put(Kind::Tool, &[1], &account("alpha", "50001"));
    picture.put(Kind::Tool, &[2], &account("beta", "50002"));
    picture.put(Kind::Group, &[3], &group("alpha", &["ada"]));
    picture.put(Kind::Person, &[4], &person("ada", "Ada"));
    assert!(picture.take_changed());
    let beta = picture.snapshot().tools["beta"].clone();
    picture.put(Kind::Person, &[4], &person("ada", "Ada Lovelace"));
    let alpha = picture.snapshot().tools["alpha"].clone().unwrap();
    assert_eq!(alpha.maintainers[0].name, "Ada Lovelace");
    assert_eq!(picture.snapshot().tools["beta"], beta);
    assert!(picture.take_changed());
    picture.put(Kind::Person, &[4], &person("ada", "Ada Lovelace"));
    assert!(!picture.take_changed(), "the same again is no change");
    picture.remove(Kind::Tool, &[9]);
    assert!(!picture.take_changed(), "what is not there cannot go");
    picture.remove_named(Kind::Tool, "UID=tools.beta");
    assert_eq!(picture.snapshot().tools.len(), 1);
}

#[test]
fn two_accounts_of_one_name_are_named_both() {
    let mut picture = Picture::new("tools");
    picture.put(Kind::Tool, &[1], &account("alpha", "50001"));
    let mut second = account("alpha", "50002");
    second.dn = "uid=other".to_owned();
    picture.put(Kind::Tool, &[2], &second);
    let alpha = picture.snapshot().tools.values().next().unwrap();
    let text = alpha.as_ref().unwrap_err().to_string();
    assert!(
        text.contains("uid=other") && text.contains("uid=tools.alpha"),
        "{text}"
    );
    picture.remove(Kind::Tool, &[2]);
    let alpha = picture.snapshot().tools.values().next().unwrap();
    assert_eq!(alpha.as_ref().unwrap().uid, 50001);
}

#[derive(Clone, Debug)]
enum Step {
    Put(Kind, u8, Record),
    Remove(Kind, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let name = prop::sample::select(vec!["alpha", "beta", "a_b", "admin"]);
    let users = prop::sample::subsequence(vec!["ada", "grace", "Bad Name"], 0..3);
    let uid = prop::sample::select(vec!["50001", "0", "50002"]);
    let user = prop::sample::select(vec!["ada", "grace", "Bad Name"]);
    let shown = prop::sample::select(vec!["A", "B"]);
    prop_oneof![
        (0..4_u8, name.clone(), uid).prop_map(|(id, name, uid)| Step::Put(
            Kind::Tool,
            id,
            account(name, uid)
        )),
        (0..4_u8, name, users.clone()).prop_map(|(id, name, users)| Step::Put(
            Kind::Group,
            id,
            group(name, &users)
        )),
        (0..2_u8, users).prop_map(|(id, users)| Step::Put(Kind::Admins, id, group("admin", &users))),
        (0..4_u8, user, shown).prop_map(|(id, user, shown)| Step::Put(Kind::Person, id, person(user, shown))),
        (prop::sample::select(Kind::ALL.to_vec()), 0..4_u8).prop_map(|(kind, id)| Step::Remove(kind, id)),
    ]
}

proptest! {
    /// What was kept change by change is what a reading of the end would have given.
    #[test]
    fn a_picture_that_was_kept_is_the_same_as_one_read_anew(steps in prop::collection::vec(step(), 0..60)) {
        let mut kept = Picture::new("tools");
        let mut there = BTreeMap::new();
        for step in steps {
            match step {
                Step::Put(kind, id, record) => {
                    kept.put(kind, &[id], &record);
                    there.insert((kind, id), record);
                }
                Step::Remove(kind, id) => {
                    kept.remove(kind, &[id]);
                    there.remove(&(kind, id));
                }
            }
        }
        let mut anew = Picture::new("tools");
        for ((kind, id), record) in there.into_iter().rev() {
            anew.put(kind, &[id], &record);
        }
        prop_assert_eq!(kept.snapshot(), anew.snapshot());
    }
}
