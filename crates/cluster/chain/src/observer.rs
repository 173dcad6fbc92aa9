//! Who wants to know how webhooks fare, for metrics.

use std::time::Duration;

use crate::attributes::Operation;

/// One call of a webhook that has ended.
#[derive(Debug, Clone, Copy)]
pub struct WebhookCall<'a> {
    /// The name of the webhook.
    pub name: &'a str,
    /// Whether it may change the object.
    pub is_mutating: bool,
    /// What is done to the object.
    pub operation: Operation,
    /// Whether the write was refused on its account, also because it could not be asked.
    pub rejected: bool,
    /// How long it took.
    pub taken: Duration,
}

/// Is told of each call of a webhook; must be quick.
pub trait Observer: Send + Sync {
    /// A call has ended.
    fn webhook_called(&self, call: &WebhookCall<'_>);
}
