//! The families that the webhook server tells.

use toolforge_exposition::{Declared, Label};

const GUARD: Label = Label::new(
    "guard",
    "`ingress`, `images`, `pod`, `mutate-pod`, `service`, `endpoints`, `volumes`, `mutate-volumes`",
);

pub(super) const REVIEWS: Declared = Declared::counter(
    "toolforge_admission_reviews_total",
    "Reviews that were answered",
    &[
        GUARD,
        Label::new("operation", "`create`, `update`, `delete`, `connect`"),
        Label::new(
            "verdict",
            "`allowed`, `refused`, or `later` where nobody could say yet",
        ),
    ],
);
pub(super) const DURATIONS: Declared = Declared::histogram(
    "toolforge_admission_review_duration_seconds",
    "Time from a read review to its answer",
    &[GUARD],
);
pub(super) const UNREADABLE: Declared = Declared::counter(
    "toolforge_admission_unreadable_requests_total",
    "Requests that were no review, and were answered with an HTTP error",
    &[Label::new(
        "reason",
        "`content_type`, `too_large`, `too_slow`, `broken`, `busy`, `empty`, `json`, `kind`, `incomplete`",
    )],
);
pub(super) const LOOK_UPS: Declared = Declared::counter(
    "toolforge_admission_account_lookups_total",
    "Looks at the API for the account of a tool that was not known yet",
    &[Label::new("result", "`found`, `missing`, `failed`")],
);
pub(super) const CERTIFICATE_ENDS: Declared = Declared::gauge(
    "toolforge_admission_certificate_expiry_timestamp_seconds",
    "When the certificate that is presented ends",
    &[],
);

/// What the webhook server tells.
pub const FAMILIES: &[Declared] = &[REVIEWS, DURATIONS, UNREADABLE, LOOK_UPS, CERTIFICATE_ENDS];
