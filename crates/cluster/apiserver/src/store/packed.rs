//! A text kept as what it shares with another: objects of a kind are so much alike that their differences are a tenth of them.
//!
//! Pure. A text becomes steps, each some bytes of its own and then a piece of the pattern. Reading it is a few dozen copies, which
//! lists and watches do not notice; a general compressor would need less room and many times as long.

use bytes::{BufMut, Bytes};

/// A piece of a pattern is at least so long: a shorter one is hardly longer than the step that it takes.
const PIECE_BYTES: usize = 8;
/// Every so many bytes of a pattern begins a piece that can be looked up; pieces grow to both sides from there.
const STRIDE_BYTES: usize = 4;
/// Longest pattern: places in it have two bytes.
pub(super) const PATTERN_BYTES: usize = 1 << 14;

/// A text in terms of a pattern.
#[derive(Debug)]
pub(super) struct Packed {
    pattern: Bytes,
    /// Again and again: the length of what is its own, that, and length and place of what the pattern has.
    steps: Box<[u8]>,
    length: usize,
}

impl Packed {
    /// Bytes of the text.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Bytes that it takes beside its pattern.
    pub(super) fn size(&self) -> usize {
        self.steps.len()
    }

    /// Writes the text.
    pub(super) fn append_to(&self, text: &mut impl BufMut) {
        let mut steps = &*self.steps;
        while !steps.is_empty() {
            let own = take_number(&mut steps);
            let (own, rest) = steps.split_at(own);
            text.put_slice(own);
            steps = rest;
            let (length, from) = (take_number(&mut steps), take_number(&mut steps));
            text.put_slice(&self.pattern[from..from + length]);
        }
    }

    /// The text.
    pub(super) fn text(&self) -> Bytes {
        let mut text = Vec::with_capacity(self.length);
        self.append_to(&mut text);
        text.into()
    }
}

/// A text that others are compared with.
#[derive(Debug)]
pub(super) struct Pattern {
    text: Bytes,
    /// By its hash, one more than where a piece begins; 0 for none.
    places: Box<[u16]>,
}

impl Pattern {
    /// A pattern of a text of at most [`PATTERN_BYTES`].
    pub(super) fn of(text: Bytes) -> Self {
        let slots = (text.len() / STRIDE_BYTES * 2).next_power_of_two().max(2);
        let mut places = vec![0; slots].into_boxed_slice();
        for (number, piece) in text.windows(PIECE_BYTES).step_by(STRIDE_BYTES).enumerate() {
            places[slot(piece, slots)] = u16::try_from(number * STRIDE_BYTES + 1).unwrap_or_default();
        }
        Self { text, places }
    }

    /// A text in terms of this one, where that takes at most so many bytes.
    pub(super) fn pack(&self, text: &[u8], most: usize) -> Option<Packed> {
        let mut steps = Vec::new();
        // What is not written yet begins at `own`; `expected` is where the pattern goes on if only bytes were exchanged.
        let (mut own, mut at, mut expected) = (0, 0, 0);
        while let Some(piece) = text.get(at..at + PIECE_BYTES) {
            if let Some(found) = self.find(piece, expected) {
                let before = shared_end(&text[own..at], &self.text[..found]);
                let length = before + shared_start(&text[at..], &self.text[found..]);
                put_step(&mut steps, &text[own..at - before], length, found - before);
                own = at - before + length;
                (at, expected) = (own, found - before + length);
            } else {
                (at, expected) = (at + 1, expected + 1);
            }
            if steps.len() + (at - own) > most {
                return None;
            }
        }
        if own < text.len() {
            put_step(&mut steps, &text[own..], 0, 0);
        }
        (steps.len() <= most).then(|| Packed {
            pattern: self.text.clone(),
            steps: steps.into(),
            length: text.len(),
        })
    }

    /// Where the pattern has a piece: where it would be if nothing were longer or shorter, or anywhere.
    fn find(&self, piece: &[u8], expected: usize) -> Option<usize> {
        let is_at = |place: usize| self.text.get(place..place + PIECE_BYTES) == Some(piece);
        if is_at(expected) {
            return Some(expected);
        }
        let place = usize::from(self.places[slot(piece, self.places.len())]).checked_sub(1)?;
        is_at(place).then_some(place)
    }
}

