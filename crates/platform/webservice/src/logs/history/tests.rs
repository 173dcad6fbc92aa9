use super::*;
use crate::logs::paint;

fn source(pod: &str, lines: &[&str]) -> Source {
    let lines: Vec<_> = lines.iter().map(|line| Ok(Line::of(line.as_bytes()))).collect();
    Source {
        pod: pod.to_owned(),
        lines: Box::pin(futures::stream::iter(lines)),
        next: None,
        time: Timestamp::MIN,
    }
}

async fn merged(last: Option<u32>) -> String {
    let sources = vec![
        source(
            "a",
            &[
                "2026-01-01T00:00:01.5Z first",
                "Traceback",
                "2026-01-01T00:00:03Z fourth",
            ],
        ),
        source(
            "b",
            &["2026-01-01T00:00:01.25Z zeroth", "2026-01-01T00:00:02Z third"],
        ),
        source("silent", &[]),
    ];
    let mut printer = paint::tests::plain();
    merge(sources, last, &mut printer).await.unwrap();
    let messages: Vec<String> = paint::tests::text(printer)
        .lines()
        .filter_map(|line| Some(line.rsplit_once(' ')?.1.to_owned()))
        .collect();
    messages.join(" ")
}

#[tokio::test]
async fn lines_of_all_pods_stand_in_the_order_of_time() {
    assert_eq!(merged(None).await, "zeroth first Traceback third fourth");
}

#[tokio::test]
async fn the_last_lines_are_those_of_all_pods_together() {
    assert_eq!(merged(Some(2)).await, "third fourth");
    assert_eq!(merged(Some(0)).await, "");
    assert_eq!(merged(Some(99)).await, "zeroth first Traceback third fourth");
}

#[test]
fn what_has_been_shown_is_known_when_it_comes_again() {
    let line = |second: u8, text: &str| Line::of(format!("2026-01-01T00:00:0{second}Z {text}").as_bytes());
    let mut cursor = Cursor::default();
    let mut new = |lines: &[Line]| -> Vec<bool> {
        cursor.again();
        lines.iter().map(|line| cursor.is_new(line)).collect()
    };
    let first = [line(1, "a"), line(2, "b"), line(2, "c")];
    assert_eq!(new(&first), [true; 3]);
    assert_eq!(new(&first), [false; 3]);
    let more = [line(2, "b"), line(2, "c"), line(2, "d"), line(3, "e")];
    assert_eq!(new(&more), [false, false, true, true]);
    assert_eq!(new(&more), [false; 4]);
}
