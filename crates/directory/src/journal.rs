//! The form of the journal: batches of changes, each with its length and a check sum.
//!
//! Pure: changes in, bytes out, and back. A batch is a line `batch LENGTH SUM HEADSUM`, and so many bytes of LDIF: each
//! entry as it is after the change, and one that is gone as its name without attributes, which no entry is. Changes of a
//! batch were acknowledged together, so a batch counts whole or not at all. The second sum is that of the line itself:
//! without it a spoiled length in the middle would look like an end that was cut off.

use crate::{entry::Entry, ldif, tree::Changed};

#[cfg(test)]
mod tests;

/// The first word of a batch.
const BATCH: &str = "batch";

/// The longest line that begins a batch, in bytes.
const LONGEST_HEAD_BYTES: usize = 80;

/// Why a journal cannot be believed: where, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "at byte {at}: {what}; restore the directory's files from a backup, or move the journal away to lose what is in it"
)]
pub struct Damaged {
    /// The first byte of the batch, counted from 0.
    pub at: usize,
    /// What is wrong.
    pub what: String,
}

/// A batch.
pub(crate) fn write(changes: &[Changed]) -> Vec<u8> {
    let mut entries = Vec::new();
    for change in changes {
        let new = change.new.as_deref();
        let left = change
            .old
            .as_ref()
            .filter(|old| new.is_none_or(|new| new.dn != old.dn));
        entries.extend(left.map(|old| Entry::new(old.dn.clone())));
        entries.extend(new.cloned());
    }
    let text = ldif::write(&entries);
    let head = format!("{BATCH} {} {:016x}", text.len(), checksum(text.as_bytes()));
    format!("{head} {:016x}\n{text}", checksum(head.as_bytes())).into_bytes()
}

/// Whether an entry of the journal says that there is none.
pub(crate) fn is_gone(entry: &Entry) -> bool {
    entry.attributes.is_empty()
}

/// The entries of all batches, in their order. What is cut off at the end is left out: it was never acknowledged.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Entry>, Damaged> {
    let mut changes = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let damaged = |what: &str| Damaged {
            at,
            what: what.to_owned(),
        };
        let rest = &bytes[at..];
        let Some(end) = rest
            .iter()
            .take(LONGEST_HEAD_BYTES)
            .position(|byte| *byte == b'\n')
        else {
            // A crash leaves a piece of the line, or zeros where the file grew and its bytes did not come.
            return if rest.len() < LONGEST_HEAD_BYTES || is_blank(rest) {
                Ok(changes)
            } else {
                Err(damaged("no batch begins here"))
            };
        };
        let Some((length, sum)) = head(&rest[..end]) else {
            return Err(damaged("no batch begins here"));
        };
        let Some(text) = rest[end + 1..].get(..length) else {
            return Ok(changes);
        };
        let next = at + end + 1 + length;
        if checksum(text) != sum {
            // The last batch may have been cut in its middle, when the length came to the disk before the bytes.
            return if next == bytes.len() {
                Ok(changes)
            } else {
                Err(damaged("the check sum of the batch is wrong"))
            };
        }
        let records = ldif::read(text).map_err(|error| damaged(&error.to_string()))?;
        changes.extend(records.into_iter().map(|record| record.entry));
        at = next;
    }
    Ok(changes)
}

/// Length and sum of a batch, from a line that is as it was written.
fn head(line: &[u8]) -> Option<(usize, u64)> {
    let (head, own) = std::str::from_utf8(line).ok()?.rsplit_once(' ')?;
    (own == format!("{:016x}", checksum(head.as_bytes()))).then_some(())?;
    let (length, sum) = head.strip_prefix(BATCH)?.trim_start().split_once(' ')?;
    Some((length.parse().ok()?, u64::from_str_radix(sum, 16).ok()?))
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// FNV-1a, 64 bits: against disks and crashes, not against people, who could change the file itself.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
