//! The last line of what would be done.

use super::*;

fn plan(name: &str, stands: Stands, steps: Vec<Step>, problem: Option<&str>) -> AccountPlan {
    AccountPlan {
        steps,
        problem: problem.map(str::to_owned),
        ..AccountPlan::new(&Account::Admin(name.to_owned()), stands)
    }
}

fn last_line(accounts: Vec<AccountPlan>) -> String {
    let text = DryRun { accounts }.to_string();
    text.lines().last().unwrap().to_owned()
}

fn write() -> Vec<Step> {
    vec![Step::file(Verb::Write, PathBuf::from("/home/ada/.kube/config"))]
}

#[test]
fn there_is_nothing_to_do_only_when_nothing_is_wrong_either() {
    assert_eq!(last_line(Vec::new()), "nothing to do");
    let refused = plan(
        "ada",
        Stands::Active,
        Vec::new(),
        Some("the home is somebody else's"),
    );
    assert_eq!(
        last_line(vec![refused.clone()]),
        "nothing would be done; 1 account has a problem, as is said above"
    );
    let left = Step::file(Verb::Leave, PathBuf::from("/home/bob/.kube/config"));
    let left = plan("bob", Stands::Active, vec![left], None);
    assert_eq!(
        last_line(vec![refused, left]),
        "nothing would be done; 2 accounts have a problem, as is said above"
    );
}

#[test]
fn what_would_be_done_is_counted_with_what_is_wrong() {
    let written = plan("ada", Stands::Active, write(), None);
    assert_eq!(
        last_line(vec![written.clone()]),
        "1 account, of which 0 would be removed and 0 would wait for an approval; nothing has been changed"
    );
    let accounts = vec![
        written,
        plan("bob", Stands::Held, write(), None),
        plan("cy", Stands::Gone, write(), Some("its home does not answer")),
        plan("dee", Stands::Active, Vec::new(), Some("the API refuses")),
    ];
    assert_eq!(
        last_line(accounts),
        "3 accounts, of which 1 would be removed and 1 would wait for an approval; 2 accounts have a problem; \
         nothing has been changed"
    );
}
