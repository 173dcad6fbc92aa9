//! The families that a gateway tells.

use toolforge_exposition::{Declared, Label};

/// Bounded by the namespaces of the table: one appears when it has been asked for, and no visitor can make one.
const NAMESPACE: Label = Label::new(
    "namespace",
    "those with an Ingress that have been asked for; empty for requests that belong to no tool; `others` after 20,000",
);

pub(super) const REQUESTS: Declared = Declared::counter(
    "toolforge_gateway_requests_total",
    "Requests by the namespace that they went to, none for those that belong to no tool, and by status class",
    &[NAMESPACE, Label::new("code", "`1xx` to `5xx`")],
);
pub(super) const REQUEST_TIME: Declared = Declared::counter(
    "toolforge_gateway_request_time_seconds_total",
    "Time until the heads of answers came",
    &[NAMESPACE],
);
pub(super) const SENT: Declared = Declared::counter(
    "toolforge_gateway_sent_bytes_total",
    "Bytes of the bodies that visitors got",
    &[NAMESPACE],
);
pub(super) const ANSWER: Declared = Declared::histogram(
    "toolforge_gateway_answer_seconds",
    "Time until the head of a tool's answer came, over all tools",
    &[],
);
pub(super) const EVENTS: Declared = Declared::counter(
    "toolforge_gateway_events_total",
    "What happened besides answers of tools",
    &[Label::new(
        "event",
        "`refused`, `rate_limited`, `malformed_request`, `tls_handshake_failed`, `tool_unreachable`, `tool_broke_off`, \
         `tool_timed_out`, `sent_again`, `retries_spent`, `endpoint_passed_over`, `tool_at_limit`, `answer_cut_short`",
    )],
);
pub(super) const CONNECTIONS: Declared = Declared::gauge(
    "toolforge_gateway_connections",
    "Connections of visitors that are open",
    &[],
);
pub(super) const UPGRADED: Declared = Declared::gauge(
    "toolforge_gateway_upgraded_connections",
    "Connections that became something else, such as WebSockets",
    &[],
);
pub(super) const LINES_DROPPED: Declared = Declared::gauge(
    "toolforge_gateway_access_log_lines_dropped",
    "Lines that the access log's disk was too slow for",
    &[],
);
pub(super) const API_HEARD: Declared = Declared::gauge(
    "toolforge_gateway_api_heard",
    "Whether the API says what becomes of these objects; without it the last table is served",
    &[Label::new(
        "resource",
        "`ingressclasses`, `ingresses`, `services`, `endpointslices`",
    )],
);
pub(super) const HOSTS: Declared = Declared::gauge(
    "toolforge_gateway_hosts",
    "Hosts and patterns of hosts that something is served for",
    &[],
);
pub(super) const TABLE_CHANGED: Declared = Declared::gauge(
    "toolforge_gateway_table_changed_timestamp_seconds",
    "When the routing table last changed; 0 while it is that of an earlier run",
    &[],
);
pub(super) const CERTIFICATE_ENDS: Declared = Declared::gauge(
    "toolforge_gateway_certificate_expiry_timestamp_seconds",
    "When the certificate ends that ends first, by where they are from",
    &[Label::new("source", "`default`, `files`, `secrets`")],
);
pub(super) const REGISTRATIONS: Declared = Declared::gauge(
    "toolforge_gateway_registrations",
    "Registered webservices outside of Kubernetes, by what their checks have found",
    &[Label::new("state", "`unchecked`, `alive`, `dead`")],
);
pub(super) const REGISTERING: Declared = Declared::counter(
    "toolforge_gateway_registration_events_total",
    "What happened where webservices register, and to their registrations",
    &[Label::new(
        "event",
        "`registered`, `unregistered`, `refused`, `ident_failed`, `turned_away`, `check_failed`, `expired`, `not_kept`",
    )],
);

/// What a gateway tells.
pub const FAMILIES: &[Declared] = &[
    REQUESTS,
    REQUEST_TIME,
    SENT,
    ANSWER,
    EVENTS,
    CONNECTIONS,
    UPGRADED,
    LINES_DROPPED,
    API_HEARD,
    HOSTS,
    TABLE_CHANGED,
    CERTIFICATE_ENDS,
    REGISTRATIONS,
    REGISTERING,
];
