//! Type nodejs: `npm start` in `~/www/js`, or what its script says where npm is missing.

use super::{
    machine,
    place::Place,
    work::{Process, Work},
};
use crate::needs::start_script;

pub(super) fn prepare(place: &Place) -> Result<Work, String> {
    let folder = place.home.join("www/js");
    let node = machine::need(&["node", "nodejs"], "nodejs", "type nodejs")?;
    if let Some(npm) = machine::find("npm") {
        let mut command = place.command(npm, &folder);
        command
            .arg("start")
            // It would write to the home, and ask the network, at each start.
            .env("npm_config_update_notifier", "false");
        if !place.extra.is_empty() {
            command.arg("--").args(&place.extra);
        }
        return Ok(Process::with_children(command));
    }
    let path = folder.join("package.json");
    let package = std::fs::read_to_string(&path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let script = start_script(&package).map_err(|what| format!("{} {what}", path.display()))?;
    let Some(arguments) = node_arguments(&script) else {
        return Err(format!(
            "npm is not installed here, and the script `start` ({script}) needs it; write \"node FILE\" there, or have an operator install Debian's package npm"
        ));
    };
    let mut command = place.command(node, &folder);
    command.args(arguments).args(&place.extra);
    Ok(Process::alone(command))
}

/// The arguments of a script that is nothing but `node FILE ...`, which needs no shell.
fn node_arguments(script: &str) -> Option<Vec<&str>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@ ".contains(c);
    let mut words = script.split(' ').filter(|word| !word.is_empty());
    let is_node = script.chars().all(plain) && words.next() == Some("node");
    let words: Vec<&str> = words.collect();
    (is_node && !words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_call_of_node_does_without_npm() {
        assert_eq!(node_arguments("node  server.js"), Some(vec!["server.js"]));
        assert_eq!(
            node_arguments("node --enable-source-maps ./dist/a.js"),
            Some(vec!["--enable-source-maps", "./dist/a.js"])
        );
        for script in [
            "node",
            "next start",
            "node a.js && node b.js",
            "PORT=1 node a.js",
            "node $FILE",
        ] {
            assert_eq!(node_arguments(script), None, "{script}");
        }
    }
}
