//! The families that the API tells, under the names that Kubernetes' dashboards know.

use toolforge_exposition::{Declared, Label};

const VERB: Label = Label::new(
    "verb",
    "`GET`, `LIST`, `WATCH`, `POST`, `PUT`, `PATCH`, `DELETE`, `DELETECOLLECTION`, `other`",
);
const GROUP: Label = Label::new("group", "of resources that are served");
const VERSION: Label = Label::new("version", "of resources that are served");
const RESOURCE: Label = Label::new(
    "resource",
    "of those that are served; empty for other paths; `other` after 2,000 series",
);
const SUBRESOURCE: Label = Label::new("subresource", "of resources that are served");
const SCOPE: Label = Label::new("scope", "`resource`, `namespace`, `cluster`, or empty");
const COMPONENT: Label = Label::new("component", "`apiserver`");
const CODE: Label = Label::new("code", "status codes that the API answers with");

const SUBJECT: &[Label] = &[VERB, GROUP, VERSION, RESOURCE, SUBRESOURCE, SCOPE, COMPONENT];

pub(super) const REQUESTS: Declared = Declared::counter(
    "apiserver_request_total",
    "Requests answered, by what they were about and the code of the answer",
    &[
        VERB,
        GROUP,
        VERSION,
        RESOURCE,
        SUBRESOURCE,
        SCOPE,
        COMPONENT,
        CODE,
    ],
);
pub(super) const DURATIONS: Declared = Declared::histogram(
    "apiserver_request_duration_seconds",
    "Time until a request was answered; streams are not among them",
    SUBJECT,
);
pub(super) const IN_FLIGHT: Declared = Declared::gauge(
    "apiserver_current_inflight_requests",
    "Requests that wait for their answer now; streams are not among them",
    &[Label::new(
        "request_kind",
        "`mutating`, `readOnly`, as in Kubernetes",
    )],
);
pub(super) const LONG_RUNNING: Declared = Declared::gauge(
    "apiserver_longrunning_requests",
    "Watches and other streams that are open",
    SUBJECT,
);
pub(super) const WEBHOOKS: Declared = Declared::histogram(
    "apiserver_admission_webhook_admission_duration_seconds",
    "Time until an admission webhook answered",
    &[
        Label::new(
            "name",
            "of webhooks that are configured; `other` after 200 series",
        ),
        Label::new("type", "`admit`, `validating`"),
        Label::new("operation", "`CREATE`, `UPDATE`, `DELETE`, `CONNECT`"),
        Label::new("rejected", "`true`, `false`"),
    ],
);
pub(super) const OBJECTS: Declared = Declared::gauge(
    "apiserver_storage_objects",
    "Objects that are stored, by resource",
    &[Label::new(
        "resource",
        "every resource that is stored, as `PLURAL.GROUP`",
    )],
);
pub(super) const REVISION: Declared = Declared::gauge(
    "apiserver_storage_revision",
    "The revision of the latest write",
    &[],
);

pub(super) const SIZE: Declared = Declared::gauge(
    "apiserver_storage_size_bytes",
    "Bytes of the store's files: the snapshot and the journals",
    &[],
);
pub(super) const REPLAY: Declared = Declared::gauge(
    "toolforge_storage_replay_bytes",
    "Bytes of journals that the next start reads on top of the snapshot",
    &[],
);
pub(super) const FREE: Declared = Declared::gauge(
    "toolforge_storage_free_bytes",
    "Bytes that are left on the disk of the store",
    &[],
);
pub(super) const WRITING: Declared = Declared::gauge(
    "toolforge_storage_writing",
    "Whether the disk took the last write: 0 while it is full or broken, and writes are refused",
    &[],
);
pub(super) const FLUSHES: Declared = Declared::histogram(
    "toolforge_storage_flush_seconds",
    "Time until the disk had a group of writes, which are answered together",
    &[],
);

/// What the API tells; besides, it tells of the process.
pub const FAMILIES: &[Declared] = &[
    REQUESTS,
    DURATIONS,
    IN_FLIGHT,
    LONG_RUNNING,
    WEBHOOKS,
    OBJECTS,
    REVISION,
    SIZE,
    REPLAY,
    FREE,
    WRITING,
    FLUSHES,
];
