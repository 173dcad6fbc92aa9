//! One of the five fields of a schedule, as a set of numbers.

/// What a field may hold.
pub(super) struct Bounds {
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

pub(super) const MINUTES: Bounds = Bounds::numbers(0, 59);
pub(super) const HOURS: Bounds = Bounds::numbers(0, 23);
pub(super) const DAYS_OF_MONTH: Bounds = Bounds::numbers(1, 31);
pub(super) const MONTHS: Bounds = Bounds {
    least: 1,
    most: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
pub(super) const DAYS_OF_WEEK: Bounds = Bounds {
    least: 0,
    most: 6,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

impl Bounds {
    const fn numbers(least: u32, most: u32) -> Self {
        Self {
            least,
            most,
            names: &[],
        }
    }
}

/// The numbers of a field, a bit each, and whether it was left open with a star.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Field {
    bits: u64,
    open: bool,
}

impl Field {
    /// Reads a list of ranges.
    pub(super) fn parse(text: &str, bounds: &Bounds) -> Result<Self, String> {
        let mut field = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let range = range(part, bounds)?;
            field.bits |= range.bits;
            field.open |= range.open;
        }
        Ok(field)
    }

    /// Whether `number` is one of the field's.
    pub(super) fn has(self, number: i8) -> bool {
        u32::try_from(number).is_ok_and(|number| self.bits & (1 << number) != 0)
    }

    /// Whether everything is meant.
    pub(super) fn is_open(self) -> bool {
        self.open
    }
}

/// `*`, `5`, `1-5`, each with a step or without.
fn range(part: &str, bounds: &Bounds) -> Result<Field, String> {
    let (span, step) = match part.split_once('/') {
        Some((_, step)) if step.contains('/') => return Err(format!("too many slashes: {part}")),
        Some((span, step)) => (span, Some(step)),
        None => (part, None),
    };
    let star = matches!(span, "*" | "?");
    let (from, mut to) = match span.split_once('-') {
        _ if star => (bounds.least, bounds.most),
        Some((_, to)) if to.contains('-') => return Err(format!("too many hyphens: {part}")),
        Some((from, to)) => (number(from, bounds)?, number(to, bounds)?),
        None => (number(span, bounds)?, number(span, bounds)?),
    };
    let step = step.map_or(Ok(1), integer)?;
    if part.contains('/') && !star && !span.contains('-') {
        // "5/10" is "from 5 on, every 10".
        to = bounds.most;
    }
    check(part, bounds, from, to, step)?;
    let numbers = (from..=to).step_by(usize::try_from(step).unwrap_or(usize::MAX));
    Ok(Field {
        bits: numbers.fold(0, |bits, number| bits | 1 << number),
        open: star && step == 1,
    })
}

fn check(part: &str, bounds: &Bounds, from: u32, to: u32, step: u32) -> Result<(), String> {
    let Bounds { least, most, .. } = bounds;
    if from < *least {
        return Err(format!(
            "beginning of range ({from}) below minimum ({least}): {part}"
        ));
    }
    if to > *most {
        return Err(format!("end of range ({to}) above maximum ({most}): {part}"));
    }
    if from > to {
        return Err(format!(
            "beginning of range ({from}) beyond end of range ({to}): {part}"
        ));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {part}"));
    }
    Ok(())
}

fn number(text: &str, bounds: &Bounds) -> Result<u32, String> {
    let lower = text.to_lowercase();
    match bounds.names.iter().position(|name| *name == lower) {
        Some(index) => Ok(bounds.least + u32::try_from(index).unwrap_or_default()),
        None => integer(text),
    }
}

fn integer(text: &str) -> Result<u32, String> {
    match text.parse::<i64>() {
        Ok(number) if number < 0 => Err(format!("negative number ({number}) not allowed: {text}")),
        Ok(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        Err(_) => Err(format!(
            "failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"
        )),
    }
}
