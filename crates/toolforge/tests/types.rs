//! Types of webservice: each from an empty home to the web with one command, and where their names come from.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use reqwest::StatusCode;
use toolforge_testkit::{Outcome, Scratch};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

const WSGI: &str = "def app(environ, start_response):\n    \
                    start_response('200 OK', [('Content-Type', 'text/plain')])\n    \
                    return [b'wsgi by ' + environ['wsgi.url_scheme'].encode()]\n";

const ASGI: &str = "async def app(scope, receive, send):\n    \
                    if scope['type'] != 'http': return\n    \
                    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n    \
                    await send({'type': 'http.response.body', 'body': b'asgi by ' + scope['scheme'].encode()})\n";

const NODE: &str = "require('http').createServer((asked, answer) => \
                    answer.end('node by ' + asked.headers['x-forwarded-proto'])).listen(process.env.PORT);\n";

const PROGRAM_OF_ITS_OWN: &str = "#!/usr/bin/perl\nuse IO::Socket::INET;\n\
     my $door = IO::Socket::INET->new(LocalPort => $ENV{PORT}, Listen => 9, ReuseAddr => 1) or die;\n\
     while (my $visitor = $door->accept) { while (<$visitor>) { last if /^\\r?$/ }\n\
     print $visitor \"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\na program by https\"; close $visitor }\n";

/// Puts files into a new tool's home.
fn tool_with(scratch: &Scratch, name: &str, files: &[(&str, &str)]) {
    let mut create = scratch.command(&["tool", "create", name, "--maintainer", "ada"]);
    assert!(
        Outcome::of(&mut create)
            .ok()
            .contains(&format!("{name} is ready"))
    );
    for (file, text) in files {
        let path = scratch.home(name).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn one_command_takes_each_kind_of_tool_from_an_empty_home_to_the_web() {
    let scratch = Scratch::new(PROGRAM);
    let platform = scratch.start(&[]);
    let package = r#"{"name": "t", "scripts": {"start": "node server.js"}}"#;
    for (tool, files, command, says) in [
        (
            "wsgi",
            vec![("www/python/src/app.py", WSGI)],
            vec!["python", "start"],
            "wsgi by https",
        ),
        (
            "asgi",
            vec![("www/python/src/app.py", ASGI)],
            vec!["python3.11", "start"],
            "asgi by https",
        ),
        (
            "phptool",
            vec![(
                "public_html/index.php",
                "<?php echo 'php by ', $_SERVER['REQUEST_SCHEME'];",
            )],
            vec!["php", "start"],
            "php by https",
        ),
        (
            "nodetool",
            vec![("www/js/package.json", package), ("www/js/server.js", NODE)],
            vec!["node", "start"],
            "node by https",
        ),
        (
            "program",
            vec![("server", PROGRAM_OF_ITS_OWN)],
            vec!["generic", "start", "--", "./server"],
            "a program by https",
        ),
    ] {
        tool_with(&scratch, tool, &files);
        let command = [&["webservice"], &command[..]].concat();
        scratch.as_tool(tool, &command).ok();
        let page = scratch.visitor(&[tool]).get(&scratch.url(tool)).unwrap();
        assert_eq!(
            (page.status, page.text.as_str()),
            (StatusCode::OK, says),
            "{tool}"
        );
    }

    let unknown = scratch.as_tool("wsgi", &["webservice", "cobol", "start"]);
    assert_eq!(unknown.code, 1, "{}", unknown.stderr);
    for (name, offered) in [("php8.2", true), ("node20", true), ("php7.3", false)] {
        assert_eq!(
            unknown.stderr.contains(name),
            offered,
            "{name}: {}",
            unknown.stderr
        );
    }
    tool_with(
        &scratch,
        "elder",
        &[("public_html/index.php", "<?php echo 'old';")],
    );
    let deprecated = scratch.as_tool("elder", &["webservice", "php7.3", "start"]);
    assert!(
        deprecated
            .stderr
            .contains("DEPRECATED: 'php7.3' type is deprecated."),
        "{}",
        deprecated.stderr
    );
    assert_eq!(deprecated.code, 0, "{}", deprecated.stderr);
    assert_eq!(platform.stop(), 0);
}

#[test]
fn the_types_of_a_platform_come_from_a_file() {
    let scratch = Scratch::new(PROGRAM);
    let file = scratch.path().join("images.yaml");
    let manifests = |file: &Path| {
        let mut command = scratch.command(&["manifests", "--domain", "tools.example"]);
        Outcome::of(command.arg("--image-config").arg(file))
    };
    fs::write(
        &file,
        "cobol: { variants: { webservice: { image: r.example/cobol, extra: { wstype: generic } } } }\n",
    )
    .unwrap();
    assert!(manifests(&file).ok().contains("r.example/cobol"));

    fs::write(
        &file,
        "cobol: { variants: { webservice: { image: r.example/cobol } } }\n",
    )
    .unwrap();
    let refused = manifests(&file);
    let also_refused = Outcome::of(scratch.up(&[]).arg("--image-config").arg(&file));
    for refused in [refused, also_refused] {
        assert_ne!(refused.code, 0);
        assert!(
            refused
                .stderr
                .contains("cobol.variants.webservice.extra.wstype: this platform's runner knows no runtime"),
            "{}",
            refused.stderr
        );
    }
}
