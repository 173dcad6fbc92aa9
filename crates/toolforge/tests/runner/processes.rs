//! What holds for every type: ports, signals, orphans, exit codes, and the site that the runner serves itself.

use rustix::process::Signal;
use toolforge_testkit::{eventually, free_port};

use crate::tool::{Running, Tool};

#[test]
fn a_static_site_is_served_until_the_stop() {
    let tool = Tool::with(&[("public_html/index.html", "front page")]);
    let running = tool.run("static", &[]);
    let answer = running.get("/");
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("front page"),
        "{answer}"
    );
    assert!(running.get("/nothing").starts_with("HTTP/1.1 404"));
    let (code, log) = running.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.starts_with("serving "), "{log}");
}

#[test]
fn a_program_gets_its_port_by_both_names_and_its_exit_code_is_ours() {
    let tool = Tool::with(&[(
        "say",
        "#!/bin/sh\necho \"$PORT $TOOL_WEB_PORT $PWD $*\"\nexit 7\n",
    )]);
    let command = tool.command(&["generic", "--port", "0", "./say", "-v", "--", "x"]);
    let (code, said) = tool.end(command);
    assert_eq!(code, 7, "{said}");
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words[0], words[1]);
    assert!(words[0].parse::<u16>().unwrap() > 0, "{said}");
    assert!(
        said.contains(tool.path("").to_str().unwrap().trim_end_matches('/')),
        "{said}"
    );
    assert!(said.trim_end().ends_with("-v -- x"), "{said}");

    let killed = tool.end(tool.command(&["generic", "--", "sh", "-c", "kill -9 $$"]));
    assert_eq!(killed.0, 128 + 9);
    let missing = tool.end(tool.command(&["generic", "--", "./no-such-program"]));
    assert_eq!(missing.0, 1);
    assert!(
        missing.1.contains("./no-such-program cannot be run"),
        "{}",
        missing.1
    );
}

#[test]
fn signals_reach_the_program_and_orphans_are_reaped() {
    let tool = Tool::with(&[(
        "serve",
        "#!/bin/sh\n\
         for name in HUP USR1 INT; do trap \"echo got $name\" $name; done\n\
         trap 'echo got TERM; exit 3' TERM\n\
         (sh -c 'sleep 0.2 & echo orphan $!')\n\
         echo ready\nwhile :; do sleep 0.05; done\n",
    )]);
    let mut running = Running::start(tool.command(&["generic", "--", "./serve"]), free_port());
    let log = running.says("ready");
    let orphan = log
        .split_once("orphan ")
        .unwrap()
        .1
        .lines()
        .next()
        .unwrap()
        .to_owned();
    for (signal, name) in [
        (Signal::HUP, "got HUP"),
        (Signal::USR1, "got USR1"),
        (Signal::INT, "got INT"),
    ] {
        running.tell(signal);
        running.says(name);
    }
    eventually("the orphan is gone, and no zombie", || {
        let there = std::path::Path::new("/proc").join(&orphan).exists();
        if there { Err(orphan.clone()) } else { Ok(()) }
    });
    running.tell(Signal::TERM);
    running.says("got TERM");
    assert_eq!(running.ended().code(), Some(3));
}

#[test]
fn what_is_missing_is_said_before_anything_runs() {
    let tool = Tool::with(&[]);
    for (kind, says) in [
        (
            "php",
            "Could not find a public_html folder or a .lighttpd.conf file in your tool home.",
        ),
        ("static", "public_html"),
        ("python", "www/python/src"),
        ("nodejs", "www/js/package.json"),
        ("uwsgi-plain", "uwsgi.ini"),
        ("generic", "-- COMMAND"),
    ] {
        let (code, said) = tool.end(tool.command(&[kind]));
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(says), "{kind}: {said}");
    }
    let (code, said) = tool.end(tool.command(&["cobol"]));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("knows no runtime \"cobol\""), "{said}");
}

#[test]
fn what_the_machine_lacks_is_named_with_its_package() {
    let tool = Tool::with(&[
        ("public_html/index.php", ""),
        ("www/python/src/app.py", ""),
        ("www/js/package.json", r#"{"scripts": {"start": "next start"}}"#),
        ("config.ru", ""),
        ("app.psgi", ""),
        ("tool.jar", ""),
        ("www/go/main.go", ""),
        ("uwsgi.ini", ""),
    ]);
    for (kind, package) in [
        ("php", "php-cgi"),
        ("python", "python3"),
        ("nodejs", "nodejs"),
        ("ruby", "ruby-rack"),
        ("perl", "libplack-perl"),
        ("jdk", "default-jre-headless"),
        ("golang", "golang-go"),
        ("uwsgi-plain", "uwsgi-core"),
    ] {
        let mut command = tool.command(&[kind]);
        command.env("PATH", "/nowhere");
        let (code, said) = tool.end(command);
        assert_eq!(code, 1, "{said}");
        assert!(
            said.contains(&format!("Debian's package {package}")),
            "{kind}: {said}"
        );
    }
}
