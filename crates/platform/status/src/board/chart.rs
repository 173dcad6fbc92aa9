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
    let mut svg = format!(
        "<svg class=\"chart\" role=\"img\" aria-label=\"{says}\" viewBox=\"0 0 {} {HEIGHT}\" preserveAspectRatio=\"none\">",
        BUCKETS * 4
    );
    for (at, bar) in day.iter().enumerate().filter(|(_, bar)| bar.requests > 0) {
        // What there is can be seen, however little it is.
        let height = |count: u64| (count * HEIGHT / most).max(u64::from(count > 0));
        let (whole, wrong) = (height(bar.requests), height(bar.errors));
        let _ = write!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"3\" height=\"{whole}\"/>",
            at * 4,
            HEIGHT - whole
        );
        if wrong > 0 {
            let _ = write!(
                svg,
                "<rect class=\"wrong\" x=\"{}\" y=\"{}\" width=\"3\" height=\"{wrong}\"/>",
                at * 4,
                HEIGHT - wrong
            );
        }
    }
    svg.push_str("</svg>");
    Some(svg)
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
}
