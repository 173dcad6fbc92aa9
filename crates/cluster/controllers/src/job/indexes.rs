//! Sets of completion indexes, as Jobs write them: `0,2-5,9`. Pure.
//!
//! Kept as ranges: a Job may have a hundred thousand indexes, and most are next to each other.

use std::fmt;

/// A set of numbers from 0 on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Indexes {
    /// First and last of each range, ascending, neither overlapping nor touching.
    ranges: Vec<(u32, u32)>,
}

impl Indexes {
    /// Reads `text`; what is not below `end`, or is no number, is left out: it was written for another Job size.
    pub(crate) fn parse(text: &str, end: u32) -> Self {
        let mut set = Self::default();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            if let (Ok(first), Ok(last)) = (first.trim().parse(), last.trim().parse::<u32>())
                && first <= last
                && first < end
            {
                set.insert_range(first, last.min(end - 1));
            }
        }
        set
    }

    /// Puts `index` in.
    pub(crate) fn insert(&mut self, index: u32) {
        self.insert_range(index, index);
    }

    fn insert_range(&mut self, first: u32, last: u32) {
        // All ranges that the new one overlaps or touches become one with it.
        let from = self
            .ranges
            .partition_point(|(_, known)| known.saturating_add(1) < first);
        let to = self
            .ranges
            .partition_point(|(known, _)| *known <= last.saturating_add(1));
        let touched = self.ranges.get(from..to).unwrap_or_default();
        let first = touched.first().map_or(first, |(known, _)| first.min(*known));
        let last = touched.last().map_or(last, |(_, known)| last.max(*known));
        self.ranges.splice(from..to.max(from), [(first, last)]);
    }

    /// Puts all of `other` in.
    pub(crate) fn extend(&mut self, other: &Self) {
        for (first, last) in &other.ranges {
            self.insert_range(*first, *last);
        }
    }

    /// Whether `index` is in it.
    pub(crate) fn has(&self, index: u32) -> bool {
        let at = self.ranges.partition_point(|(_, last)| *last < index);
        self.ranges.get(at).is_some_and(|(first, _)| *first <= index)
    }

    /// How many it has.
    pub(crate) fn len(&self) -> usize {
        self.ranges
            .iter()
            .map(|(first, last)| {
                usize::try_from(last - first).map_or(usize::MAX, |more| more.saturating_add(1))
            })
            .fold(0, usize::saturating_add)
    }

    /// Whether it has none.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many of `other` are in it.
    pub(crate) fn count_in(&self, other: &Self) -> usize {
        let mut count = 0;
        for (first, last) in &self.ranges {
            for (low, high) in &other.ranges {
                let (low, high) = (first.max(low), last.min(high));
                if low <= high {
                    count += usize::try_from(high - low)
                        .unwrap_or(usize::MAX)
                        .saturating_add(1);
                }
            }
        }
        count
    }

    /// The first `count` numbers below `end` that are not in it.
    pub(crate) fn first_missing(&self, count: usize, end: u32) -> Vec<u32> {
        let mut missing = Vec::new();
        let mut candidate = 0;
        let after = self.ranges.iter().copied().chain([(end, end)]);
        for (first, last) in after {
            let room = count - missing.len();
            missing.extend((candidate..first.min(end)).take(room));
            candidate = last.saturating_add(1);
        }
        missing
    }
}

impl FromIterator<u32> for Indexes {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut set = Self::default();
        numbers.into_iter().for_each(|number| set.insert(number));
        set
    }
}

impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (first, last)) in self.ranges.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            if first == last {
                write!(f, "{first}")?;
            } else {
                write!(f, "{first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_ranges_however_it_was_filled() {
        for (numbers, text) in [
            (vec![], ""),
            (vec![3], "3"),
            (vec![1, 0], "0-1"),
            (vec![9, 2, 4, 3, 0], "0,2-4,9"),
            (vec![1, 3, 2], "1-3"),
            (vec![5, 5], "5"),
        ] {
            let set: Indexes = numbers.iter().copied().collect();
            assert_eq!(set.to_string(), text, "{numbers:?}");
            assert_eq!(Indexes::parse(text, 100), set);
        }
    }

    #[test]
    fn leaves_out_what_the_job_has_no_place_for() {
        assert_eq!(Indexes::parse("0,3-8,12", 6).to_string(), "0,3-5");
        assert_eq!(Indexes::parse("x,7-2,,-4", 9).to_string(), "");
        assert_eq!(Indexes::parse("0-4294967295", u32::MAX).len(), 4_294_967_295);
    }

    #[test]
    fn counts_and_finds_gaps() {
        let set = Indexes::parse("0,2-4,9", 100);
        assert_eq!(set.len(), 5);
        assert!(set.has(3) && !set.has(1) && !set.has(10));
        assert_eq!(set.first_missing(4, 100), [1, 5, 6, 7]);
        assert_eq!(set.first_missing(9, 7), [1, 5, 6]);
        assert_eq!(Indexes::parse("3-9", 100).count_in(&set), 3);
    }
}
