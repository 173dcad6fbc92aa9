use proptest::prelude::*;

use super::*;

fn error(text: &str) -> LdifError {
    read(text.as_bytes()).unwrap_err()
}

#[test]
fn reads_comments_folding_base64_and_several_values() {
    let text = "# a comment\n#  that goes\n  on\nversion: 1\n\ndn: uid=ada,ou=people,dc=org\nobjectClass: top\nobjectClass: posixAccount\n\
                uid: ada\ncn:: QWRhIEzDtnZlbGFjZQ==\ndescription: one\n  two\n# inside\nmail:ada@example.org\n\n\ndn:: dWlkPWdyYWNl\nuid: grace";
    let records = read(text.as_bytes()).unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].line, 6);
    assert_eq!(records[0].entry.values("objectClass").len(), 2);
    assert_eq!(records[0].entry.text("cn"), Some("Ada Lövelace"));
    assert_eq!(records[0].entry.text("description"), Some("one two"));
    assert_eq!(records[0].entry.text("mail"), Some("ada@example.org"));
    assert_eq!(records[1].entry.dn, Dn::parse("uid=grace").unwrap());
}

#[test]
fn reads_windows_line_ends_and_a_byte_order_mark() {
    let records = read("\u{feff}dn: uid=a\r\nuid: a\r\n\r\ndn: uid=b\r\nuid: b\r\n".as_bytes()).unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(records[1].entry.text("uid"), Some("b"));
}

#[test]
fn errors_name_line_field_rule_and_way_out() {
    let found = error("dn: uid=a\nuid: a\nuidNumber 5\n");
    assert_eq!((found.line, found.field.as_str()), (3, "\"uidNumber 5\""));
    assert!(found.to_string().contains("attribute: value"), "{found}");
    assert_eq!(error("uid: a\n").field, "uid");
    assert_eq!(error("dn: uid=a\nuid:: %%%\n").line, 2);
    assert_eq!(error("dn: uid=a\ndn: uid=b\n").line, 2);
    assert_eq!(error("version: 2\n").field, "version");
    assert_eq!(error("dn: nonsense\n").field, "dn");
    assert_eq!(error("dn: uid=a\nchangetype: modify\n").field, "changetype");
    assert_eq!(
        error("dn: uid=a\njpegPhoto:< file:///etc/passwd\n").field,
        "jpegPhoto"
    );
    assert_eq!(error("\n continued\n").line, 2);
    assert_eq!(read(b"dn: uid=a\nuid: \xff\n").unwrap_err().line, 2);
}

#[test]
fn change_records_that_add_are_content() {
    assert_eq!(read(b"dn: uid=a\nchangetype: add\nuid: a\n").unwrap().len(), 1);
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn never_panics_on_lines(text in "([a-z:< #\n]|dn: )*") {
        let _ = read(text.as_bytes());
    }

    #[test]
    fn what_is_written_reads_back(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..120), 1..5)) {
        let mut entry = Entry::new(Dn::parse("uid=ada,dc=org").unwrap());
        for value in values {
            entry.push("description", value);
        }
        let back = read(write([&entry]).as_bytes()).unwrap();
        prop_assert_eq!(&back[0].entry, &entry);
    }
}