/// Where among so many slots, a power of two, a piece belongs.
fn slot(piece: &[u8], slots: usize) -> usize {
    // Fibonacci hashing: multiplied by the golden ratio, the upper bits depend on all bytes.
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let word = piece.first_chunk().map_or(0, |piece| u64::from_le_bytes(*piece));
    let bits = word.wrapping_mul(GOLDEN) >> (u64::BITS - slots.trailing_zeros());
    usize::try_from(bits).unwrap_or_default()
}

/// How many bytes at the start of both are the same.
fn shared_start(one: &[u8], other: &[u8]) -> usize {
    const BLOCK: usize = 16;
    let (blocks, others) = (one.as_chunks::<BLOCK>().0, other.as_chunks::<BLOCK>().0);
    let same = blocks.iter().zip(others).take_while(|(one, other)| one == other);
    let length = same.count() * BLOCK;
    let rest = one[length..].iter().zip(&other[length..]);
    length + rest.take_while(|(one, other)| one == other).count()
}

/// How many bytes at the end of both are the same.
fn shared_end(one: &[u8], other: &[u8]) -> usize {
    let pairs = one.iter().rev().zip(other.iter().rev());
    pairs.take_while(|(one, other)| one == other).count()
}

fn put_step(steps: &mut Vec<u8>, own: &[u8], length: usize, from: usize) {
    put_number(steps, own.len());
    steps.extend_from_slice(own);
    put_number(steps, length);
    put_number(steps, from);
}

/// Writes a number in groups of seven bits, the lowest first.
fn put_number(steps: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        steps.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    steps.push(number.to_le_bytes()[0]);
}

/// Takes a number off the front.
fn take_number(steps: &mut &[u8]) -> usize {
    let (mut number, mut shift) = (0, 0);
    while let Some((byte, rest)) = steps.split_first() {
        *steps = rest;
        number |= usize::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            break;
        }
        shift += 7;
    }
    number
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_comes_back(pattern in "[ab]{0,300}", text in "[abc]{0,300}", own in any::<Vec<u8>>()) {
            let pattern = Pattern::of(pattern.into());
            for text in [text.as_bytes(), &own, &[text.as_bytes(), &own].concat()] {
                let packed = pattern.pack(text, usize::MAX).expect("there is no bound");
                prop_assert_eq!(&packed.text(), text);
                prop_assert_eq!(packed.length(), text.len());
                if let Some(less) = packed.size().checked_sub(1) {
                    prop_assert!(pattern.pack(text, less).is_none());
                }
            }
        }
    }

    fn object(name: &str, number: usize) -> String {
        let fields: Vec<_> = (0..60)
            .map(|field| format!(r#""field-{field}":"value of {field}","#))
            .collect();
        let fields = fields.concat();
        format!(r#"{{"metadata":{{"name":"{name}","uid":"{number:032x}"}},{fields}"number":{number}}}"#)
    }

    #[test]
    fn what_is_alike_takes_a_fraction() {
        let pattern = Pattern::of(object("a", 1).into());
        for (name, number) in [("b", 2), ("another-name", 77_777)] {
            let text = object(name, number);
            let packed = pattern.pack(text.as_bytes(), text.len()).expect("it is smaller");
            assert_eq!(packed.text(), text);
            assert!(
                packed.size() * 20 < text.len(),
                "{} of {}",
                packed.size(),
                text.len()
            );
        }
    }

    #[test]
    fn the_longest_pattern_is_used_to_its_end() {
        let numbers = (0..PATTERN_BYTES / 8).map(|number| format!("{number:08}"));
        let text = numbers.collect::<Vec<_>>().concat();
        assert_eq!(text.len(), PATTERN_BYTES);
        let pattern = Pattern::of(text.clone().into());
        let end = &text[PATTERN_BYTES - 400..];
        let packed = pattern.pack(end.as_bytes(), 8).expect("it is one piece");
        assert_eq!(packed.text(), end);
    }
}
