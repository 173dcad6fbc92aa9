//! `toolforge become`: a shell, or one command, as a tool: its user where this process may change it, its
//! home, its kubeconfig, and `webservice` on its PATH.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, anyhow};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt as _};
use toolforge_model::{ToolAccount, ToolName};

use crate::{cli::BecomeArgs, tool::admin_client, up::layout::Layout};

/// What a tool finds its programs in, behind the platform's own.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Variables that go along into the shell: how the terminal and the language are, and which editor is liked.
const KEPT: [&str; 7] = [
    "TERM",
    "LANG",
    "LC_ALL",
    "COLORTERM",
    "NO_COLOR",
    "VISUAL",
    "EDITOR",
];

pub(crate) fn run(arguments: &BecomeArgs) -> anyhow::Result<ExitCode> {
    let name: ToolName = arguments
        .name
        .parse()
        .with_context(|| format!("{:?} is no tool's name", arguments.name))?;
    let layout = Layout::settle(arguments.data.data.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let account = runtime.block_on(account(&layout, &name))?;
    drop(runtime);
    let mut command = command(arguments, &name, &account, &layout);
    // Only a failure comes back from here.
    let error = command.exec();
    Err(error).with_context(|| format!("{} cannot be run", command.get_program().display()))
}

async fn account(layout: &Layout, name: &ToolName) -> anyhow::Result<ToolAccount> {
    let client = admin_client(layout).await?;
    let namespaces: Api<Namespace> = Api::all(client);
    let namespace = namespaces
        .get_opt(name.namespace().as_str())
        .await
        .context("the API does not answer; is the platform running?")?
        .ok_or_else(|| {
            anyhow!("there is no tool called {name}; `toolforge tool list` shows those that there are")
        })?;
    ToolAccount::from_annotations(namespace.annotations())
        .with_context(|| format!("{name} is not ready yet; try again in a moment"))
}

fn command(arguments: &BecomeArgs, name: &ToolName, account: &ToolAccount, layout: &Layout) -> Command {
    let home = PathBuf::from(&account.home);
    let mut command = if let Some((program, rest)) = arguments.command.split_first() {
        let mut command = Command::new(program);
        command.args(rest);
        command
    } else {
        let mut command = Command::new("/bin/bash");
        command.args(["--noprofile", "-i"]);
        command
    };
    command
        .env_clear()
        .envs(KEPT.iter().filter_map(|key| Some((key, std::env::var_os(key)?))));
    command
        .env("HOME", &home)
        .env("KUBECONFIG", home.join(".kube/config"))
        .env("PATH", search_path(&layout.bin()))
        .env("USER", format!("{}.{name}", crate::settings::PROJECT))
        .env("LOGNAME", format!("{}.{name}", crate::settings::PROJECT))
        .env("SHELL", "/bin/bash")
        .env(
            "PS1",
            format!("{}.{name}@toolforge:\\w$ ", crate::settings::PROJECT),
        )
        .current_dir(&home);
    if rustix::process::geteuid().is_root() {
        // No group of root's stays behind: std drops supplementary groups when it sets the user as root.
        command.uid(account.uid).gid(account.uid);
    }
    command
}

fn search_path(bin: &Path) -> OsString {
    let mut path = bin.as_os_str().to_owned();
    path.push(OsStr::new(":"));
    path.push(PATH);
    path
}
