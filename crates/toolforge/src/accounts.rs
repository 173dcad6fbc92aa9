//! `toolforge accounts`: the account service, and what an operator looks at and decides about it.
//!
//! The service needs the directory; the subcommands need nothing but a kubeconfig.

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use tokio::sync::watch;
use toolforge_accounts::{Account, Config, Election, LEASE, Lifecycle, Line, State, Waiting};

use toolforge_pki::KeyKind;

use crate::{
    cli::{AccountsArgs, ClusterArgs},
    client, component,
    followed::FollowedFile,
    objects, policy,
};

/// What to look at, or to decide.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountsCommand {
    /// List all accounts with their state; exit code 2 with --failing when there are any
    List(ListArgs),
    /// Show the removals that wait for an approval
    Pending(PendingArgs),
    /// Approve exactly the removals that `pending` shows with this digest
    Approve(ApproveArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Only those that are not as they should be
    #[arg(long)]
    failing: bool,
    /// How to print: text, or json (an array)
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct PendingArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// What `toolforge accounts pending` calls them
    #[arg(value_name = "DIGEST")]
    digest: String,
}

/// Look, and do nothing.
#[derive(Debug, Args)]
#[command(next_help_heading = "Dry run")]
pub(crate) struct DryRunArgs {
    /// Print what the service would do now with these options, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// How to print it: text, or json
    #[arg(short, long, value_enum, default_value_t = Format::Text, requires = "dry_run")]
    output: Format,
}

/// When accounts are removed, and what becomes of what they had.
#[derive(Debug, Args)]
#[command(next_help_heading = "Locked and removed accounts")]
pub(crate) struct LifecycleArgs {
    /// How many days the objects of a locked tool are kept
    #[arg(long, value_name = "DAYS", default_value_t = days(toolforge_accounts::GRACE))]
    locked_grace_days: u64,
    /// How many days the objects of a tool are kept that is gone from the directory
    #[arg(long, value_name = "DAYS", default_value_t = days(toolforge_accounts::GRACE))]
    removed_grace_days: u64,
    /// How many accounts may be removed in a day without an approval
    #[arg(long, value_name = "COUNT", default_value_t = toolforge_accounts::MOST_REMOVALS)]
    most_removals: usize,
    /// And what share of all accounts, in percent; one may always be removed
    #[arg(long, value_name = "PERCENT", default_value_t = toolforge_accounts::MOST_REMOVALS_PERCENT)]
    most_removals_percent: u8,
    /// The pause in seconds between removals once that many went at once, and between deletions of namespaces
    #[arg(long, value_name = "SECONDS", default_value_t = toolforge_accounts::REMOVAL_PAUSE.as_secs())]
    removal_pause_seconds: u64,
    /// Where the objects of tools are archived before they are deleted
    #[arg(long, value_name = "DIR", default_value = toolforge_accounts::ARCHIVE)]
    archive: std::path::PathBuf,
}

/// What credentials are like.
#[derive(Debug, Args)]
#[command(next_help_heading = "Credentials")]
pub(crate) struct CredentialArgs {
    /// What kind of key: ecdsa-p256, ecdsa-p384, rsa-2048 or rsa-4096; credentials that are there keep theirs until they are renewed
    #[arg(long, value_name = "KIND", default_value_t = KeyKind::default())]
    key_type: KeyKind,
    /// How long certificates are to live [default: as long as the signer likes]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(600..=i64::from(i32::MAX)))]
    certificate_lifetime_seconds: Option<u32>,
    /// How long before their end they are renewed; never more than a third of their lifetime
    #[arg(long, value_name = "SECONDS", default_value_t = toolforge_accounts::RENEW_BEFORE.as_secs())]
    renew_before_seconds: u64,
}

impl CredentialArgs {
    fn fill(&self, config: &mut Config) {
        config.key = self.key_type;
        let lifetime = self.certificate_lifetime_seconds;
        config.certificate_lifetime = lifetime.map(|seconds| Duration::from_secs(seconds.into()));
        config.renew_before = Duration::from_secs(self.renew_before_seconds);
    }
}

/// Which of several replicas acts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Several replicas")]
pub(crate) struct ElectionArgs {
    /// There is no other replica: act at once, without a Lease
    #[arg(long, conflicts_with_all = ["lease_namespace", "lease_seconds"])]
    alone: bool,
    /// The namespace of the Lease `toolforge-accounts`, whose holder acts
    #[arg(long, value_name = "NAMESPACE", default_value = objects::SERVICE_NAMESPACE)]
    lease_namespace: String,
    /// How long a replica may be silent before another acts in its place; after two thirds of it, it stops by itself
    #[arg(long, value_name = "SECONDS", default_value_t = LEASE_SECONDS,
        value_parser = clap::value_parser!(u32).range(3..=3600))]
    lease_seconds: u32,
}

/// As long as the leaders of Kubernetes itself have.
const LEASE_SECONDS: u32 = 15;

impl ElectionArgs {
    fn resolve(self) -> Option<Election> {
        let Self {
            alone,
            lease_namespace,
            lease_seconds,
        } = self;
        let machine = rustix::system::uname();
        // In a Pod the machine's name is the Pod's; the number tells this process from those before it.
        let identity = format!(
            "{}_{:016x}",
            machine.nodename().to_string_lossy(),
            rand::random::<u64>()
        );
        let duration = Duration::from_secs(lease_seconds.into());
        let election = Election::new(lease_namespace, LEASE.to_owned(), identity, duration);
        (!alone).then_some(election)
    }
}

