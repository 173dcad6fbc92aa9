//! Compressed lists, each kind's kept until its objects change: who asks for the same list again gets the same bytes.
//!
//! What differs from answer to answer is the revision in the head. Head and tail are blocks of their own in the
//! compressed stream (RFC 1951, stored blocks), around the objects' one, so that a new head needs no new compression.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::body::Items;
use crate::store::Resource;

/// Lists kept at most.
const LISTS: usize = 8;
/// Bytes of all kept lists at most, compressed.
const BYTES: usize = 8 << 20;
/// Size in bytes by which the compressed objects grow.
const GROWTH: usize = 64 << 10;
/// RFC 1952: deflate, no name, no time, fastest algorithm, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];

/// Which list, in which state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Which {
    /// Of which objects.
    pub(crate) resource: Resource,
    /// As which kind they are shown: group and version.
    pub(crate) api_version: String,
    /// In which namespace.
    pub(crate) namespace: Option<String>,
    /// The edition of the kind: the revision since which objects are stored as it shows them.
    pub(crate) since: u64,
    /// The latest change of any of them.
    pub(crate) changed: u64,
}

impl Which {
    fn is_newer_than(&self, other: &Self) -> bool {
        (self.since, self.changed) > (other.since, other.changed)
            && (self.resource, &self.api_version, &self.namespace)
                == (other.resource, &other.api_version, &other.namespace)
    }
}

/// The objects of a list, joined and compressed.
#[derive(Debug)]
pub(crate) struct Compressed {
    deflated: Bytes,
    /// The check sum of what was compressed, and its size.
    sum: Crc,
}

fn sum_of(bytes: &[u8]) -> Crc {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc
}

impl Compressed {
    /// Compresses; takes about five milliseconds for a megabyte.
    fn of(items: &Items) -> Self {
        let mut compress = Compress::new(Compression::fast(), false);
        let mut deflated = Vec::with_capacity(items.size() / 8 + GROWTH);
        let mut crc = Crc::new();
        let (mut next, mut more) = (0, true);
        while more {
            let mut piece = BytesMut::new();
            more = items.append(&mut next, &mut piece);
            crc.update(&piece);
            let flush = if more {
                FlushCompress::None
            } else {
                FlushCompress::Sync
            };
            deflate(&mut compress, &piece, &mut deflated, flush);
        }
        deflated.shrink_to_fit();
        Self {
            deflated: Bytes::from(deflated),
            sum: crc,
        }
    }

    /// The whole list as gzip; `head` and `tail` have at most 64 KiB.
    pub(crate) fn between(&self, head: &[u8], tail: &[u8]) -> [Bytes; 3] {
        let mut sum = sum_of(head);
        sum.combine(&self.sum);
        sum.combine(&sum_of(tail));
        let mut begin = BytesMut::with_capacity(head.len() + 16);
        begin.extend_from_slice(&HEADER);
        stored_block(&mut begin, head, false);
        let mut end = BytesMut::with_capacity(tail.len() + 16);
        stored_block(&mut end, tail, true);
        end.put_u32_le(sum.sum());
        end.put_u32_le(sum.amount());
        [begin.freeze(), self.deflated.clone(), end.freeze()]
    }
}

fn deflate(compress: &mut Compress, mut piece: &[u8], deflated: &mut Vec<u8>, flush: FlushCompress) {
    loop {
        if deflated.len() == deflated.capacity() {
            deflated.reserve(GROWTH);
        }
        let before = compress.total_in();
        let status = compress.compress_vec(piece, deflated, flush);
        let taken = usize::try_from(compress.total_in() - before).unwrap_or(piece.len());
        piece = piece.get(taken..).unwrap_or_default();
        // With room left over, everything given has been taken and flushed.
        let done = piece.is_empty() && deflated.len() < deflated.capacity();
        if done || !matches!(status, Ok(Status::Ok | Status::BufError)) {
            return;
        }
    }
}

/// A block that is not compressed. It begins at a whole byte, as the blocks around it end at one.
fn stored_block(out: &mut BytesMut, bytes: &[u8], last: bool) {
    let length = u16::try_from(bytes.len()).expect("heads and tails are short");
    out.put_u8(u8::from(last));
    out.put_u16_le(length);
    out.put_u16_le(!length);
    out.extend_from_slice(bytes);
}

