//! The text that says when a `CronJob` starts: five fields, or one of the words with an `@`.

/// Why a schedule cannot be read, in the words of the parser that Kubernetes uses.
pub(super) fn schedule_error(schedule: &str) -> Option<String> {
    if let Some(word) = schedule.strip_prefix('@') {
        return word_error(word, schedule);
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let count = fields.len();
        return Some(format!(
            "expected exactly 5 fields, found {count}: [{}]",
            fields.join(" ")
        ));
    }
    fields
        .iter()
        .zip(FIELDS)
        .find_map(|(text, field)| field_error(text, field))
}

fn word_error(word: &str, schedule: &str) -> Option<String> {
    let known = [
        "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly",
    ];
    let every = word.strip_prefix("every ").is_some_and(|duration| {
        !duration.is_empty() && duration.starts_with(|first: char| first.is_ascii_digit())
    });
    (!known.contains(&word) && !every).then(|| format!("unrecognized descriptor: {schedule}"))
}

struct Field {
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const FIELDS: &[Field] = &[
    Field {
        least: 0,
        most: 59,
        names: &[],
    },
    Field {
        least: 0,
        most: 23,
        names: &[],
    },
    Field {
        least: 1,
        most: 31,
        names: &[],
    },
    Field {
        least: 1,
        most: 12,
        names: MONTHS,
    },
    Field {
        least: 0,
        most: 6,
        names: DAYS,
    },
];

fn field_error(text: &str, field: &Field) -> Option<String> {
    text.split(',').find_map(|part| range_error(part, field).err())
}

fn range_error(part: &str, field: &Field) -> Result<(), String> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    if let Some(step) = step {
        let step: u32 = step
            .parse()
            .map_err(|_| format!("failed to parse int from {step}"))?;
        if step == 0 {
            return Err(format!("step of range should be a positive number: {part}"));
        }
    }
    if range == "*" || range == "?" {
        return Ok(());
    }
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    let (from, to) = (number(from, field)?, number(to, field)?);
    if from < field.least {
        return Err(format!(
            "beginning of range ({from}) below minimum ({}): {part}",
            field.least
        ));
    }
    if to > field.most {
        return Err(format!(
            "end of range ({to}) above maximum ({}): {part}",
            field.most
        ));
    }
    if from > to {
        return Err(format!(
            "beginning of range ({from}) beyond end of range ({to}): {part}"
        ));
    }
    Ok(())
}

fn number(text: &str, field: &Field) -> Result<u32, String> {
    let lower = text.to_lowercase();
    if let Some(index) = field.names.iter().position(|name| *name == lower) {
        return Ok(field.least + u32::try_from(index).unwrap_or_default());
    }
    text.parse()
        .map_err(|_| format!("failed to parse int from {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cron_reads() {
        for schedule in [
            "* * * * *",
            "*/5 0-23 1,15 jan-MAR mon",
            "@daily",
            "@every 1h",
            "0 0 ? * 0",
        ] {
            assert_eq!(schedule_error(schedule), None, "{schedule}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let cases = [
            ("* * *", "expected exactly 5 fields, found 3: [* * *]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("a * * * *", "failed to parse int from a"),
            (
                "5-1 * * * *",
                "beginning of range (5) beyond end of range (1): 5-1",
            ),
            ("@often", "unrecognized descriptor: @often"),
        ];
        for (schedule, expected) in cases {
            assert_eq!(schedule_error(schedule).as_deref(), Some(expected));
        }
    }
}
