use std::sync::Arc;

use super::*;

fn entry(name: &str, description: &str) -> Arc<Entry> {
    let text = format!(
        "dn: ou={name},dc=org\nobjectClass: organizationalUnit\nou: {name}\ndescription: {description}\n"
    );
    Arc::new(ldif::read(text.as_bytes()).unwrap().remove(0).entry)
}

fn changed(old: Option<&Arc<Entry>>, new: Option<&Arc<Entry>>) -> Changed {
    Changed {
        csn: String::new(),
        old: old.cloned(),
        new: new.cloned(),
    }
}

fn three() -> (Vec<u8>, Vec<Entry>, [usize; 2]) {
    let (one, two, other) = (entry("one", "a"), entry("two", "b"), entry("one", "c"));
    let first = write(&[changed(None, Some(&one)), changed(None, Some(&two))]);
    let second = write(&[changed(Some(&one), Some(&other))]);
    let third = write(&[changed(Some(&two), None), changed(Some(&other), Some(&two))]);
    let ends = [first.len(), first.len() + second.len()];
    let gone = |entry: &Entry| Entry::new(entry.dn.clone());
    let entries = vec![
        Entry::clone(&one),
        Entry::clone(&two),
        Entry::clone(&other),
        gone(&two),
        gone(&other),
        Entry::clone(&two),
    ];
    ([first, second, third].concat(), entries, ends)
}

#[test]
fn what_is_written_is_read_with_removals_and_renames() {
    let (bytes, entries, _) = three();
    assert_eq!(read(&bytes).unwrap(), entries);
    assert_eq!(read(b"").unwrap(), []);
}

#[test]
fn an_end_that_was_cut_off_anywhere_is_left_out() {
    let (bytes, entries, ends) = three();
    for length in 0..bytes.len() {
        let whole = match length {
            _ if length < ends[0] => 0,
            _ if length < ends[1] => 2,
            _ => 3,
        };
        assert_eq!(read(&bytes[..length]).unwrap(), entries[..whole], "{length}");
        // A file may have grown before its bytes came.
        let mut zeros = bytes[..ends[0]].to_vec();
        zeros.extend(vec![0; length]);
        assert_eq!(read(&zeros).unwrap(), entries[..2]);
    }
}

#[test]
fn a_middle_that_is_damaged_anywhere_is_reported() {
    let (bytes, _, ends) = three();
    for at in 0..ends[1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x04;
        let error = read(&damaged).unwrap_err();
        assert_eq!(error.at, if at < ends[0] { 0 } else { ends[0] }, "{at}: {error}");
    }
}
