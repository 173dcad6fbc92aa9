//! `OpenLDAP`'s own programs against the directory.

use std::process::{Command, Output};

use super::scene::{BASE, Served, serve};

fn run(served: &Served, program: &str, arguments: &[&str], input: &str) -> Option<Output> {
    use std::io::Write as _;
    let ca = served.folder.path().join("ca.crt");
    let mut child = Command::new(program)
        .args(["-x", "-H", &served.url])
        .args(arguments)
        .env("LDAPTLS_CACERT", ca)
        .env("LDAPTLS_REQCERT", "demand")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openldaps_programs_work() {
    let served = serve().await;
    let admin = ["-D", "cn=admin,dc=toolforge,dc=org", "-w", "admin-secret"];
    let add =
        "dn: uid=grace,ou=people,dc=toolforge,dc=org\nobjectClass: account\nuid: grace\ncn: Grace Hopper\n";
    let Some(added) = run(&served, "ldapadd", &admin, add) else {
        eprintln!("skipped: ldap-utils is not installed");
        return;
    };
    assert!(added.status.success(), "{added:?}");
    let modify = "dn: uid=grace,ou=people,dc=toolforge,dc=org\nchangetype: modify\nreplace: cn\ncn: Admiral\n-\nadd: mail\nmail: g@x\n";
    let modified = run(&served, "ldapmodify", &admin, modify).unwrap();
    assert!(modified.status.success(), "{modified:?}");
    let reader = [
        "-D",
        "cn=reader,dc=toolforge,dc=org",
        "-w",
        "reader-secret",
        "-LLL",
        "-b",
        BASE,
    ];
    let search = |more: &[&str]| {
        let arguments: Vec<&str> = reader.iter().chain(more).copied().collect();
        let output = run(&served, "ldapsearch", &arguments, "").unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let found = search(&["-E", "pr=1/noprompt", "(|(cn=admiral)(uid=ada))", "cn", "mail"]);
    assert!(
        found.contains("cn: Admiral") && found.contains("mail: g@x") && found.contains("cn: Ada Lovelace"),
        "{found}"
    );
    let synced = search(&["-E", "!sync=ro", "(uid=grace)", "uid"]);
    assert!(synced.contains("uid: grace"), "{synced}");
    let again = run(&served, "ldapadd", &admin, add).unwrap();
    assert_eq!(again.status.code(), Some(68), "{again:?}");
    let who = run(&served, "ldapwhoami", &admin, "").unwrap();
    assert_eq!(
        String::from_utf8_lossy(&who.stdout).trim(),
        "dn:cn=admin,dc=toolforge,dc=org"
    );
    let gone = run(
        &served,
        "ldapdelete",
        &[&admin[..], &["uid=grace,ou=people,dc=toolforge,dc=org"]].concat(),
        "",
    )
    .unwrap();
    assert!(gone.status.success(), "{gone:?}");
}

#[tokio::test]
async fn standard_programs_ask_for_tls_and_read_the_schema() {
    let served = serve().await;
    let url = served.url.replace("ldaps://", "ldap://");
    std::fs::write(served.folder.path().join("trusted.pem"), &served.ca).unwrap();
    let search = |arguments: &'static [&'static str]| {
        let mut command = Command::new("ldapsearch");
        command
            .env("LDAPTLS_CACERT", served.folder.path().join("trusted.pem"))
            .args([
                "-x",
                "-LLL",
                "-o",
                "ldif-wrap=no",
                "-H",
                &url,
                "-D",
                "cn=reader,dc=toolforge,dc=org",
                "-w",
                "reader-secret",
            ])
            .args(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let text = |output: &Output| {
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    };
    let found = search(&["-ZZ", "-b", BASE, "(uid=ada)", "cn"]).await.unwrap();
    assert!(
        found.status.success() && text(&found).contains("cn: Ada Lovelace"),
        "{}",
        text(&found)
    );
    let plain = search(&["-b", BASE, "(uid=ada)"]).await.unwrap();
    assert!(
        text(&plain).contains("Confidentiality required"),
        "{}",
        text(&plain)
    );
    let root = search(&[
        "-ZZ",
        "-s",
        "base",
        "-b",
        "",
        "subschemaSubentry",
        "supportedExtension",
    ])
    .await
    .unwrap();
    assert!(
        text(&root).contains("subschemaSubentry: cn=Subschema")
            && text(&root).contains("1.3.6.1.4.1.1466.20037")
    );
    let schema = search(&[
        "-ZZ",
        "-s",
        "base",
        "-b",
        "cn=Subschema",
        "(objectClass=subschema)",
        "attributeTypes",
    ])
    .await
    .unwrap();
    assert!(
        text(&schema).contains("NAME 'homeDirectory'"),
        "{}",
        text(&schema)
    );
    let base = search(&["-ZZ", "-s", "base", "-b", BASE, "contextCSN"])
        .await
        .unwrap();
    assert!(text(&base).contains("contextCSN: 20"), "{}", text(&base));
}
