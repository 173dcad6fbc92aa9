//! What an account that may not go on would lose: the steps of `withdraw.rs`, in its order, and what they take.

use std::collections::BTreeMap;

use serde_json::Value;
use toolforge_model::ToolName;
use toolforge_policy::psp::{self, tool_policy_name};

use super::{
    Seen,
    active::key,
    changes::changes,
    plan::{Step, Verb},
};
use crate::{
    archive, desired,
    desired::{ADMIN_NAMESPACE, MARKER},
    plan::ObjectKey,
    reconcile::{ReconcileError, namespace_key},
    stop,
    withdraw::remaining,
    withdrawn::{Reason, Withdrawn},
};

impl Seen<'_> {
    pub(super) async fn withdraw_tool(
        &self,
        name: &ToolName,
        reason: Reason,
        steps: &mut Vec<Step>,
    ) -> Result<(), ReconcileError> {
        let namespace = name.namespace();
        for binding in desired::tool_bindings(name) {
            self.delete(&binding, steps);
        }
        let found = self.cache.find(&namespace_key(namespace.as_str()));
        let found = found.filter(|found| !found["metadata"]["deletionTimestamp"].is_string());
        let tool = self.snapshot.tools.get(name).and_then(|tool| tool.as_ref().ok());
        if let Some(found) = &found {
            self.begin(name, found, reason, steps);
            for object in stop::would_stop(self.client, namespace.as_str()).await? {
                let verb = if object.kind == "Pod" {
                    Verb::Delete
                } else {
                    Verb::Stop
                };
                steps.push(Step::object(verb, &object));
            }
        }
        if let Some(tool) = tool {
            self.put_mark(tool, steps).await?;
        }
        match found {
            Some(found) => self.end(name, &found, reason, steps).await,
            None => Ok(()),
        }
    }

    pub(super) fn withdraw_admin(&self, name: &str, steps: &mut Vec<Step>) {
        for binding in desired::admin_bindings(name) {
            self.delete(&key("ClusterRoleBinding", "", binding), steps);
        }
        let marker = key("ConfigMap", ADMIN_NAMESPACE, MARKER);
        if let Some(found) = self.cache.find(&marker)
            && found["data"].get(name).is_some()
        {
            let mut wanted = Value::clone(&found);
            if let Some(data) = wanted["data"].as_object_mut() {
                data.remove(name);
            }
            steps.push(Step::object(Verb::Change, &marker).with_fields(changes(&found, &wanted)));
        }
    }

    fn delete(&self, key: &ObjectKey, steps: &mut Vec<Step>) {
        if self.has(key) {
            steps.push(Step::object(Verb::Delete, key));
        }
    }

    /// That the namespace says so, when it does not yet.
    fn begin(&self, name: &ToolName, namespace: &Value, reason: Reason, steps: &mut Vec<Step>) {
        let before = self.withdrawn(name);
        if before.as_ref().is_some_and(|before| before.reason == reason) {
            return;
        }
        let mut wanted = namespace.clone();
        let withdrawn = Withdrawn {
            reason,
            since: self.now,
            archive: None,
        };
        json_patch::merge(&mut wanted, &withdrawn.patch());
        let fields = changes(namespace, &wanted);
        steps.push(Step::object(Verb::Change, &ObjectKey::of(namespace)).with_fields(fields));
    }

    /// The archive, and what goes when the grace period is over.
    async fn end(
        &self,
        name: &ToolName,
        namespace: &Value,
        reason: Reason,
        steps: &mut Vec<Step>,
    ) -> Result<(), ReconcileError> {
        let withdrawn = self
            .withdrawn(name)
            .filter(|withdrawn| withdrawn.reason == reason || reason == Reason::Locked);
        let since = withdrawn.as_ref().map_or(self.now, |withdrawn| withdrawn.since);
        let is_over = remaining(since, self.config.lifecycle.grace(reason), self.now).is_none();
        let is_archived = withdrawn.is_some_and(|withdrawn| withdrawn.archive.is_some());
        if is_over || (reason == Reason::Removed && !is_archived) {
            let what = self.contents(name).await?;
            let file = self
                .config
                .lifecycle
                .archive
                .join(archive::file_name(name, since));
            steps.push(Step::file(Verb::Write, file).because(format!("the archive, with {what}")));
            if is_over {
                self.delete(&key(psp::KIND, "", tool_policy_name(name)), steps);
                let step = Step::object(Verb::Delete, &ObjectKey::of(namespace));
                steps.push(step.because(format!("its grace period is over; with {what}")));
            }
        }
        Ok(())
    }

    /// What the tool has made, by kind.
    async fn contents(&self, name: &ToolName) -> Result<String, ReconcileError> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for object in archive::contents(self.client, name.namespace().as_str()).await? {
            *counts.entry(object.kind).or_default() += 1;
        }
        if counts.is_empty() {
            return Ok("nothing of the tool's own".to_owned());
        }
        let words: Vec<String> = counts
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        Ok(words.join(", "))
    }
}
