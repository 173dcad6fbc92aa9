//! Small charts, drawn here: a browser needs nothing for them, and a screen reader is told what they say.

use std::fmt::Write as _;

use crate::board::text::count;
use crate::board::traffic::{BUCKETS, Bucket};

/// Height of the chart, in units of which a bar is 4 wide.
const HEIGHT: u64 = 48;

/// Requests and errors over a day, as SVG; nothing when there were none.
pub(crate) fn day(day: &[Bucket]) -> Option<String> {
    let requests: u64 = day.iter().map(|bar| bar.requests).sum();
    let errors: u64 = day.iter().map(|bar| bar.errors).sum();
    let most = day
        .iter()
        .map(|bar| bar.requests)
        .max()
        .filter(|most| *most > 0)?;
    let says = format!(
        "{} requests in the last 24 hours, {} of them answered with an error of the server; at most {} in 10 minutes",
        count(requests),
        count(errors),
        count(most)
    );
    let mut svg = open(&says);
    for (at, bucket) in day.iter().enumerate().filter(|(_, bar)| bar.requests > 0) {
        // What there is can be seen, however little it is.
        let height = |count: u64| (count * HEIGHT / most).max(u64::from(count > 0));
        bar(&mut svg, "", at, height(bucket.requests));
        if bucket.errors > 0 {
            bar(&mut svg, " class=\"wrong\"", at, height(bucket.errors));
        }
    }
    svg.push_str("</svg>");
    Some(svg)
}

/// How much of a total was in use over a day, as SVG; nothing when nobody measured. `what` is that of which there is a total.
pub(crate) fn level(what: &str, day: &[Option<i64>], total: i64) -> Option<String> {
    let percent = |used: i64| used.saturating_mul(100) / total;
    let known: Vec<i64> = day.iter().flatten().copied().collect();
    let most = known.iter().max().filter(|_| total > 0)?;
    let mean = known.iter().sum::<i64>() / i64::try_from(known.len()).ok()?;
    let mut svg = open(&format!(
        "{what} in use over the last 24 hours: {}% at the mean, {}% at most",
        percent(mean),
        percent(*most)
    ));
    for (at, used) in day.iter().enumerate() {
        if let Some(used) = used.filter(|used| *used > 0) {
            let height = (u64::try_from(percent(used)).unwrap_or(0) * HEIGHT / 100).clamp(1, HEIGHT);
            bar(&mut svg, "", at, height);
        }
    }
    svg.push_str("</svg>");
    Some(svg)
}

fn open(says: &str) -> String {
    format!(
        "<svg class=\"chart\" role=\"img\" aria-label=\"{says}\" viewBox=\"0 0 {} {HEIGHT}\" preserveAspectRatio=\"none\">",
        BUCKETS * 4
    )
}

/// The bar at a place, up from the ground.
fn bar(svg: &mut String, class: &str, at: usize, height: u64) {
    let _ = write!(
        svg,
        "<rect{class} x=\"{}\" y=\"{}\" width=\"3\" height=\"{height}\"/>",
        at * 4,
        HEIGHT - height
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let mut bars = vec![Bucket::default(); 144];
        assert_eq!(day(&bars), None);
        bars[3].requests = 2000;
        bars[143] = Bucket {
            start: 0,
            requests: 10,
            errors: 1,
        };
        let svg = day(&bars).unwrap();
        assert!(
            svg.contains("2,010 requests in the last 24 hours, 1 of them"),
            "{svg}"
        );
        assert_eq!(svg.matches("<rect x=").count(), 2);
        assert_eq!(svg.matches("class=\"wrong\"").count(), 1);
    }

    #[test]
    fn a_level_is_drawn_against_what_there_is() {
        let mut day = vec![None; 144];
        assert_eq!(level("CPU", &day, 2000), None);
        (day[5], day[6], day[7]) = (Some(0), Some(500), Some(4000));
        assert_eq!(level("CPU", &day, 0), None, "a share of nothing");
        let svg = level("CPU", &day, 2000).unwrap();
        assert!(
            svg.contains("CPU in use over the last 24 hours: 75% at the mean, 200% at most"),
            "{svg}"
        );
        assert!(
            svg.contains("<rect x=\"24\" y=\"36\" width=\"3\" height=\"12\"/>"),
            "{svg}"
        );
        assert!(
            svg.contains("<rect x=\"28\" y=\"0\" width=\"3\" height=\"48\"/>"),
            "{svg}"
        );
        assert_eq!(svg.matches("<rect").count(), 2);
    }
}
