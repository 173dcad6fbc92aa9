//! From `webservice [OPTIONS] [TYPE] ACTION ...`, as it has always been said, to `webservice ACTION [OPTIONS]
//! [TYPE] ...`.

use std::{collections::BTreeSet, ffi::OsString};

use clap::Command;

use crate::nearest::{did_you_mean, nearest};

/// The arguments with the action first; as they are where there is no word at all.
///
/// # Errors
///
/// Where no word is an action: the one that should have been, and those that are.
pub(super) fn in_order(command: &Command, mut arguments: Vec<OsString>) -> Result<Vec<OsString>, String> {
    match words(command, &arguments) {
        Words { action: Some(at), .. } => {
            let action = arguments.remove(at);
            arguments.insert(1, action);
            Ok(arguments)
        }
        // The type comes first, so the last word should have been an action.
        Words { others, .. } => match others.last() {
            Some(last) => Err(unknown(command, last)),
            None => Ok(arguments),
        },
    }
}

fn unknown(command: &Command, word: &str) -> String {
    let actions: Vec<_> = command
        .get_subcommands()
        .filter(|known| !known.is_hide_set())
        .collect();
    let names: Vec<_> = actions.iter().map(|action| action.get_name()).collect();
    match nearest(word, names.iter().copied()) {
        Some(meant) => format!(
            "{word:?} is no action{} If not, say one of {}",
            did_you_mean(Some(meant)),
            names.join(", ")
        ),
        None => format!("{word:?} is no action; say one of {}", names.join(", ")),
    }
}

/// The words up to the action that are neither options nor values of options.
#[derive(Default)]
struct Words<'a> {
    /// Where the action stands, or an alias of one.
    action: Option<usize>,
    others: Vec<&'a str>,
}

fn words<'a>(command: &Command, arguments: &'a [OsString]) -> Words<'a> {
    let valued = Valued::of(command);
    let mut found = Words::default();
    let mut at = 1;
    while let Some(argument) = arguments.get(at).and_then(|argument| argument.to_str()) {
        if argument == "--" {
            break;
        }
        if argument.len() > 1 && argument.starts_with('-') {
            at += if valued.takes_next(argument) { 2 } else { 1 };
            continue;
        }
        if command.find_subcommand(argument).is_some() {
            found.action = Some(at);
            break;
        }
        found.others.push(argument);
        at += 1;
    }
    found
}

/// The options, of whatever action, that take a value.
struct Valued {
    long: BTreeSet<String>,
    short: BTreeSet<char>,
}

impl Valued {
    fn of(command: &Command) -> Self {
        let options = command
            .get_subcommands()
            .flat_map(Command::get_arguments)
            .filter(|option| option.get_action().takes_values());
        let (mut long, mut short) = (BTreeSet::new(), BTreeSet::new());
        for option in options {
            let names = option.get_long_and_visible_aliases().unwrap_or_default();
            long.extend(names.into_iter().map(ToOwned::to_owned));
            short.extend(option.get_short_and_visible_aliases().unwrap_or_default());
        }
        Self { long, short }
    }

    /// Whether the argument behind this option is its value.
    fn takes_next(&self, option: &str) -> bool {
        if let Some(name) = option.strip_prefix("--") {
            return self.long.contains(name);
        }
        // Of `-fl 5` the last letter takes it; of `-l5` nothing is left to take.
        let letters = &option[1..];
        match letters
            .char_indices()
            .find(|(_, letter)| self.short.contains(letter))
        {
            Some((at, letter)) => at + letter.len_utf8() == letters.len(),
            None => false,
        }
    }
}
