//! Statuses and reasons: each once, and again when it is another one.

use toolforge_routing::{Lost, ObjectKey, Reception};

use super::{ROUND, Replies, StatusIs, Wanted};

fn key() -> ObjectKey {
    ObjectKey::new("tool-a", "web")
}

/// What is owed: the status, and the word of the reason.
fn owed(replies: &mut Replies, reception: &Reception) -> Option<(Option<Wanted>, Option<&'static str>)> {
    let reply = replies.owed(key(), Some(reception))?;
    Some((reply.status, reply.reason.map(|reason| reason.word)))
}

fn lost() -> Vec<Lost> {
    vec![Lost {
        host: "a.org".to_owned(),
        path: "/".to_owned(),
        to: ObjectKey::new("tool-a", "old"),
    }]
}

#[test]
fn status_is_written_and_withdrawn_once() {
    let mut replies = Replies::default();
    let (served, refused) = (Reception::Routed(Vec::new()), Reception::Refused("no".to_owned()));
    replies.hear(key(), StatusIs::Empty);
    assert_eq!(owed(&mut replies, &served), Some((Some(Wanted::Published), None)));
    assert_eq!(owed(&mut replies, &served), None, "it was asked for");
    replies.hear(key(), StatusIs::Ours);
    assert_eq!(owed(&mut replies, &served), None, "it is there");
    assert_eq!(
        owed(&mut replies, &refused),
        Some((Some(Wanted::Withdrawn), Some("NotServed")))
    );
    assert_eq!(owed(&mut replies, &refused), None, "it was asked for");
    replies.hear(key(), StatusIs::Empty);
    assert_eq!(owed(&mut replies, &refused), None, "it is gone");
    replies.hear(key(), StatusIs::Other);
    assert_eq!(
        owed(&mut replies, &refused),
        Some((Some(Wanted::Withdrawn), None))
    );
}

#[test]
fn reason_is_said_again_only_when_it_is_another_one_or_came_back() {
    let mut replies = Replies::default();
    replies.hear(key(), StatusIs::Empty);
    let refused = |why: &str| Reception::Refused(why.to_owned());
    let said = Some((None, Some("NotServed")));
    assert_eq!(owed(&mut replies, &refused("one")), said);
    replies.hear(key(), StatusIs::Empty);
    assert_eq!(owed(&mut replies, &refused("one")), None);
    assert_eq!(owed(&mut replies, &refused("two")), said);
    assert!(owed(&mut replies, &Reception::Routed(Vec::new())).is_some());
    replies.hear(key(), StatusIs::Ours);
    assert_eq!(
        owed(&mut replies, &Reception::Routed(lost())),
        Some((None, Some("PartlyServed")))
    );
    replies.forget(&key());
    replies.hear(key(), StatusIs::Empty);
    assert_eq!(owed(&mut replies, &refused("two")), said, "it is another Ingress");
}

#[test]
fn whoever_has_the_paths_is_named() {
    let mut replies = Replies::default();
    replies.hear(key(), StatusIs::NoMatter);
    let reply = replies.owed(key(), Some(&Reception::Outdone(lost()))).unwrap();
    assert_eq!(reply.status, None, "nothing is written into statuses");
    let text = reply.reason.unwrap().text;
    assert!(text.contains("a.org/ is that of old in tool-a"), "{text}");
    assert_eq!(replies.owed(key(), Some(&Reception::Foreign)), None);
}

#[test]
fn what_still_stands_is_said_once_in_a_round_and_what_does_not_never() {
    let mut replies = Replies::default();
    let refused = Reception::Refused("no".to_owned());
    let keys: Vec<_> = (0..200)
        .map(|number| ObjectKey::new(format!("tool-{number}"), "web"))
        .collect();
    for key in &keys {
        replies.owed(key.clone(), Some(&refused)).unwrap();
    }
    replies.owed(keys[0].clone(), Some(&Reception::Routed(Vec::new())));
    replies.forget(&keys[1]);
    let turns = (7..7 + ROUND).map(|turn| replies.repeated(turn).collect::<Vec<_>>());
    let turns: Vec<_> = turns.collect();
    assert!(turns.iter().all(|turn| turn.len() < 30), "they are spread");
    let mut said: Vec<_> = turns.into_iter().flatten().map(|reply| reply.key).collect();
    said.sort();
    let mut expected = keys[2..].to_vec();
    expected.sort();
    assert_eq!(said, expected);
}
