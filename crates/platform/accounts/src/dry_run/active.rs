//! What an account that may go on would get: the steps of `reconcile.rs`, in its order.

use serde_json::Value;
use toolforge_model::ToolName;

use super::{
    Seen,
    changes::changes,
    plan::{Step, Verb},
};
use crate::{
    desired::{self, ADMIN_NAMESPACE, MARKER},
    execute,
    home::{self, Place},
    plan::{Action, ObjectKey, plan, unbound},
    reconcile::{self, ReconcileError, namespace_key},
    stop,
    withdrawn::{self, Withdrawn},
};

impl Seen<'_> {
    pub(super) async fn active_tool(
        &self,
        name: &ToolName,
        steps: &mut Vec<Step>,
    ) -> Result<(), ReconcileError> {
        if let Some(reason) = self.clashes.get(name) {
            return Err(ReconcileError::Clash(reason.clone()));
        }
        let Some(tool) = self.snapshot.tools.get(name) else {
            return Ok(());
        };
        let tool = tool.as_ref().map_err(Clone::clone)?;
        let place = Place::new(&self.config.home_root, &tool.home, home::TOOL, tool.uid, tool.uid)?;
        let access = reconcile::access(
            &self.cluster,
            place.layout,
            name.as_str(),
            name.namespace().as_str(),
        );
        let namespace = self.cache.find(&namespace_key(name.namespace().as_str()));
        let uid = namespace
            .as_ref()
            .and_then(|found| found["metadata"]["uid"].as_str());
        let withdrawn = namespace.as_ref().filter(|found| Withdrawn::is_said(found));
        if namespace.is_none() || withdrawn.is_some() {
            self.unmark(tool, steps).await?;
        }
        let overrides = self.config.overrides.borrow().clone();
        let desired = desired::desired_tool_objects(tool, &self.config.tool_class, &overrides, uid);
        self.objects(desired, name.namespace().as_str(), steps).await?;
        let undesired = desired::undesired_tool_objects(name, &overrides);
        for key in undesired.iter().filter(|key| self.has(key)) {
            steps.push(Step::object(Verb::Delete, key).because("the overrides have none any more"));
        }
        let marker = key("ConfigMap", name.namespace().as_str(), MARKER);
        self.credentials(place, access, (name.as_str(), &marker, "expires"), steps)
            .await?;
        match withdrawn {
            Some(namespace) => self.restore(name, namespace, steps).await,
            None => Ok(()),
        }
    }

    pub(super) async fn active_admin(&self, name: &str, steps: &mut Vec<Step>) -> Result<(), ReconcileError> {
        let Some(admin) = self.snapshot.admins.get(name) else {
            return Ok(());
        };
        let admin = admin.as_ref().map_err(Clone::clone)?;
        let root = &self.config.admin_home_root;
        let place = Place::new(root, &admin.home, home::ADMIN, admin.uid, admin.gid)?;
        let access = reconcile::access(&self.cluster, place.layout, name, "default");
        self.objects(desired::desired_admin_objects(admin), ADMIN_NAMESPACE, steps)
            .await?;
        let marker = key("ConfigMap", ADMIN_NAMESPACE, MARKER);
        self.credentials(place, access, (name, &marker, name), steps)
            .await
    }

    async fn objects(
        &self,
        desired: Vec<Value>,
        namespace: &str,
        steps: &mut Vec<Step>,
    ) -> Result<(), ReconcileError> {
        let found = self.cache.find(&namespace_key(namespace));
        if found.is_some_and(|found| found["metadata"]["deletionTimestamp"].is_string()) {
            return Err(ReconcileError::Leaving(namespace.to_owned()));
        }
        for action in plan(desired, |key| self.cache.find(key)) {
            steps.extend(self.step(&action).await?);
        }
        Ok(())
    }

    /// None where the API says that nothing would change.
    async fn step(&self, action: &Action) -> Result<Option<Step>, ReconcileError> {
        let object = action.object();
        let key = ObjectKey::of(object);
        let Some(found) = self.cache.find(&key) else {
            return Ok(Some(Step::object(Verb::Create, &key)));
        };
        if matches!(action, Action::Replace(_)) {
            let mut wanted = found.clone();
            for field in ["roleRef", "subjects"] {
                wanted[field] = object[field].clone();
            }
            let fields = changes(&found, &wanted);
            return Ok(Some(Step::object(Verb::Replace, &key).with_fields(fields)));
        }
        let mut wanted = execute::would_be(self.client, object).await?;
        if let Action::Bound { not, .. } = action {
            json_patch::merge(&mut wanted, &unbound(not));
        }
        let fields = changes(&found, &wanted);
        Ok((!fields.is_empty()).then(|| Step::object(Verb::Change, &key).with_fields(fields)))
    }

    async fn credentials(
        &self,
        place: Place,
        access: crate::kubeconfig::Access,
        (name, marker, datum): (&str, &ObjectKey, &str),
        steps: &mut Vec<Step>,
    ) -> Result<(), ReconcileError> {
        let found = self.cache.find(marker);
        let text = found.as_ref().and_then(|found| found["data"][datum].as_str());
        let end = text.and_then(desired::read_iso);
        if self.home(place, access, name, end, steps).await? {
            let verb = if found.is_some() {
                Verb::Change
            } else {
                Verb::Create
            };
            steps.push(Step::object(verb, marker).because("the end of the new credentials"));
        }
        Ok(())
    }

    async fn restore(
        &self,
        name: &ToolName,
        namespace: &Value,
        steps: &mut Vec<Step>,
    ) -> Result<(), ReconcileError> {
        for stopped in stop::would_start(self.client, name.namespace().as_str()).await? {
            steps.push(Step::object(Verb::Start, &stopped));
        }
        let mut wanted = namespace.clone();
        json_patch::merge(&mut wanted, &withdrawn::nothing());
        let fields = changes(namespace, &wanted);
        steps.push(Step::object(Verb::Change, &ObjectKey::of(namespace)).with_fields(fields));
        Ok(())
    }
}

pub(super) fn key(kind: &str, namespace: &str, name: impl Into<String>) -> ObjectKey {
    ObjectKey {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.into(),
    }
}
