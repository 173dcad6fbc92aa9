//! A report for people: a line for each object, what is wrong with it below, and a sum.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use toolforge_manifest::{Place, ReadError};

use super::{
    judgement::{Found, Judgement, Outcome},
    report::Report,
};
use crate::rules::Origin;

const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BAD: Style = Style::new()
    .bold()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const UNWISE: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
const DIM: Style = Style::new().dimmed();

/// The report as text; colours are taken out where nobody sees them.
pub(super) fn print(
    report: &Report<'_>,
    show: bool,
    origin: &Origin,
    unknown: Option<&str>,
) -> anyhow::Result<String> {
    let mut text = String::new();
    for (file, content) in &report.files {
        match content {
            Ok(judgements) => {
                for judgement in judgements {
                    object(&mut text, file, judgement)?;
                    if show {
                        completed(&mut text, judgement)?;
                    }
                }
            }
            Err(error) => writeln!(text, "{}", unreadable(file, error))?,
        }
    }
    sum(&mut text, report, origin, unknown)?;
    Ok(text)
}

/// The line for a file that cannot be read.
pub(super) fn unreadable(file: &str, error: &ReadError) -> String {
    let file = plain(file);
    let at = match error.place {
        Some(place) => format!("{file}:{}:{}", place.line, place.column),
        None => file,
    };
    format!("{at} {BAD}cannot be read{BAD:#}: {}", plain(&error.problem))
}

fn object(text: &mut String, file: &str, judgement: &Judgement) -> fmt::Result {
    let line = judgement.place.map_or(1, |place| place.line);
    let (style, word) = match judgement.outcome {
        Outcome::Allowed => (GOOD, "allowed"),
        Outcome::Refused => (BAD, "refused"),
        Outcome::NotLookedAt => (UNWISE, "not looked at"),
    };
    let name = match judgement.name.as_str() {
        "" => "(no name)".to_owned(),
        name => plain(name),
    };
    let kind = match judgement.kind.as_str() {
        "" => "(no kind)".to_owned(),
        kind => plain(kind),
    };
    write!(
        text,
        "{}:{line} {kind}/{name} {style}{word}{style:#}",
        plain(file)
    )?;
    match &judgement.reason {
        Some(reason) if judgement.outcome == Outcome::NotLookedAt => writeln!(text, ": {}", plain(reason))?,
        _ => writeln!(text)?,
    }
    for Found { what, place } in &judgement.offences {
        writeln!(text, "  {}{}", on_line(*place), plain(&what.found))?;
        writeln!(text, "    {} {DIM}({}){DIM:#}", plain(&what.sentence), what.rule)?;
        writeln!(text, "    instead: {}", plain(&what.remedy))?;
    }
    for Found { what, place } in &judgement.warnings {
        let place = on_line(*place);
        let (field, words) = (plain(&what.field), plain(&what.text));
        writeln!(
            text,
            "  {place}{UNWISE}warning{UNWISE:#}: {field}: {words} {DIM}({}){DIM:#}",
            what.rule
        )?;
    }
    Ok(())
}

fn completed(text: &mut String, judgement: &Judgement) -> anyhow::Result<()> {
    let yaml = serde_saphyr::to_string(&judgement.completed)?;
    for line in yaml.lines() {
        writeln!(text, "    {DIM}|{DIM:#} {line}")?;
    }
    Ok(())
}

fn sum(text: &mut String, report: &Report<'_>, origin: &Origin, unknown: Option<&str>) -> fmt::Result {
    let objects = report.judged().count();
    let mut parts = Vec::new();
    for (outcome, word) in [
        (Outcome::Allowed, "allowed"),
        (Outcome::Refused, "refused"),
        (Outcome::NotLookedAt, "not looked at"),
    ] {
        match report.count(outcome) {
            0 => {}
            count => parts.push(format!("{count} {word}")),
        }
    }
    let objects = match objects {
        0 => "no objects".to_owned(),
        1 => "1 object".to_owned(),
        more => format!("{more} objects"),
    };
    let parts = if parts.is_empty() {
        String::new()
    } else {
        format!(": {}", parts.join(", "))
    };
    write!(text, "{objects}{parts}")?;
    match report.unreadable().count() {
        0 => {}
        1 => write!(text, "; 1 file cannot be read")?,
        more => write!(text, "; {more} files cannot be read")?,
    }
    let origin = match origin {
        Origin::Defaults => "by the default rules, for want of --policy or --from-platform".to_owned(),
        Origin::File(path) => format!("by {}", plain(&path.display().to_string())),
        Origin::Platform => "by the rules of the platform".to_owned(),
    };
    let unknown = unknown.map(|unknown| format!("; {unknown}")).unwrap_or_default();
    writeln!(text, " {DIM}({origin}{unknown}){DIM:#}")
}

fn on_line(place: Option<Place>) -> String {
    place.map_or_else(String::new, |place| format!("line {}: ", place.line))
}

/// A text from a file without what a terminal takes orders from.
fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let orders = c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let escaped = orders.then(|| c.escape_unicode());
            let as_is = (!orders).then_some(c);
            escaped.into_iter().flatten().chain(as_is)
        })
        .collect()
}
