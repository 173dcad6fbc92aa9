//! Command lines as they stand in scripts, cron tables and wikis, some for ten years: what each means.

use std::ffi::OsString;

use crate::{
    cli::{Action, Cli, SettingsArgs},
    error::WebserviceError,
    settings::{Backend, Layers, Mount, Offer, Resolved, Settings},
    types::{Types, parse_types},
};

const YAML: &str = "\
static: { variants: { webservice: { image: r/static } } }
generic: { variants: { webservice: { image: r/generic } } }
php7.4: { aliases: [php7.3], variants: { webservice: { image: r/php, extra: { wstype: php } } } }
python3.9: { aliases: [python], variants: { webservice: { image: r/py, extra: { wstype: python } } } }
nodejs: { state: deprecated, variants: { webservice: { image: r/js } } }
jdk17: { variants: { webservice: { image: r/jdk, extra: { wstype: generic } } } }
";

fn types() -> Types {
    parse_types(YAML).unwrap()
}

fn read(line: &str) -> Result<Action, clap::Error> {
    let words = std::iter::once("webservice").chain(line.split_whitespace());
    Cli::read(words.map(OsString::from)).map(|cli| cli.action)
}

/// The action by its name, and what it takes of the settings.
fn parts(action: &Action) -> (&'static str, &SettingsArgs) {
    match action {
        Action::Start(arguments) => return ("start", &arguments.settings),
        Action::Restart(arguments) => return ("restart", &arguments.settings),
        Action::Stop(arguments) => return ("stop", &arguments.settings),
        Action::Status(arguments) => return ("status", &arguments.settings),
        _ => {}
    }
    if let Action::Logs(arguments) = action {
        return ("logs", &arguments.settings);
    }
    unreachable!("{action:?}")
}

fn asked(line: &str) -> Layers {
    Layers {
        asked: Settings::asked(parts(&read(line).unwrap()).1),
        ..Layers::default()
    }
}

fn resolve(layers: &Layers) -> Result<Resolved, WebserviceError> {
    layers.resolve(&Offer {
        types: &types(),
        registry: "registry.example",
        built_image: "tool-a/tool-a:latest",
        guess: None,
    })
}

fn of(kind: &str) -> Settings {
    Settings {
        kind: Some(kind.to_owned()),
        backend: Some(Backend::Kubernetes),
        ..Settings::default()
    }
}

#[test]
fn starts_and_restarts() {
    let table = [
        ("php7.4 start", of("php7.4")),
        ("php7.3 start", of("php7.4")),
        ("--backend=kubernetes python restart", of("python3.9")),
        ("--backend kubernetes python3.9 start", of("python3.9")),
        ("--canonical static start", of("static")),
        ("--backend=kubernetes nodejs start", of("nodejs")),
        (
            "--cpu 1 --mem 1Gi static start",
            Settings {
                cpu: Some("1".to_owned()),
                mem: Some("1Gi".to_owned()),
                ..of("static")
            },
        ),
        (
            "-c 500m -m 2Gi -r 2 python3.9 restart",
            Settings {
                cpu: Some("500m".to_owned()),
                mem: Some("2Gi".to_owned()),
                replicas: Some(2),
                ..of("python3.9")
            },
        ),
        (
            "jdk17 start -- java -jar my.jar --port 8000",
            Settings {
                extra: ["java", "-jar", "my.jar", "--port", "8000"]
                    .map(ToOwned::to_owned)
                    .to_vec(),
                ..of("jdk17")
            },
        ),
        (
            "buildservice start --mount none",
            Settings {
                mount: Some(Mount::None),
                ..of("buildservice")
            },
        ),
        (
            "--backend=kubernetes buildservice --buildservice-image tool-a/b:latest restart",
            Settings {
                buildservice_image: Some("tool-a/b:latest".to_owned()),
                ..of("buildservice")
            },
        ),
        ("--release buster static start", of("static")),
    ];
    for (line, expected) in table {
        let action = parts(&read(line).unwrap()).0;
        assert!(line.contains(action), "{line}: {action}");
        assert_eq!(resolve(&asked(line)).unwrap().settings, expected, "{line}");
    }
}

#[test]
fn lines_without_a_type_go_by_the_manifest() {
    for line in [
        "start",
        "restart",
        "--backend=kubernetes restart",
        "--mem 1Gi restart",
    ] {
        let layers = Layers {
            manifest: of("php7.4"),
            ..asked(line)
        };
        let resolved = resolve(&layers).unwrap().settings;
        assert_eq!(resolved.kind.as_deref(), Some("php7.4"), "{line}");
    }
}

#[test]
fn actions_take_what_scripts_have_always_given_them() {
    for (line, name) in [
        ("stop", "stop"),
        ("--backend=kubernetes stop", "stop"),
        ("--backend kubernetes python3.9 stop", "stop"),
        ("--cpu 1 --mem 1Gi -r 1 static status", "status"),
        ("status", "status"),
        ("php7.4 status", "status"),
        ("logs", "logs"),
        ("-f logs", "logs"),
        ("--follow --last 10 logs", "logs"),
        ("-l 10 --backend=kubernetes logs", "logs"),
    ] {
        assert_eq!(parts(&read(line).unwrap()).0, name, "{line}");
    }
}

#[test]
fn what_was_refused_is_refused_with_the_same_code() {
    for (line, code, words) in [
        (
            "--mem lots static start",
            2,
            "lots is not a valid Kubernetes quantity",
        ),
        (
            "--cpu 0.5 static start",
            2,
            "0.5 is not a valid Kubernetes quantity",
        ),
        ("--replicas two static start", 2, "two"),
        ("--backend=cloud static start", 2, "cloud"),
        ("--bogus static start", 2, "--bogus"),
        ("static begin", 2, "\"begin\" is no action"),
        ("cobol start", 1, "type must be one of:"),
    ] {
        let outcome = if let Err(error) = read(line) {
            (error.exit_code(), error.to_string())
        } else {
            let error = resolve(&asked(line)).unwrap_err();
            (i32::from(error.code()), error.to_string())
        };
        assert_eq!(outcome.0, code, "{line}: {}", outcome.1);
        assert!(outcome.1.contains(words), "{line}: {}", outcome.1);
    }
}

#[test]
fn lines_for_the_grid_are_for_the_grid() {
    for (line, kind, release) in [
        ("--backend=gridengine start", "lighttpd", None),
        ("--backend=gridengine lighttpd start", "lighttpd", None),
        (
            "--backend gridengine --release buster uwsgi-python start",
            "uwsgi-python",
            Some("buster"),
        ),
    ] {
        let layers = asked(line);
        assert_eq!(layers.backend().unwrap(), Backend::Gridengine, "{line}");
        let settings = layers.resolve_grid("lighttpd").unwrap();
        assert_eq!(
            (settings.kind.as_deref(), settings.release.as_deref()),
            (Some(kind), release),
            "{line}"
        );
    }
    for option in ["--mem 1Gi", "--cpu 1", "--replicas 2"] {
        let line = format!("--backend=gridengine {option} lighttpd start");
        let error = asked(&line).resolve_grid("lighttpd").unwrap_err();
        let name = option.split(' ').next().unwrap();
        assert_eq!(
            (error.code(), error.to_string()),
            (1, format!("{name} is only for --backend=kubernetes"))
        );
    }
}