const fn days(period: Duration) -> u64 {
    period.as_secs() / (24 * 3600)
}

impl LifecycleArgs {
    fn resolve(self) -> Lifecycle {
        Lifecycle {
            locked_grace: Duration::from_hours(24 * self.locked_grace_days),
            removed_grace: Duration::from_hours(24 * self.removed_grace_days),
            most_removals: self.most_removals,
            most_removals_percent: self.most_removals_percent,
            removal_pause: Duration::from_secs(self.removal_pause_seconds),
            archive: self.archive,
            ..Lifecycle::default()
        }
    }
}

pub(crate) fn run(arguments: AccountsArgs) -> anyhow::Result<ExitCode> {
    match arguments.command {
        None => serve(arguments),
        Some(AccountsCommand::List(asked)) => list(&asked),
        Some(AccountsCommand::Pending(asked)) => ask(&asked.cluster, async |client| {
            match toolforge_accounts::pending(&client).await? {
                None => anstream::println!("no removals wait for an approval"),
                Some(waiting) => show(&waiting),
            }
            Ok(())
        }),
        Some(AccountsCommand::Approve(asked)) => ask(&asked.cluster, async |client| {
            let approved = toolforge_accounts::approve(&client, asked.digest.trim()).await?;
            anstream::println!("approved: {} accounts will be removed", approved.accounts.len());
            Ok(())
        }),
    }
}

/// There are accounts that are not as they should be.
const SOME_FAIL: u8 = 2;

fn list(asked: &ListArgs) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    ask(&asked.cluster, async |client| {
        let mut lines = toolforge_accounts::list(&client).await?;
        if asked.failing {
            lines.retain(|line| !is_well(line.state));
            if !lines.is_empty() {
                code = ExitCode::from(SOME_FAIL);
            }
        }
        match asked.output {
            Format::Json => anstream::println!("{}", serde_json::to_string_pretty(&lines)?),
            Format::Text => print_lines(&lines),
        }
        Ok(())
    })?;
    Ok(code)
}

fn is_well(state: State) -> bool {
    matches!(state, State::Active | State::Locked | State::Removed)
}

fn print_lines(lines: &[Line]) {
    let width = lines
        .iter()
        .map(|line| line.account.len())
        .max()
        .unwrap_or_default()
        .max(7);
    anstream::println!("{:width$}  STATE    CREDENTIALS UNTIL     WHY", "ACCOUNT");
    for line in lines {
        // In lower case, as in JSON.
        let state = format!("{:?}", line.state).to_lowercase();
        let end = line
            .credentials_end
            .map(|end| end.to_string())
            .unwrap_or_default();
        let since = line
            .since
            .map(|since| format!(" (since {since})"))
            .unwrap_or_default();
        let why = line.reason.clone().unwrap_or_default();
        anstream::println!("{:width$}  {state:8} {end:20}  {why}{since}", line.account);
    }
}

fn dry_run(cluster: &ClusterArgs, config: &Config, output: Format) -> anyhow::Result<ExitCode> {
    ask(cluster, async |client| {
        let found = toolforge_accounts::dry_run(&client, config).await?;
        match output {
            Format::Json => anstream::println!("{}", serde_json::to_string_pretty(&found)?),
            Format::Text => anstream::print!("{found}"),
        }
        Ok(())
    })
}

fn serve(arguments: AccountsArgs) -> anyhow::Result<ExitCode> {
    let ldap = arguments.directory.access()?;
    let mut config = Config::new(ldap, arguments.home_root, arguments.admin_home_root);
    config.lifecycle = arguments.lifecycle.resolve();
    config.election = arguments.election.resolve();
    arguments.credentials.fill(&mut config);
    if let Some(path) = &arguments.policy {
        config.tool_class = policy::read(path)?.resolve_pods()?;
    }
    let address = arguments.listen;
    let overrides = arguments.overrides.map(FollowedFile::overrides);
    // What is wrong with it is said before anything begins.
    let read = overrides.as_ref().map(FollowedFile::read).transpose()?;
    if arguments.dry_run.dry_run {
        config.overrides = watch::channel(Arc::new(read.unwrap_or_default())).1;
        return dry_run(&arguments.cluster, &config, arguments.dry_run.output);
    }
    component::run(&arguments.cluster, |client, stop| async move {
        if let Some(file) = overrides {
            config.overrides = file.follow()?;
        }
        if let Some(address) = address {
            config.listener = Some(component::listen(address).await?);
        }
        Ok(toolforge_accounts::run(client, config, stop).await?)
    })
}

fn ask(
    cluster: &ClusterArgs,
    question: impl AsyncFnOnce(kube::Client) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = client::from_file(cluster.kubeconfig.as_deref()).await?;
        question(client).await
    })?;
    Ok(ExitCode::SUCCESS)
}

fn show(waiting: &Waiting) {
    let Waiting { since, accounts } = waiting;
    anstream::println!(
        "{} accounts are gone from the directory since {since}:",
        accounts.len()
    );
    for account in accounts {
        let loses = match account {
            Account::Tool(name) => {
                format!(
                    "{}: its access at once, what it runs, and its objects after the grace period",
                    name.namespace()
                )
            }
            Account::Admin(_) => "the roles view and k8s-admin".to_owned(),
        };
        anstream::println!("  - {account} loses {loses}");
    }
    anstream::println!(
        "\nNothing has been done to them. If this is right:  toolforge accounts approve {}\n\
         If it is not, correct the directory: what is there again keeps everything.",
        waiting.digest()
    );
}
