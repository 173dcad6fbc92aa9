//! The fields of a protobuf message, one after the other, without knowing what they mean.

use super::WireError;

/// A field as it stands in the bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed64(u64),
}

impl<'a> Field<'a> {
    /// The bytes of a string, message or byte field.
    pub(crate) fn bytes(self) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) | Self::Fixed64(_) => Err(WireError::Damaged),
        }
    }

    /// The number of an integer or bool field.
    pub(crate) fn integer(self) -> Result<i64, WireError> {
        match self {
            Self::Number(number) | Self::Fixed64(number) => Ok(number.cast_signed()),
            Self::Bytes(_) => Err(WireError::Damaged),
        }
    }

    /// The number of a double field.
    pub(crate) fn double(self) -> Result<f64, WireError> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            Self::Number(_) | Self::Bytes(_) => Err(WireError::Damaged),
        }
    }
}

/// Reads fields until the bytes end; after an error there is nothing more.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of a message.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Field<'a>)> {
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Number(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Number(u64::from(u32::from_le_bytes(self.take(4)?.try_into().ok()?))),
            _ => return None,
        };
        Some((key >> 3, field))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let found = self.field().ok_or(WireError::Damaged);
        if found.is_err() {
            self.rest = &[];
        }
        Some(found)
    }
}
