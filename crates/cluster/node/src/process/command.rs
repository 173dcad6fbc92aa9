//! What a container runs: program, arguments, folder and environment. Pure but for looking at the file system.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{expansion::expand, view::View};
use crate::runtime::{CreateError, CreateRequest, StartError};

/// Folders of every container's PATH after the platform's own.
const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A command line, ready to be looked up and run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandLine {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) folder: PathBuf,
    /// The file system that it runs in.
    pub(super) view: View,
}

/// Puts the command of a container together.
pub(super) fn command_line(
    request: &CreateRequest,
    bin_dir: &Path,
    api: &(String, u16),
) -> Result<CommandLine, CreateError> {
    let environment = environment(request, bin_dir, api);
    let container = &request.container;
    let Some(command) = container.command.as_ref().filter(|command| !command.is_empty()) else {
        return Err(CreateError(format!(
            "container \"{}\" has no command: the process runtime has no images to take one from, so spec.containers[].command has to name it",
            container.name
        )));
    };
    let mut words = command
        .iter()
        .chain(container.args.iter().flatten())
        .map(|word| expand(word, |name| environment.get(name).cloned()));
    let program = words.next().unwrap_or_default();
    let arguments = words.collect();
    let folder = folder(container.working_dir.as_deref(), environment.get("HOME"))?;
    Ok(CommandLine {
        program,
        arguments,
        environment,
        folder,
        view: View::default(),
    })
}

/// The folder that the container names; else its home, where there is one.
fn folder(working_dir: Option<&str>, home: Option<&String>) -> Result<PathBuf, CreateError> {
    if let Some(folder) = working_dir.filter(|folder| !folder.is_empty()) {
        if !folder.starts_with('/') {
            return Err(CreateError(format!(
                "workingDir is \"{folder}\", but has to be an absolute path"
            )));
        }
        return Ok(PathBuf::from(folder));
    }
    let home = home
        .map(PathBuf::from)
        .filter(|home| home.is_absolute() && home.is_dir());
    Ok(home.unwrap_or_else(|| PathBuf::from("/")))
}

/// The platform's variables first; what the Pod says goes before them.
fn environment(request: &CreateRequest, bin_dir: &Path, api: &(String, u16)) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([
        ("PATH".to_owned(), format!("{}:{SYSTEM_PATH}", bin_dir.display())),
        ("HOSTNAME".to_owned(), request.hostname.clone()),
        ("POD_IP".to_owned(), request.address.to_string()),
        ("KUBERNETES_SERVICE_HOST".to_owned(), api.0.clone()),
        ("KUBERNETES_SERVICE_PORT".to_owned(), api.1.to_string()),
        ("KUBERNETES_SERVICE_PORT_HTTPS".to_owned(), api.1.to_string()),
    ]);
    variables.extend(request.environment.iter().cloned());
    variables
}

/// Finds the program where the container will look for it, and the folder that it starts in. Blocks for a moment.
pub(super) fn find_program(line: &CommandLine) -> Result<PathBuf, StartError> {
    let found = line.view.within(|| {
        check_folder(&line.folder)?;
        look_for_program(line)
    });
    found.unwrap_or_else(|error| {
        Err(StartError(format!(
            "the container's files cannot be seen: {error}"
        )))
    })
}

/// Looked at by the node first, because the child could only say that something was not found.
fn check_folder(folder: &Path) -> Result<(), StartError> {
    if folder.is_dir() {
        return Ok(());
    }
    Err(StartError(format!(
        "the working folder {} does not exist",
        folder.display()
    )))
}

/// As `execvp` would: a name with a slash is a path, any other is looked for in PATH.
fn look_for_program(line: &CommandLine) -> Result<PathBuf, StartError> {
    let program = &line.program;
    if program.contains('/') {
        let path = line.folder.join(program);
        return if path.exists() {
            Ok(path)
        } else {
            Err(StartError(format!(
                "exec: \"{program}\": no such file or directory"
            )))
        };
    }
    let path = line
        .environment
        .get("PATH")
        .map(String::as_str)
        .unwrap_or_default();
    path.split(':')
        .filter(|folder| !folder.is_empty())
        .map(|folder| Path::new(folder).join(program))
        .find(|candidate| is_executable(candidate))
        .ok_or_else(|| {
            StartError(format!(
                "exec: \"{program}\": executable file not found in $PATH ({path})"
            ))
        })
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::tests::request;

    fn api() -> (String, u16) {
        ("127.0.0.1".to_owned(), 6443)
    }

    #[test]
    fn a_container_without_a_command_is_refused_with_the_reason() {
        let refused =
            command_line(&request("demo", &[]), Path::new("/opt/bin"), &api()).expect_err("no command");
        assert!(refused.0.contains("no images"), "{refused}");
        assert!(refused.0.contains("\"demo\""), "{refused}");
    }

    #[test]
    fn variables_are_expanded_in_command_and_arguments() {
        let mut request = request("demo", &["sh", "-c", "$(PORT) $(NOBODY) $$(PORT)"]);
        request.environment = vec![("PORT".to_owned(), "8000".to_owned())];
        let line = command_line(&request, Path::new("/opt/bin"), &api()).expect("command");
        assert_eq!(line.arguments, ["-c", "8000 $(NOBODY) $(PORT)"]);
    }

    #[test]
    fn the_platforms_folder_comes_first_in_path_and_the_pod_has_the_last_word() {
        let mut request = request("demo", &["x"]);
        let line = command_line(&request, Path::new("/opt/bin"), &api()).expect("command");
        assert_eq!(line.environment["PATH"], "/opt/bin:/usr/local/bin:/usr/bin:/bin");
        assert_eq!(line.environment["KUBERNETES_SERVICE_PORT"], "6443");
        assert_eq!(line.folder, Path::new("/"));
        request.environment = vec![("PATH".to_owned(), "/x".to_owned())];
        let line = command_line(&request, Path::new("/opt/bin"), &api()).expect("command");
        assert_eq!(line.environment["PATH"], "/x");
    }

    #[test]
    fn a_container_starts_in_its_folder_or_its_home_or_the_root() {
        let mut request = request("demo", &["x"]);
        let folder =
            |request: &CreateRequest| command_line(request, Path::new("/b"), &api()).map(|line| line.folder);
        request.environment = vec![("HOME".to_owned(), "/no/such/home".to_owned())];
        assert_eq!(folder(&request).expect("command"), Path::new("/"));
        request.environment = vec![("HOME".to_owned(), "/tmp".to_owned())];
        assert_eq!(folder(&request).expect("command"), Path::new("/tmp"));
        request.container.working_dir = Some("/usr".to_owned());
        assert_eq!(folder(&request).expect("command"), Path::new("/usr"));
        request.container.working_dir = Some("usr".to_owned());
        assert!(folder(&request).expect_err("relative").0.contains("workingDir"));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let line = command_line(
            &request("demo", &["no-such-program"]),
            Path::new("/opt/bin"),
            &api(),
        )
        .expect("command");
        assert!(
            find_program(&line)
                .expect_err("missing")
                .0
                .contains("\"no-such-program\"")
        );
    }
}
