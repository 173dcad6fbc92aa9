//! What a maintainer sees at a terminal: shells, colours, questions. The terminal is tmux.

use std::{os::unix::fs::PermissionsExt as _, process::Command};

use toolforge_testkit::{Outcome, Scratch, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

/// A terminal in which somebody is the tool `hello`.
struct Terminal {
    socket: std::path::PathBuf,
}

impl Terminal {
    fn open(scratch: &Scratch, editor: &str) -> Self {
        let terminal = Self {
            socket: scratch.path().join("tmux"),
        };
        let config = scratch.path().join("tmux.conf");
        std::fs::write(&config, "set -g status off\nset -g history-limit 5000\n")
            .expect("the scratch folder can be written");
        let program = scratch.command(&["become", "hello"]);
        let mut words = vec!["-f".to_owned(), config.display().to_string()];
        words.extend(["new-session", "-d", "-x", "100", "-y", "30"].map(ToOwned::to_owned));
        words.extend(["env", "-u", "NO_COLOR"].map(ToOwned::to_owned));
        words.push(format!("EDITOR={editor}"));
        words.push(format!("TOOLFORGE_DATA={}", scratch.data().display()));
        words.push(program.get_program().to_string_lossy().into_owned());
        words.extend(program.get_args().map(|word| word.to_string_lossy().into_owned()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        terminal.tmux(&words);
        terminal
    }

    fn tmux(&self, words: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(words).env_remove("TMUX");
        Outcome::of(&mut command).ok()
    }

    /// Types a line.
    fn say(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    fn key(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    fn resize(&self, columns: &str, rows: &str) {
        self.tmux(&["resize-window", "-x", columns, "-y", rows]);
    }

    /// All that was shown, with its colours where they are asked for.
    fn shown(&self, colours: bool) -> String {
        let mut words = vec!["capture-pane", "-p", "-J", "-S", "-"];
        words.extend(colours.then_some("-e"));
        self.tmux(&words)
    }

    /// Waits until a line begins like this.
    fn until(&self, words: &str) {
        eventually(words, || {
            let shown = self.shown(false);
            let found = shown.lines().any(|line| line.trim_start().starts_with(words));
            if found { Ok(()) } else { Err(shown) }
        });
    }

    fn clear(&self) {
        self.say("clear; tput E3 2>/dev/null");
        self.tmux(&["clear-history"]);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).arg("kill-server");
        // It may have ended by itself.
        let _ = command.output();
    }
}

/// Writes a template with an error at first, and one without when it is asked again.
const EDITOR: &str = "#!/bin/sh\n\
    if grep -q lots \"$1\"; then echo 'type: static\nmem: 300Mi' > \"$1\"; else echo 'mem: lots' > \"$1\"; fi\n";

#[test]
fn a_terminal_is_passed_on_whole() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let editor = scratch.path().join("editor");
    std::fs::write(&editor, EDITOR).unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    let terminal = Terminal::open(&scratch, &editor.to_string_lossy());
    terminal.say("echo here I am | tr I i");
    terminal.until("here i am");

    // A shell has the size of the terminal, also when that changes, and gets the keys.
    terminal.say("webservice static shell; echo left: $? $(stty -a | grep -c ' echo ')");
    terminal.say("echo inside: $(stty size) $HOSTNAME");
    terminal.until("inside: 30 100 shell-");
    terminal.resize("80", "24");
    terminal.say("echo smaller: $(stty size)");
    terminal.until("smaller: 24 80");
    terminal.say("echo sleeping | tr a-z A-Z; sleep 600");
    terminal.until("SLEEPING");
    terminal.key("C-c");
    terminal.until("^C");
    terminal.say("echo code: $?");
    terminal.until("code: 130");
    terminal.say("exit 7");
    terminal.until("left: 7 1");
    let left = scratch.kubectl_as("hello", &["get", "pods", "-o", "name"]).ok();
    assert_eq!(left, "");

    // One that loses its terminal leaves nothing either.
    terminal.say("webservice static shell");
    terminal.say("echo again: $HOSTNAME");
    terminal.until("again: shell-");
    terminal.tmux(&["respawn-pane", "-k"]);
    eventually("the end of the Pod", || {
        match scratch
            .kubectl_as("hello", &["get", "pods", "-o", "name"])
            .ok()
            .as_str()
        {
            "" => Ok(()),
            pods => Err(pods.to_owned()),
        }
    });

    // A template with an error is shown again; the old one stays until it is good.
    terminal.say("webservice edit --apply");
    terminal.until("Edit it again? [Y/n]");
    assert!(
        terminal
            .shown(false)
            .contains("lots is not a valid Kubernetes quantity")
    );
    assert!(!scratch.home("hello").join("service.template").exists());
    terminal.say("y");
    terminal.until("~/service.template is saved");
    terminal.until("Your webservice of type static is running at");

    // Logs have colours here, unless somebody does not want them.
    terminal.clear();
    terminal.say("webservice logs; echo done: logs");
    terminal.until("done: logs");
    assert!(
        terminal.shown(true).contains("\u{1b}[36m20"),
        "{:?}",
        terminal.shown(true)
    );
    terminal.clear();
    terminal.say("NO_COLOR=1 webservice logs; echo done: plain");
    terminal.until("done: plain");
    assert!(
        !terminal.shown(true).contains("\u{1b}[36m"),
        "{:?}",
        terminal.shown(true)
    );

    // A value that is typed is not shown.
    terminal.say("webservice env set --no-restart PASSWORD");
    terminal.until("Value of PASSWORD");
    terminal.say("swordfish");
    terminal.until("The environment is changed");
    assert!(!terminal.shown(false).contains("swordfish"));
    terminal.say("webservice env list --show-values");
    terminal.until("PASSWORD=swordfish");
}
