//! What the directory of the bench holds: people, an admin, and tools, each with two maintainers.

use std::{fmt::Write as _, path::Path};

/// The base of the directory.
pub(super) const BASE: &str = "dc=toolforge,dc=org";
/// Its administrator, and the password.
pub(super) const ADMINISTRATOR: (&str, &str) = ("cn=admin,dc=toolforge,dc=org", "admin-secret");
/// Who may read everything, and the password.
pub(super) const READER: (&str, &str) = ("cn=reader,dc=toolforge,dc=org", "reader-secret");

/// Tools to a person.
const TOOLS_TO_A_PERSON: u32 = 10;
const FIRST_PERSON: u32 = 40_001;
const FIRST_TOOL: u32 = 50_001;

/// A directory with so many tools, with homes below this folder.
pub(super) fn ldif(homes: &Path, tools: u32) -> String {
    let mut text = format!(
        "dn: {BASE}\nobjectClass: domain\ndc: toolforge\n\n\
         dn: cn=reader,{BASE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n\
         userPassword: {password}\n\n",
        password = READER.1,
    );
    for (dn, name) in [
        ("ou=people", "people"),
        ("ou=servicegroups", "servicegroups"),
        ("ou=people,ou=servicegroups", "people"),
    ] {
        append(
            &mut text,
            format_args!("dn: {dn},{BASE}\nobjectClass: organizationalUnit\nou: {name}\n\n"),
        );
    }
    let people = tools / TOOLS_TO_A_PERSON + 2;
    (0..people).for_each(|number| person(&mut text, homes, number));
    append(
        &mut text,
        format_args!(
            "dn: cn=tools.admin,ou=servicegroups,{BASE}\nobjectClass: groupOfNames\nobjectClass: posixGroup\n\
             cn: tools.admin\ngidNumber: 40000\nmember: {}\n\n",
            person_name(0)
        ),
    );
    (0..tools).for_each(|number| tool(&mut text, homes, number, people));
    text
}

fn append(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(what);
}

fn person_name(number: u32) -> String {
    format!("uid=u{number:05},ou=people,{BASE}")
}

fn person(text: &mut String, homes: &Path, number: u32) {
    append(
        text,
        format_args!(
            "dn: {dn}\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: u{number:05}\n\
             cn: Person {number}\nsn: {number}\nuidNumber: {id}\ngidNumber: {id}\n\
             homeDirectory: {homes}/home/u{number:05}\n\n",
            dn = person_name(number),
            id = FIRST_PERSON + number % (FIRST_TOOL - FIRST_PERSON),
            homes = homes.display(),
        ),
    );
}

fn tool(text: &mut String, homes: &Path, number: u32, people: u32) {
    let id = FIRST_TOOL + number;
    append(
        text,
        format_args!(
            "dn: uid=tools.t{number:05},ou=people,ou=servicegroups,{BASE}\nobjectClass: person\n\
             objectClass: posixAccount\nuid: tools.t{number:05}\ncn: tools.t{number:05}\nsn: tools.t{number:05}\n\
             uidNumber: {id}\ngidNumber: {id}\nhomeDirectory: {homes}/project/t{number:05}\n\n\
             dn: cn=tools.t{number:05},ou=servicegroups,{BASE}\nobjectClass: groupOfNames\nobjectClass: posixGroup\n\
             cn: tools.t{number:05}\ngidNumber: {id}\nmember: {one}\nmember: {other}\n\n",
            homes = homes.display(),
            one = person_name(number % people),
            other = person_name((number + 1) % people),
        ),
    );
}
