//! The families that the account service tells.

use toolforge_exposition::{Declared, Label};

const ACCOUNT_TYPE: Label = Label::new("account_type", "`tool`, `admin`");

pub(super) const RUNS: Declared = Declared::histogram(
    "maintain_kubeusers_run_seconds",
    "Time that a look at all accounts took",
    &[],
);
pub(super) const RUN_FINISHED: Declared = Declared::gauge(
    "maintain_kubeusers_run_finished",
    "When the last look at all accounts ended, in seconds since 1970",
    &[],
);
pub(super) const CREATED: Declared = Declared::counter(
    "maintain_kubeusers_accounts_created_total",
    "Accounts that got their first credentials",
    &[ACCOUNT_TYPE],
);
pub(super) const RENEWED: Declared = Declared::counter(
    "maintain_kubeusers_accounts_renewed_total",
    "Accounts that got new credentials",
    &[ACCOUNT_TYPE],
);
pub(super) const DISABLED: Declared = Declared::counter(
    "maintain_kubeusers_accounts_disabled_total",
    "Accounts that were locked",
    &[ACCOUNT_TYPE],
);
pub(super) const REMOVED: Declared = Declared::counter(
    "maintain_kubeusers_accounts_removed_total",
    "Accounts that were removed",
    &[ACCOUNT_TYPE],
);
pub(super) const ACCOUNTS: Declared = Declared::gauge(
    "toolforge_accounts_accounts",
    "Accounts by how they stand",
    &[
        ACCOUNT_TYPE,
        Label::new("state", "`active`, `failing`, `locked`, `removed`, `held`"),
    ],
);
pub(super) const QUEUE: Declared = Declared::gauge(
    "toolforge_accounts_queue_length",
    "Accounts that are due, that have their turn, and that wait for their time",
    &[Label::new("state", "`due`, `running`, `waiting`")],
);
pub(super) const TURNS: Declared = Declared::histogram(
    "toolforge_accounts_turn_seconds",
    "Time that a turn took",
    &[Label::new("result", "`done`, `failed`")],
);
pub(super) const FAILURES: Declared = Declared::counter(
    "toolforge_accounts_turn_failures_total",
    "Turns that failed, by what was in the way",
    &[Label::new(
        "cause",
        "`entry`, `clash`, `home`, `api`, `certificate_refused`, `certificate`, `archive`, `leaving`, `not_leading`, `fault`",
    )],
);
pub(super) const LEADING: Declared = Declared::gauge(
    "toolforge_accounts_leading",
    "Whether this replica is the one that acts",
    &[],
);
pub(super) const DIRECTORY_CONNECTED: Declared = Declared::gauge(
    "toolforge_accounts_directory_connected",
    "Whether the directory was read when it was last tried",
    &[],
);
pub(super) const DIRECTORY_READ: Declared = Declared::gauge(
    "toolforge_accounts_directory_read_timestamp_seconds",
    "When the directory was last read",
    &[],
);
pub(super) const SOONEST_EXPIRY: Declared = Declared::gauge(
    "toolforge_accounts_soonest_credential_expiry_timestamp_seconds",
    "When the first credentials of an active account end",
    &[],
);

/// What the account service tells.
pub const FAMILIES: &[Declared] = &[
    RUNS,
    RUN_FINISHED,
    CREATED,
    RENEWED,
    DISABLED,
    REMOVED,
    ACCOUNTS,
    QUEUE,
    TURNS,
    FAILURES,
    LEADING,
    DIRECTORY_CONNECTED,
    DIRECTORY_READ,
    SOONEST_EXPIRY,
];
