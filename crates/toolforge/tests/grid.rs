//! Webservices on a grid: Debian's Grid Engine runs them, the runner registers them with the gateway, and they are gone
//! with their job.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::os::unix::fs::MetadataExt as _;

use toolforge_testkit::{GridEngine, GridUser, Outcome, Scratch, eventually, free_port};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const QUEUES: [&str; 2] = ["webgrid-lighttpd", "webgrid-generic"];

/// A grid with the users of these tools.
fn grid(scratch: &Scratch, tools: &[&str]) -> GridEngine {
    let users: Vec<GridUser> = tools
        .iter()
        .map(|tool| GridUser {
            name: format!("tools.{tool}"),
            id: scratch.home(tool).metadata().unwrap().uid(),
            home: scratch.home(tool),
        })
        .collect();
    GridEngine::start(&QUEUES, &users)
}

/// A command as a tool, with the grid's programs on its PATH.
fn on_grid(scratch: &Scratch, grid: &GridEngine, tool: &str, command: &[&str]) -> Outcome {
    let path = format!(
        "PATH={}:{}:/usr/bin:/bin",
        grid.bin().display(),
        scratch.data().join("bin").display()
    );
    scratch.as_tool(tool, &[&["env", &path][..], command].concat())
}

fn error_log(scratch: &Scratch, tool: &str) -> String {
    std::fs::read_to_string(scratch.home(tool).join("error.log")).unwrap_or_default()
}

#[test]
fn a_job_is_served_for_as_long_as_it_runs() {
    let scratch = Scratch::new(PROGRAM);
    let settings = scratch.path().join("gateway.yaml");
    std::fs::write(
        &settings,
        "registrations: { destinationNetworks: [127.0.0.1/32], checkIntervalSeconds: 1 }\n",
    )
    .unwrap();
    let (settings, port) = (settings.to_string_lossy(), free_port().to_string());
    let _platform = scratch.start(&["--gateway-settings", &settings, "--register-port", &port]);
    let grid = grid(&scratch, &["hello"]);
    let (visitor, url) = (scratch.visitor(&["hello"]), scratch.url("hello"));
    let program = scratch.path().join("toolforge");
    let log = scratch.home("hello").join("error.log");
    on_grid(
        &scratch,
        &grid,
        "hello",
        &[
            "qsub",
            "-q",
            QUEUES[0],
            "-b",
            "y",
            "-shell",
            "n",
            "-notify",
            "-N",
            "static-hello",
            "-j",
            "y",
            "-o",
            &log.to_string_lossy(),
            &program.to_string_lossy(),
            "webservice-runner",
            "--register-proxy",
            "--type",
            "static",
            "--port",
            "0",
        ],
    )
    .ok();
    let page = eventually("the page", || match visitor.get(&url) {
        Ok(answer) if answer.status == 200 => Ok(answer),
        other => Err(format!("{other:?}; {}", error_log(&scratch, "hello"))),
    });
    assert!(page.text.contains("Hello from a tool"), "{page:?}");
    grid.run("qdel", &["-u", "tools.hello"]).ok();
    eventually("the end of the page", || match visitor.get(&url) {
        Ok(answer) if answer.text.contains("hello has no webservice") => Ok(()),
        other => Err(format!("{other:?}; {}", error_log(&scratch, "hello"))),
    });
    assert!(error_log(&scratch, "hello").contains("unregistered"));
}
