//! The few bytes of BER that the directory's controls are made of: read without panics, written for one request.
//!
//! Pure. Used by `message.rs` for what servers send and by `persist.rs` for what is asked of them. The library's own
//! parsers of these controls panic on bytes that they do not expect, which is why they are not used.

/// A boolean.
pub(super) const BOOLEAN: u8 = 0x01;
/// A whole number.
pub(super) const INTEGER: u8 = 0x02;
/// Bytes.
pub(super) const OCTETS: u8 = 0x04;
/// A number that stands for a name.
pub(super) const ENUMERATED: u8 = 0x0a;
/// Several values in a row.
pub(super) const SEQUENCE: u8 = 0x30;
/// Several values in any order.
pub(super) const SET: u8 = 0x31;

/// Takes the first value off `bytes`: its tag and its content. None where there is no whole value.
pub(super) fn take<'a>(bytes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Four bytes of length are more than any message may have.
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits
                .iter()
                .fold(0_usize, |sum, digit| sum << 8 | usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some((tag, content))
}

/// Takes the first value off `bytes` if it has this tag; leaves everything as it is otherwise.
pub(super) fn take_if<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let mut rest = *bytes;
    let (found, content) = take(&mut rest)?;
    (found == tag).then(|| {
        *bytes = rest;
        content
    })
}

/// A small number that is not negative.
pub(super) fn number(content: &[u8]) -> Option<u32> {
    match content {
        [first, ..] if *first < 0x80 && content.len() <= 4 => {
            Some(content.iter().fold(0, |sum, digit| sum << 8 | u32::from(*digit)))
        }
        _ => None,
    }
}

/// Whether a boolean is true; one that is absent is `default`.
pub(super) fn flag(content: Option<&[u8]>, default: bool) -> bool {
    content.map_or(default, |content| content.iter().any(|byte| *byte != 0))
}

/// A value with its tag; content of up to 127 bytes.
pub(super) fn short(tag: u8, content: &[u8]) -> Vec<u8> {
    debug_assert!(content.len() < 0x80, "longer contents need a longer length");
    let length = u8::try_from(content.len()).unwrap_or(0x7f);
    [&[tag, length], content].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_taken_one_after_the_other() {
        let mut bytes: &[u8] = &[0x02, 0x01, 0x07, 0x04, 0x81, 0x02, b'a', b'b', 0x01];
        assert_eq!(take_if(&mut bytes, OCTETS), None);
        assert_eq!(take_if(&mut bytes, INTEGER).and_then(number), Some(7));
        assert_eq!(take(&mut bytes), Some((OCTETS, b"ab".as_slice())));
        assert_eq!(take(&mut bytes), None);
    }

    #[test]
    fn numbers_that_are_negative_or_too_long_are_none() {
        assert_eq!(number(&[0xff]), None);
        assert_eq!(number(&[0, 0, 0, 0, 1]), None);
        assert_eq!(number(&[]), None);
        assert_eq!(number(&[1, 0]), Some(256));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut rest = bytes.as_slice();
            let mut taken = 0;
            while take(&mut rest).is_some() {
                taken += 1;
            }
            prop_assert!(taken <= bytes.len() / 2);
        }
    }
}
