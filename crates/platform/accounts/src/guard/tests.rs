use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    most: 3,
    most_percent: 50,
    window: Duration::from_hours(1),
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn tools(names: &[u8]) -> BTreeSet<Account> {
    names
        .iter()
        .map(|name| Account::Tool(format!("t{name}").parse().unwrap()))
        .collect()
}

fn facts(known: usize, missing: &[u8]) -> Facts {
    Facts {
        known,
        missing: tools(missing),
        ..Facts::default()
    }
}

#[test]
fn a_few_go_at_once_and_more_wait() {
    let few = judge(&Ledger::default(), &facts(20, &[1, 2]), &LIMITS, at(0));
    assert_eq!((few.going.len(), &few.waiting), (2, &None));
    let many = judge(&Ledger::default(), &facts(20, &[1, 2, 3, 4]), &LIMITS, at(0));
    assert_eq!(many.going.len(), 0, "none of them, not the first three");
    assert_eq!(many.waiting.unwrap().accounts.len(), 4);
}

#[test]
fn the_share_counts_too_and_one_may_always_go() {
    assert_eq!(LIMITS.allowed(4), 2);
    assert_eq!(LIMITS.allowed(1), 1);
    assert_eq!(LIMITS.allowed(5000), 3);
}

#[test]
fn drop_by_drop_is_counted_together_until_the_window_is_over() {
    let mut ledger = Ledger::default();
    for name in 1..=3 {
        ledger = judge(&ledger, &facts(20, &[name]), &LIMITS, at(i64::from(name)));
        assert_eq!(ledger.going, tools(&[name]));
    }
    let fourth = judge(&ledger, &facts(20, &[4]), &LIMITS, at(4));
    assert!(fourth.waiting.is_some());
    let later = judge(&ledger, &facts(20, &[4]), &LIMITS, at(3700));
    assert_eq!(later.going, tools(&[4]));
}

#[test]
fn an_empty_answer_removes_nothing_however_small_the_platform() {
    let mut all = facts(1, &[1]);
    all.emptied = true;
    let judged = judge(&Ledger::default(), &all, &LIMITS, at(0));
    assert!(judged.going.is_empty() && judged.waiting.is_some());
}

#[test]
fn an_approval_is_of_exactly_one_set() {
    let waiting = judge(&Ledger::default(), &facts(20, &[1, 2, 3, 4]), &LIMITS, at(0));
    let digest = waiting.waiting.as_ref().unwrap().digest();
    let mut more = facts(20, &[1, 2, 3, 4, 5]);
    more.approved = Some(digest.clone());
    let judged = judge(&waiting, &more, &LIMITS, at(1));
    assert!(judged.going.is_empty(), "another set");
    let mut same = facts(20, &[1, 2, 3, 4]);
    same.approved = Some(digest.clone());
    assert_eq!(judge(&waiting, &same, &LIMITS, at(1)).going.len(), 4);
    let again = judge(&judged, &same, &LIMITS, at(2));
    assert!(again.going.is_empty(), "the same set at another time");
    assert_ne!(again.waiting.unwrap().digest(), digest);
}

#[test]
fn what_comes_back_loses_its_approval() {
    let waiting = judge(&Ledger::default(), &facts(20, &[1, 2, 3, 4]), &LIMITS, at(0));
    let mut approved = facts(20, &[1, 2, 3, 4]);
    approved.approved = waiting.waiting.as_ref().map(Waiting::digest);
    let going = judge(&waiting, &approved, &LIMITS, at(1));
    let back = judge(&going, &facts(20, &[1, 2]), &LIMITS, at(2));
    assert_eq!(back.going, tools(&[1, 2]));
}

#[test]
fn the_ledger_survives_being_written_down() {
    let mut ledger = judge(&Ledger::default(), &facts(20, &[1, 2, 3, 4]), &LIMITS, at(0));
    ledger.going.insert(Account::Admin("ada".to_owned()));
    ledger.recent.insert(Account::Admin("ada".to_owned()), at(3));
    let text = serde_json::to_string(&ledger).unwrap();
    assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
}

#[derive(Clone, Debug)]
enum Step {
    /// The directory answers with these accounts.
    Answer(BTreeSet<u8>),
    /// An operator approves what waits.
    Approve,
    /// An operator approves something old.
    ApproveOld,
    /// What may go is removed.
    Execute,
    Wait(i64),
}

fn histories() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => proptest::collection::btree_set(0..12_u8, 0..12).prop_map(Step::Answer),
        1 => Just(Step::Approve),
        1 => Just(Step::ApproveOld),
        3 => Just(Step::Execute),
        1 => (1..5000_i64).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..50)
}

proptest! {
    /// Whatever the directory answers in whatever order: what goes without an approval stays below the limit in any
    /// window, an empty answer removes nothing, and the rest was approved by its exact name.
    #[test]
    fn random_histories_never_remove_without_approval(steps in histories()) {
        let mut cluster: BTreeSet<u8> = (0..12).collect();
        let (mut ledger, mut now) = (Ledger::default(), 0);
        let (mut approved, mut old) = (None::<String>, None::<String>);
        // One that goes, comes back and goes again is one account.
        let mut unapproved: BTreeMap<Account, i64> = BTreeMap::new();
        let mut answer: BTreeSet<u8> = cluster.clone();
        for step in steps {
            now += 1;
            match step {
                Step::Answer(new) => answer = new,
                Step::Approve => {
                    approved = ledger.waiting.as_ref().map(Waiting::digest);
                    old = approved.clone().or(old);
                }
                Step::ApproveOld => approved.clone_from(&old),
                Step::Execute => cluster.retain(|name| !ledger.going.contains(tools(&[*name]).first().unwrap())),
                Step::Wait(seconds) => now += seconds,
            }
            let missing: Vec<u8> = cluster.difference(&answer).copied().collect();
            let facts = Facts {
                known: cluster.len(),
                missing: tools(&missing),
                emptied: answer.is_empty() && !cluster.is_empty(),
                approved: approved.clone(),
            };
            let before = ledger.clone();
            ledger = judge(&before, &facts, &LIMITS, at(now));
            let fresh: Vec<&Account> = ledger.going.difference(&before.going).collect();
            let by_approval = before.waiting.as_ref().is_some_and(|waiting| {
                approved.as_ref() == Some(&waiting.digest()) && fresh.iter().all(|account| waiting.accounts.contains(account))
            });
            if !by_approval {
                prop_assert!(fresh.is_empty() || !facts.emptied, "believed an empty answer");
                unapproved.extend(fresh.into_iter().map(|account| (account.clone(), now)));
            }
            let in_window = unapproved.values().filter(|at| now - **at < 3600).count();
            prop_assert!(in_window <= LIMITS.most, "{in_window} went within an hour");
            for account in &ledger.going {
                prop_assert!(facts.missing.contains(account), "goes though it is there");
            }
        }
    }
}
