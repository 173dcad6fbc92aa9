//! Types nodejs, ruby, perl, jdk and golang.

use rustix::process::Signal;

use crate::tool::{Running, Tool};

const NODE: &str = r#"
const http = require("http");
const server = http.createServer((request, answer) => answer.end("node " + request.url));
server.listen(process.env.PORT, () => console.log("ready"));
process.on("SIGTERM", () => { console.log("told to stop"); server.close(() => process.exit(5)); });
"#;

#[test]
fn npm_starts_node_and_signals_reach_it() {
    let tool = Tool::with(&[
        (
            "www/js/package.json",
            r#"{"name": "t", "scripts": {"start": "node server.js"}}"#,
        ),
        ("www/js/server.js", NODE),
    ]);
    let mut running = tool.run("nodejs", &[]);
    assert!(running.get("/x").ends_with("node /x"));
    running.tell(Signal::TERM);
    running.says("told to stop");
    running.ended();
    let log = running.log();
    assert_eq!(log.matches("told to stop").count(), 1, "{log}");
}

#[test]
fn node_runs_without_npm_where_its_script_needs_no_shell() {
    let tool = Tool::with(&[
        (
            "www/js/package.json",
            r#"{"scripts": {"start": "node server.js"}}"#,
        ),
        ("www/js/server.js", NODE),
    ]);
    std::fs::create_dir(tool.path("bin")).unwrap();
    std::os::unix::fs::symlink("/usr/bin/node", tool.path("bin/node")).unwrap();
    let port = toolforge_testkit::free_port();
    let mut command = tool.command(&["nodejs", "--port", &port.to_string()]);
    command.env("PATH", tool.path("bin"));
    let mut running = Running::start(command, port);
    running.says("ready");
    assert!(running.get("/y").ends_with("node /y"));
    running.tell(Signal::TERM);
    assert_eq!(running.ended().code(), Some(5), "{}", running.log());
}

#[test]
fn a_rack_application_is_served() {
    let tool = Tool::with(&[(
        "www/ruby/config.ru",
        "run ->(env) { [200, { 'content-type' => 'text/plain' }, [\"ruby #{env['PATH_INFO']}\"]] }\n",
    )]);
    let running = tool.run("ruby", &[]);
    assert!(running.get("/x").ends_with("ruby /x"), "{}", running.log());
}

#[test]
fn a_psgi_application_is_served() {
    let tool = Tool::with(&[(
        "www/perl/app.psgi",
        "sub { my $env = shift; [200, ['Content-Type' => 'text/plain'], [\"perl $env->{PATH_INFO}\"]] };\n",
    )]);
    let running = tool.run("perl", &[]);
    assert!(running.get("/x").ends_with("perl /x"), "{}", running.log());
}

#[test]
fn a_jar_and_a_built_program_are_found_and_a_command_goes_first() {
    let say = "#!/bin/sh\necho \"$0 $*\"\npwd\n";
    let tool = Tool::with(&[
        ("www/jdk/tool.jar", ""),
        ("bin/java", say),
        ("www/go/server", say),
        ("other", say),
    ]);
    let with_path = |arguments: &[&str]| {
        let mut command = tool.command(arguments);
        command.env("PATH", format!("{}:/usr/bin:/bin", tool.path("bin").display()));
        tool.end(command)
    };
    let jar = tool.path("www/jdk/tool.jar");
    let (code, said) = with_path(&["jdk"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&format!("-jar {}", jar.display())), "{said}");
    let (code, said) = with_path(&["golang"]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("www/go/server") && said.trim_end().ends_with("www/go"),
        "{said}"
    );
    for kind in ["jdk", "golang", "ruby", "perl"] {
        let (code, said) = with_path(&[kind, "--", "./other", "a"]);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("./other a"), "{kind}: {said}");
    }
}
