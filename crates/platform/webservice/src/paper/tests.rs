use std::process::Command as Process;

use super::*;

fn completion(shell: Shell) -> String {
    let kind = clap::Arg::new("type").value_parser(PossibleValuesParser::new(TYPES));
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command().arg(kind), "webservice", &mut text);
    String::from_utf8(text).unwrap()
}

/// What bash offers behind these words, the last of which is being typed.
fn offered(script: &Path, words: &[&str]) -> String {
    let line = words.join(" ");
    let run = format!(
        "source '{}'; COMP_WORDS=({}); COMP_CWORD={}; COMP_LINE='{line}'; COMP_POINT={}; \
         _webservice webservice '{}' '{}'; echo \"${{COMPREPLY[@]}}\"",
        script.display(),
        words
            .iter()
            .map(|word| format!("'{word}'"))
            .collect::<Vec<_>>()
            .join(" "),
        words.len() - 1,
        line.len(),
        words[words.len() - 1],
        words[words.len() - 2],
    );
    let output = Process::new("bash")
        .args(["--norc", "-c", &run])
        .output()
        .unwrap();
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn bash_completes_actions_types_and_options_in_both_orders() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("webservice.bash");
    std::fs::write(&script, completion(Shell::Bash)).unwrap();
    assert!(
        Process::new("bash")
            .arg("-n")
            .arg(&script)
            .status()
            .unwrap()
            .success()
    );
    for (words, expected) in [
        (&["webservice", "sta"][..], &["start", "static", "status"][..]),
        (&["webservice", "python", "sta"], &["start", "status"]),
        (&["webservice", "start", "py"], &["python", "python3.11"]),
        (&["webservice", "start", "--repl"], &["--replicas"]),
        (&["webservice", "python", "start", "--repl"], &["--replicas"]),
        (&["webservice", "start", "python", "--repl"], &["--replicas"]),
        (
            &["webservice", "logs", "--"],
            &["--follow", "--since", "--tail", "--previous"],
        ),
        (&["webservice", "env", ""], &["set", "unset", "list"]),
    ] {
        let offered = offered(&script, words);
        for word in expected {
            assert!(
                offered.split_whitespace().any(|found| found == *word),
                "{words:?}: {offered}"
            );
        }
    }
}

#[test]
fn zsh_and_fish_have_all_actions() {
    for (shell, head) in [
        (Shell::Zsh, "#compdef webservice"),
        (Shell::Fish, "complete -c webservice"),
    ] {
        let text = completion(shell);
        assert!(text.contains(head));
        for action in command().get_subcommands() {
            assert!(text.contains(action.get_name()), "{shell}: {}", action.get_name());
        }
    }
}

#[test]
fn each_action_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    write_pages(folder.path()).unwrap();
    for (page, words) in [
        ("webservice.1", "webservice"),
        ("webservice-start.1", "health"),
        ("webservice-env-set.1", "standard input"),
    ] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.starts_with(".ie") || text.contains(".TH"), "{page}");
        assert!(text.contains(words), "{page}: {text}");
    }
}
