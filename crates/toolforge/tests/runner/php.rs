//! Type php: by the runner and php-cgi, and by lighttpd.

use std::io::{Read as _, Write as _};

use rustix::process::{Signal, kill_process};
use toolforge_testkit::eventually;

use crate::tool::Tool;

const INDEX: &str = r#"<?php
header("X-Served: php");
echo implode(" ", [$_SERVER["REQUEST_METHOD"], $_SERVER["REQUEST_URI"], $_SERVER["SCRIPT_NAME"],
    $_SERVER["PATH_INFO"] ?? "-", $_SERVER["HTTPS"] ?? "off", $_GET["q"] ?? "-", getmypid()]);
"#;

#[test]
fn scripts_are_run_and_files_are_served() {
    let tool = Tool::with(&[
        ("public_html/index.php", INDEX),
        ("public_html/deep/tool.php", INDEX),
        ("public_html/style.css", "p { }"),
        ("public_html/lib.inc", "<?php $secret = 1;"),
        (
            "public_html/missing.php",
            "<?php http_response_code(404); error_log('not found at all'); echo 'nothing';",
        ),
        ("public_html/away.php", "<?php header('Location: /deep/');"),
        ("public_html/fatal.php", "<?php no_such_function();"),
    ]);
    let running = tool.run("php", &[]);
    for (path, status, says) in [
        ("/?q=1", "200", "GET /?q=1 /index.php - on 1"),
        (
            "/deep/tool.php/a/b%20c?q=2",
            "200",
            "GET /deep/tool.php/a/b%20c?q=2 /deep/tool.php /a/b c on 2",
        ),
        ("/style.css", "200", "p { }"),
        ("/lib.inc", "404", "no such page"),
        ("/missing.php", "404", "nothing"),
        ("/away.php", "302", "location: /deep/"),
        ("/nothing.php", "404", "no such page"),
        ("/fatal.php", "500", ""),
    ] {
        let answer = running.get(path);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(says),
            "{path}: {answer}"
        );
    }
    assert!(running.get("/").contains("x-served: php"));
    running.says("not found at all");
    running.says("no_such_function");
    let head = running.ask("HEAD / HTTP/1.1", b"");
    assert!(
        head.starts_with("HTTP/1.1 200") && !head.contains("HEAD /"),
        "{head}"
    );
    let (code, log) = running.stop();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn uploads_come_in_whole_and_a_script_that_reads_nothing_answers_all_the_same() {
    let tool = Tool::with(&[
        (
            "public_html/sum.php",
            "<?php $body = file_get_contents('php://input'); echo strlen($body), ' ', md5($body), ' ', $_SERVER['CONTENT_LENGTH'];",
        ),
        (
            "public_html/file.php",
            "<?php echo $_FILES['a']['name'], ' ', $_FILES['a']['size'], ' ', $_POST['b'];",
        ),
        (
            "public_html/deaf.php",
            "<?php for ($i = 0; $i < 3000; $i++) { echo str_repeat('x', 1000); }",
        ),
        (
            "public_html/slow.php",
            "<?php while (ob_get_level()) { ob_end_flush(); } echo 'one'; flush(); while (!file_exists('go')) { usleep(1000); } echo 'two';",
        ),
    ]);
    let running = tool.run("php", &[]);
    let body = vec![b'a'; 3_000_000];
    let answer = running.ask(
        &format!("PUT /sum.php HTTP/1.1\r\nContent-Length: {}", body.len()),
        &body,
    );
    assert!(answer.contains("3000000 "), "{answer}");

    let chunked = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    let answer = running.ask("POST /sum.php HTTP/1.1\r\nTransfer-Encoding: chunked", chunked);
    assert!(
        answer.contains("11 5eb63bbbe01eeed093cb22bb8f5acdc3 11"),
        "{answer}"
    );

    let form = "--X\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f.txt\"\r\n\r\nhello\r\n\
                --X\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\nbee\r\n--X--\r\n";
    let head = format!(
        "POST /file.php HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=X\r\nContent-Length: {}",
        form.len()
    );
    let answer = running.ask(&head, form.as_bytes());
    assert!(answer.contains("f.txt 5 bee"), "{answer}");

    let answer = running.ask(
        &format!("PUT /deaf.php HTTP/1.1\r\nContent-Length: {}", body.len()),
        &body,
    );
    assert!(answer.len() > 3_000_000, "{} bytes", answer.len());

    // What is flushed goes out at once.
    let mut slow = running.connect();
    slow.write_all(b"GET /slow.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut seen = String::new();
    while !seen.contains("one") {
        let mut piece = [0; 1000];
        let length = slow.read(&mut piece).unwrap();
        assert!(length > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    tool.write("public_html/go", "");
    slow.read_to_string(&mut seen).unwrap();
    assert!(seen.contains("two"), "{seen}");
}

#[test]
fn php_that_ends_is_started_again_and_php_that_cannot_run_ends_the_runner() {
    let tool = Tool::with(&[("public_html/index.php", INDEX)]);
    let running = tool.run("php", &[]);
    assert!(running.get("/").starts_with("HTTP/1.1 200"));
    let processes = eventually("two processes of PHP with two children each", || {
        let processes = running.processes("php-cgi");
        if processes.len() == 2 + 2 * 2 {
            Ok(processes)
        } else {
            Err(format!("{processes:?}"))
        }
    });
    for process in &processes {
        let _ = kill_process(*process, Signal::KILL);
    }
    running.says("it is started again");
    eventually("PHP answers again", || {
        let answer = running.get("/");
        if answer.starts_with("HTTP/1.1 200") {
            Ok(())
        } else {
            Err(answer)
        }
    });
    // What the killed ones left behind would stand in the way of those who count.
    eventually("as many processes as before", || {
        let processes = running.processes("php-cgi");
        if processes.len() == 2 + 2 * 2 {
            Ok(())
        } else {
            Err(format!("{processes:?}"))
        }
    });
    let (code, log) = running.stop();
    assert_eq!(code, Some(0), "{log}");

    tool.write("bin/php-cgi", "#!/bin/sh\nexit 3\n");
    let mut command = tool.command(&["php"]);
    command.env("PATH", format!("{}:/usr/bin:/bin", tool.path("bin").display()));
    let (code, said) = tool.end(command);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("php-cgi ended 5 times soon after its start, the last time with exit status: 3"),
        "{said}"
    );
}

#[test]
fn lighttpd_runs_with_the_tools_own_configuration() {
    let tool = Tool::with(&[
        ("public_html/index.php", INDEX),
        ("public_html/style.css", "p { }"),
        (
            ".lighttpd.conf",
            "server.modules += ( \"mod_status\" )\nurl.redirect = ( \"^/old$\" => \"/new\" )\n",
        ),
    ]);
    let running = tool.run("php", &[]);
    running.says("running lighttpd");
    let name = tool.path("");
    let name = name.file_name().unwrap().to_str().unwrap();
    for (path, status, says) in [
        ("/old", "301", "/new"),
        ("/index.php/x?q=3", "200", "GET /index.php/x?q=3 /index.php /x"),
        ("/style.css", "200", "text/css"),
        (&format!("/{name}/style.css"), "200", "p { }"),
    ] {
        let answer = running.get(path);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(says),
            "{path}: {answer}"
        );
    }
    running.stop();
    assert!(tool.path("error.log").exists());

    // Without PHP.
    let plain = tool.run("lighttpd-plain", &[]);
    assert!(plain.get("/style.css").contains("p { }"));
    assert!(!plain.get("/index.php").contains("/index.php -"));
}
