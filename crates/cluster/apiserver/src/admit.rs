//! Who else has a say in a write: the node's own limits and the admission chain.
//!
//! The verbs call [`Request::mutate`] before they validate, [`Request::validate`] after it, and hold
//! [`Request::within_quota`] while they write.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::MutexGuard;
use toolforge_chain::{Attributes, Operation};
use toolforge_kinds::{Status, Subresource};

use crate::authz::node::{Node, Write};
use crate::certificate_requests;
use crate::rest::Call;
use crate::store::{Key, Resource};

/// How long a Pod waits for the account of its namespace: as long as Kubernetes looks for it.
const ACCOUNT_WAIT: Duration = Duration::from_secs(2);

/// One write that asks for admission.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    call: &'a Call,
    attributes: Attributes,
}

impl<'a> Request<'a> {
    /// A write to the object `name`; `options` are `CreateOptions` and its siblings.
    pub(crate) fn new(call: &'a Call, operation: Operation, name: &str, options: Value) -> Self {
        let user = toolforge_chain::User {
            name: call.user.name.clone(),
            uid: call.user.uid.clone(),
            groups: call.user.groups.clone(),
            extra: call.user.extra.iter().cloned().collect(),
        };
        // What is done to a namespace is done in it.
        let is_namespace = (call.kind.group, call.kind.kind) == ("", "Namespace");
        let own = is_namespace.then(|| name.to_owned());
        let attributes = Attributes {
            kind: call.kind,
            operation,
            subresource: call.subresource.map(|subresource| subresource.name().to_owned()),
            namespace: call.namespace.clone().or(own),
            name: name.to_owned(),
            user,
            dry_run: call.dry_run,
            options,
            annotations: call.annotations.clone(),
        };
        Self { call, attributes }
    }

    /// The same, when the options of the request say whether it is a dry run.
    pub(crate) fn dry_run(mut self, dry_run: bool) -> Self {
        self.attributes.dry_run = dry_run;
        self
    }

    /// Lets defaults and mutating webhooks change the object; also returns warnings for the author.
    pub(crate) async fn mutate(
        &self,
        object: Value,
        old: Option<&Value>,
    ) -> Result<(Value, Vec<String>), Status> {
        if self.is_internal() {
            return Ok((object, Vec::new()));
        }
        self.await_account(&object).await;
        let (object, warnings) = self
            .call
            .api
            .chain
            .mutate(&self.attributes, Some(object), old)
            .await?;
        let object = object.ok_or_else(|| Status::internal("admission took the object away"))?;
        Ok((object, warnings))
    }

    /// A Pod may come before the account that its new namespace is about to get: waits for it a moment.
    async fn await_account(&self, object: &Value) {
        let call = self.call;
        if self.attributes.operation != Operation::Create
            || call.subresource.is_some()
            || (call.kind.group, call.kind.kind) != ("", "Pod")
        {
            return;
        }
        let name = object.pointer("/spec/serviceAccountName").and_then(Value::as_str);
        let Some(accounts) = Resource::find("", "serviceaccounts").filter(|_| name == Some("default")) else {
            return;
        };
        let key = Key::new(accounts, call.namespace.as_deref(), "default");
        let Some(mut changes) = call.api.store.subscribe(accounts) else {
            return;
        };
        let comes = async { while call.api.store.get(&key).is_none() && changes.changed().await.is_ok() {} };
        // Whether it has come is for the chain to see.
        tokio::time::timeout(ACCOUNT_WAIT, comes).await.ok();
    }

    /// Asks about a deletion: mutating webhooks too, though there is nothing for them to change.
    pub(crate) async fn delete(&self, old: &Value) -> Result<Vec<String>, Status> {
        let mut warnings = Vec::new();
        if !self.is_internal() {
            let told = self.call.api.chain.mutate(&self.attributes, None, Some(old));
            warnings = told.await?.1;
        }
        warnings.extend(self.validate(None, Some(old)).await?);
        Ok(warnings)
    }

    /// Asks everybody who may refuse, but for quota; returns warnings for the author.
    pub(crate) async fn validate(
        &self,
        object: Option<&Value>,
        old: Option<&Value>,
    ) -> Result<Vec<String>, Status> {
        if let Some(node) = Node::of(&self.call.user) {
            let verb = match self.attributes.operation {
                Operation::Create => "create",
                Operation::Delete => "delete",
                Operation::Update | Operation::Connect => "update",
            };
            let subresource = self.call.subresource.map(Subresource::name);
            let write = Write {
                kind: self.call.kind,
                verb,
                subresource,
                namespace: self.call.namespace.as_deref(),
                name: &self.attributes.name,
                object,
                old,
            };
            let pods = |name: &str| {
                let key = Key::new(Resource::find("", "pods")?, self.call.namespace.as_deref(), name);
                Some(self.call.api.store.get(&key)?.value().clone())
            };
            node.admit(write, &pods)?;
        }
        if self.attributes.operation == Operation::Create
            && self.call.subresource.is_none()
            && let Some(object) = object
        {
            certificate_requests::admit(self.call.kind, &self.attributes.name, object)?;
        }
        if self.is_internal() {
            return Ok(Vec::new());
        }
        self.call
            .api
            .chain
            .validate_unlocked(&self.attributes, object, old)
            .await
    }

    /// Checks quota. The guard is to be held until the write is visible, so that two cannot take the last of it.
    pub(crate) async fn within_quota(
        &self,
        object: &Value,
        old: Option<&Value>,
    ) -> Result<Option<MutexGuard<'a, ()>>, Status> {
        let Some(namespace) = self.call.namespace.as_deref() else {
            return Ok(None);
        };
        if self.call.subresource.is_some() || self.is_internal() || !self.has_quota(namespace) {
            return Ok(None);
        }
        let guard = self.call.api.quota_lock(namespace).await;
        self.call
            .api
            .chain
            .check_quota(&self.attributes, Some(object), old)?;
        Ok(Some(guard))
    }

    fn has_quota(&self, namespace: &str) -> bool {
        Resource::find("", "resourcequotas").is_some_and(|quotas| {
            !self
                .call
                .api
                .store
                .list(quotas, Some(namespace))
                .objects
                .is_empty()
        })
    }

    /// What the API writes for itself must not wait for webhooks that are not up yet.
    fn is_internal(&self) -> bool {
        self.call.internal
    }
}
