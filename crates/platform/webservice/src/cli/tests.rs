use super::*;

fn read(line: &str) -> Result<Cli, clap::Error> {
    Cli::read(
        std::iter::once("webservice")
            .chain(line.split_whitespace())
            .map(OsString::from),
    )
}

fn start(line: &str) -> StartArgs {
    match read(line).unwrap().action {
        Action::Start(arguments) | Action::Restart(arguments) => arguments,
        other => unreachable!("{line}: {other:?}"),
    }
}

#[test]
fn clap_finds_no_fault_in_the_command() {
    Cli::complete().debug_assert();
}

#[test]
fn the_type_may_come_before_the_action_and_behind_it() {
    for line in [
        "python start -m 1Gi",
        "start python -m 1Gi",
        "start -m 1Gi python",
        "-m 1Gi python start",
        "--mem 1Gi start python",
        "--mem=1Gi python start",
        "-m1Gi start python",
    ] {
        let settings = start(line).settings;
        assert_eq!(
            (settings.kind.as_deref(), settings.mem.as_deref()),
            (Some("python"), Some("1Gi")),
            "{line}"
        );
    }
    assert_eq!(start("start").settings.kind, None);
}

#[test]
fn the_value_of_an_option_is_no_action() {
    // A tool may say the most confusing things.
    assert_eq!(start("--mem stop start").settings.mem.as_deref(), Some("stop"));
    assert!(matches!(
        read("-fl 5 logs").unwrap().action,
        Action::Logs(LogsArgs {
            last: Some(5),
            follow: true,
            ..
        })
    ));
    assert!(matches!(read("-r 2 stop").unwrap().action, Action::Stop(_)));
}

#[test]
fn what_follows_two_hyphens_belongs_to_the_tool() {
    for line in [
        "generic start -- ./serve --port start",
        "start generic -- ./serve --port start",
    ] {
        assert_eq!(
            start(line).settings.extra,
            ["./serve", "--port", "start"],
            "{line}"
        );
    }
}

#[test]
fn a_word_that_is_no_action_is_named_with_those_that_are() {
    for line in ["static", "static strat", "strat"] {
        let error = read(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        let text = error.to_string();
        let wrong = line.split_whitespace().last().unwrap();
        assert!(
            text.contains(&format!("\"{wrong}\" is no action")) && text.contains("say one of start, stop"),
            "{line}: {text}"
        );
    }
}

#[test]
fn help_of_an_action_shows_what_it_uses() {
    let help = |line: &str| read(line).unwrap_err().to_string();
    assert!(help("start --help").contains("--mem"));
    assert!(!help("stop --help").contains("--mem"));
    assert!(help("--help").contains("Examples"));
}

#[test]
fn the_help_of_each_action_is_as_it_was_agreed() {
    for name in [
        "start", "restart", "stop", "scale", "status", "logs", "shell", "exec", "env", "history", "rollback",
        "edit", "why", "migrate",
    ] {
        let help = read(&format!("{name} --help")).unwrap_err().to_string();
        insta::assert_snapshot!(format!("help_of_{name}"), help);
    }
}
