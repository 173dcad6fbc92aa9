//! Reads quantities from text; called through `FromStr` only.

use std::str::FromStr;

use super::{BINARY, DECIMAL, Format, LARGEST, NANOS, Quantity, QuantityError};

/// More digits than this before the point (in billionths) are beyond the largest amount anyway.
const MOST_DIGITS: i64 = 30;

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = unsigned
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(QuantityError);
        }
        let (format, nanos) = if let Some(power) = BINARY.iter().skip(1).position(|s| *s == suffix) {
            (Format::Binary, binary_nanos(whole, fraction, power + 1))
        } else {
            let (format, exponent) = decimal_suffix(suffix)?;
            (format, decimal_nanos(whole, fraction, exponent))
        };
        let nanos = nanos.min(LARGEST);
        Ok(Self {
            nanos: if negative { -nanos } else { nanos },
            format,
        })
    }
}

/// The power of ten that a decimal suffix or exponent stands for.
fn decimal_suffix(suffix: &str) -> Result<(Format, i64), QuantityError> {
    if let Some(power) = DECIMAL
        .iter()
        .zip((-9..).step_by(3))
        .find_map(|(s, power)| (*s == suffix).then_some(power))
    {
        return Ok((Format::Decimal, power));
    }
    let exponent = suffix.strip_prefix(['e', 'E']).ok_or(QuantityError)?;
    // 32 bits are what Kubernetes keeps, and enough to be astronomically large or small.
    let exponent: i32 = exponent.parse().map_err(|_| QuantityError)?;
    Ok((Format::Exponent, i64::from(exponent)))
}

/// `whole.fraction` times ten to the exponent, in billionths, rounded up.
fn decimal_nanos(whole: &str, fraction: &str, exponent: i64) -> i128 {
    let whole = whole.trim_start_matches('0');
    let digits = || whole.bytes().chain(fraction.bytes());
    let leading_zeros = if whole.is_empty() {
        fraction.bytes().take_while(|b| *b == b'0').count()
    } else {
        0
    };
    let digits = digits().skip(leading_zeros);
    let point = length(whole) - length_of(leading_zeros);
    // How many digits stand before the point once the amount is in billionths.
    let kept = point.saturating_add(exponent).saturating_add(9);
    let mut amount: i128 = 0;
    let mut taken: i64 = 0;
    let mut rest = false;
    for digit in digits {
        if taken < kept {
            if taken >= MOST_DIGITS {
                return LARGEST;
            }
            amount = amount * 10 + i128::from(digit - b'0');
            taken += 1;
        } else if digit != b'0' {
            rest = true;
        }
    }
    while taken < kept && amount != 0 {
        if taken >= MOST_DIGITS {
            return LARGEST;
        }
        amount *= 10;
        taken += 1;
    }
    amount + i128::from(rest)
}

/// `whole.fraction` times 1024 to the power, in billionths, rounded up.
fn binary_nanos(whole: &str, fraction: &str, power: usize) -> i128 {
    let unit = (0..power).fold(NANOS, |unit, _| unit * 1024);
    let mut units: i128 = 0;
    for digit in whole.bytes() {
        units = units * 10 + i128::from(digit - b'0');
        if units > LARGEST / unit {
            return LARGEST;
        }
    }
    // From the last digit to the first, so that nothing grows beyond ten units.
    let (part, rest) = fraction.bytes().rev().fold((0, false), |(part, rest), digit| {
        let sum = part + i128::from(digit - b'0') * unit;
        (sum / 10, rest || sum % 10 != 0)
    });
    units * unit + part + i128::from(rest)
}

fn length(text: &str) -> i64 {
    length_of(text.len())
}

fn length_of(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
