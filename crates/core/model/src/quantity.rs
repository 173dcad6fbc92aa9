//! Kubernetes' quantities: `500m`, `1.5Gi`, `2e3`; exact, and printed as Kubernetes prints them.
//!
//! The grammar, the rounding and the canonical form are those of apimachinery's `resource.Quantity`: amounts finer
//! than one billionth are rounded away from zero, amounts beyond 2^63-1 are cut to it.

mod parse;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Add, AddAssign, Sub, SubAssign};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Billionths in one unit.
const NANOS: i128 = 1_000_000_000;
/// The largest amount that can be written, in billionths.
const LARGEST: i128 = i64::MAX as i128 * NANOS;
/// Binary suffixes for powers of 1024.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// Decimal suffixes for powers of 1000, from -3.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

/// How a quantity was written, and so how it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Decimal,
    Binary,
    Exponent,
}

/// An exact amount of a resource. Two quantities are equal when their amounts are, however they are written.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "quantity is not a number with one of the suffixes n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or an exponent"
)]
pub struct QuantityError;

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self {
        nanos: 0,
        format: Format::Decimal,
    };

    /// Whether it is the same amount and also printed the same.
    pub fn is_identical(self, other: Self) -> bool {
        self.nanos == other.nanos && self.format == other.format
    }

    /// An amount in whole units (CPUs, objects).
    pub fn from_units(units: i64) -> Self {
        Self {
            nanos: i128::from(units) * NANOS,
            format: Format::Decimal,
        }
    }

    /// An amount in thousandths (millicores).
    pub fn from_millis(millis: i64) -> Self {
        Self {
            nanos: i128::from(millis) * (NANOS / 1000),
            format: Format::Decimal,
        }
    }

    /// An amount of bytes, printed with binary suffixes.
    pub fn from_bytes(bytes: i64) -> Self {
        Self {
            nanos: i128::from(bytes) * NANOS,
            format: Format::Binary,
        }
    }

    /// The amount in billionths.
    pub fn nanos(self) -> i128 {
        self.nanos
    }

    /// The amount in thousandths, rounded up.
    pub fn millis(self) -> i128 {
        ceiling(self.nanos, NANOS / 1000)
    }

    /// The amount in whole units (CPUs, bytes, objects), rounded up.
    pub fn units(self) -> i128 {
        ceiling(self.nanos, NANOS)
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// As Kubernetes does it: a sum with nothing is written like the other side.
    fn plus(self, other: Self, sign: i128) -> Self {
        let format = if self.is_zero() { other.format } else { self.format };
        Self {
            nanos: self.nanos.saturating_add(sign * other.nanos),
            format,
        }
    }
}

impl Default for Quantity {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.plus(other, 1)
    }
}

impl Sub for Quantity {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.plus(other, -1)
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Quantity {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(quantities: I) -> Self {
        quantities.fold(Self::ZERO, Add::add)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}

/// Prints the canonical form: no fraction, and the largest suffix with which that is possible.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let small = self.nanos.abs() < 1024 * NANOS;
        let text = match self.format {
            _ if self.nanos == 0 => "0".to_owned(),
            // Small or fractional bytes are not rounded: they are shown in decimal.
            Format::Binary if !small && self.nanos % NANOS == 0 => binary(self.nanos / NANOS),
            Format::Binary | Format::Decimal => {
                let (mantissa, power) = thousands(self.nanos);
                format!("{mantissa}{}", DECIMAL[power])
            }
            Format::Exponent => match thousands(self.nanos) {
                (mantissa, 3) => mantissa.to_string(),
                (mantissa, power) if power > 3 => format!("{mantissa}e{}", (power - 3) * 3),
                (mantissa, power) => format!("{mantissa}e-{}", (3 - power) * 3),
            },
        };
        f.pad(&text)
    }
}

/// The quotient, rounded up.
fn ceiling(amount: i128, divisor: i128) -> i128 {
    amount.div_euclid(divisor) + i128::from(amount.rem_euclid(divisor) != 0)
}

/// The amount as mantissa and power of 1000, counted from billionths.
fn thousands(nanos: i128) -> (i128, usize) {
    let (mut mantissa, mut power) = (nanos, 0);
    while mantissa % 1000 == 0 && power + 1 < DECIMAL.len() {
        mantissa /= 1000;
        power += 1;
    }
    (mantissa, power)
}

fn binary(units: i128) -> String {
    let (mut mantissa, mut power) = (units, 0);
    while mantissa % 1024 == 0 && power + 1 < BINARY.len() {
        mantissa /= 1024;
        power += 1;
    }
    format!("{mantissa}{}", BINARY[power])
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrNumber)
    }
}

/// Kubernetes takes `cpu: 1` for `cpu: "1"`.
struct TextOrNumber;

impl serde::de::Visitor<'_> for TextOrNumber {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity such as \"500m\" or 1")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Quantity, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Quantity, E> {
        Ok(Quantity::from_units(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests;