type Cell = Arc<OnceCell<Arc<Compressed>>>;
type Entry = (Which, Cell);

/// Lists that were asked for lately.
#[derive(Debug, Default)]
pub(crate) struct CompressedLists(Mutex<Vec<Entry>>);

impl CompressedLists {
    /// The list, compressed now unless it is there; who asks meanwhile waits for the same.
    pub(crate) async fn get(&self, which: Which, items: Items) -> Arc<Compressed> {
        let cell = self.cell(which);
        if let Some(list) = cell.get() {
            return list.clone();
        }
        let list = cell.get_or_init(|| async { Arc::new(once(items).await) }).await;
        self.bound();
        list.clone()
    }

    fn cell(&self, which: Which) -> Cell {
        let mut kept = self.0.lock();
        if let Some((_, cell)) = kept.iter().find(|(found, _)| *found == which) {
            return cell.clone();
        }
        kept.retain(|(found, _)| !which.is_newer_than(found));
        if kept.len() == LISTS {
            kept.remove(0);
        }
        let cell = Arc::new(OnceCell::new());
        kept.push((which, cell.clone()));
        cell
    }

    /// Drops the oldest until the rest is small enough.
    fn bound(&self) {
        let mut kept = self.0.lock();
        let size = |entry: &Entry| entry.1.get().map_or(0, |list| list.deflated.len());
        while kept.iter().map(size).sum::<usize>() > BYTES {
            kept.remove(0);
        }
    }
}

/// Compresses a list that nobody is expected to ask for again.
pub(crate) async fn once(items: Items) -> Compressed {
    let again = items.clone();
    // It takes long enough to keep others waiting.
    let done = tokio::task::spawn_blocking(move || Compressed::of(&items)).await;
    // Only a runtime that is going down refuses.
    done.unwrap_or_else(|_| Compressed::of(&again))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn unzip(parts: &[Bytes]) -> Vec<u8> {
        let all = parts.concat();
        let mut found = Vec::new();
        flate2::read::GzDecoder::new(all.as_slice())
            .read_to_end(&mut found)
            .unwrap();
        found
    }

    fn which(namespace: &str, changed: u64) -> Which {
        Which {
            since: 0,
            resource: Resource::find("", "configmaps").unwrap(),
            api_version: "v1".to_owned(),
            namespace: Some(namespace.to_owned()),
            changed,
        }
    }

    #[test]
    fn one_compression_serves_every_head() {
        for count in [0, 1, 3, 5000] {
            let objects: Vec<Bytes> = (0..count)
                .map(|number: u64| {
                    Bytes::from(format!("{{\"n\":{number},\"hash\":{}}}", number * 2_654_435_761))
                })
                .collect();
            let joined = objects.join(&b","[..]);
            let list = Compressed::of(&Items::Made(objects));
            for head in ["[", "{\"resourceVersion\":\"17\",\"items\":["] {
                let expected = [head.as_bytes(), &joined, b"]}"].concat();
                assert_eq!(unzip(&list.between(head.as_bytes(), b"]}")), expected, "{count}");
            }
        }
    }

    #[tokio::test]
    async fn a_newer_state_replaces_the_older() {
        let lists = CompressedLists::default();
        let items = || Items::Made(vec![Bytes::from_static(b"1")]);
        let first = lists.get(which("a", 1), items()).await;
        assert!(Arc::ptr_eq(&first, &lists.get(which("a", 1), items()).await));
        lists.get(which("b", 1), items()).await;
        lists.get(which("a", 2), items()).await;
        let kept = lists.0.lock();
        let states: Vec<_> = kept
            .iter()
            .map(|(which, _)| (which.namespace.clone().unwrap(), which.changed))
            .collect();
        assert_eq!(states, [("b".to_owned(), 1), ("a".to_owned(), 2)]);
    }

    #[tokio::test]
    async fn only_so_many_are_kept() {
        let lists = CompressedLists::default();
        for number in 0..20 {
            lists
                .get(which(&number.to_string(), 1), Items::Made(Vec::new()))
                .await;
        }
        assert_eq!(lists.0.lock().len(), LISTS);
    }
}
