//! What becomes of one object: pure, from a manifest to a judgement with its reasons. The verdicts on what an object may be
//! are those of `toolforge-policy`; what is added here is whose the object is and whether a tool may write its kind.

use std::sync::Arc;

use serde_json::{Value, json};
use toolforge_manifest::{Manifest, Place};
use toolforge_model::ToolName;
use toolforge_policy::{
    Guard, Making, ObjectKind, Offence, Policies, Question, Unjudged, Verdict, Warning, Workload, Writer,
    completed_pod, is_of_policies, pod_of_template,
    psp::{PSP_ANNOTATION, Phase, PodSecurityPolicy, tool_policy_name},
    with_completed_template,
};

use crate::rules::{in_words, object_in_words};

use super::{
    account::{self, Accounts, Uid, Whose},
    grants::{Grants, Maker},
    kind::{Known, Named},
};

/// Who makes the Pods of templates.
const CONTROLLERS: &str = "system:kube-controller-manager";

/// By what objects are judged.
#[derive(Debug)]
pub(super) struct Check<'a> {
    policies: &'a Policies,
    tool: Option<&'a ToolName>,
    accounts: Accounts,
    grants: Grants,
}

/// What becomes of an object.
#[derive(Debug)]
pub(super) struct Judgement {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) place: Option<Place>,
    pub(super) outcome: Outcome,
    /// Why nobody looks at it.
    pub(super) reason: Option<String>,
    pub(super) offences: Vec<Found<Offence>>,
    pub(super) warnings: Vec<Found<Warning>>,
    /// The object as the platform would complete it.
    pub(super) completed: Value,
}

/// Whether the object may be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Allowed,
    Refused,
    /// No guard judges it; the API may still say something about it.
    NotLookedAt,
}

/// Something about a field, and where the field stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found<T> {
    pub(super) what: T,
    pub(super) place: Option<Place>,
}

impl<'a> Check<'a> {
    pub(super) fn new(
        policies: &'a Policies,
        tool: Option<&'a ToolName>,
        accounts: Accounts,
        grants: Grants,
    ) -> Self {
        Self {
            policies,
            tool,
            accounts,
            grants,
        }
    }

    /// What could change verdicts and is not known, in words.
    pub(super) fn unknown(&self) -> Option<&str> {
        self.grants.unknown()
    }

    /// Judges one object.
    pub(super) fn judge(&self, manifest: &Manifest) -> Judgement {
        let mut judging = Judging::of(manifest);
        match Named::read(&manifest.object) {
            Ok(named) => self.judge_named(&mut judging, named),
            Err(field) => judging.refuse(Offence {
                rule: "object/kind",
                sentence: "An object says what it is".to_owned(),
                field: field.to_owned(),
                found: format!("{field} is missing"),
                remedy: "write apiVersion and kind".to_owned(),
            }),
        }
        judging.done()
    }

    fn judge_named(&self, judging: &mut Judging<'_>, named: Named<'_>) {
        if let Known::InVersion(kind) = named.known {
            judging.refuse(other_version(named.kind, &kind.api_version()));
        }
        if let Some(tool) = self.tool.filter(|_| !named.is_for_tools()) {
            judging.refuse(not_for_tools(tool, named.kind));
        }
        if !named.is_namespaced() {
            judging.nobody(format!(
                "{} is a kind of the whole cluster, which no guard judges",
                named.kind.kind
            ));
            return;
        }
        match self.namespace(judging) {
            Ok(namespace) => self.ask(judging, named.kind, &namespace),
            Err(offence) => judging.refuse(offence),
        }
    }

    /// The namespace into which the object goes; the object has it from then on.
    fn namespace(&self, judging: &mut Judging<'_>) -> Result<String, Offence> {
        let stated = judging
            .object
            .pointer("/metadata/namespace")
            .and_then(Value::as_str);
        let stated = stated
            .filter(|namespace| !namespace.is_empty())
            .map(str::to_owned);
        judging.namespace.clone_from(&stated);
        let own = self.tool.map(|tool| tool.namespace().to_string());
        match (stated, own) {
            (Some(stated), Some(own)) if stated != own => Err(other_namespace(&stated, &own)),
            (Some(namespace), _) => Ok(namespace),
            (None, Some(own)) => {
                if let Some(metadata) = metadata_of(&mut judging.object) {
                    metadata.insert("namespace".to_owned(), json!(own));
                }
                judging.namespace = Some(own.clone());
                Ok(own)
            }
            (None, None) => Err(no_namespace()),
        }
    }

    fn ask(&self, judging: &mut Judging<'_>, kind: ObjectKind<'_>, namespace: &str) {
        if toolforge_admission::EXEMPT_NAMESPACES.contains(&namespace) {
            judging.nobody(format!("no guard stands before the namespace {namespace}"));
            return;
        }
        let tool = ToolName::of_namespace(namespace);
        let everywhere =
            self.policies.pod_everywhere && !self.policies.pod_safe_namespaces.contains(namespace);
        if tool.is_none() && everywhere && Guard::Pod.judges(kind) {
            judging.warn(not_by_policy());
        }
        let guards: Vec<Guard> = Guard::ALL
            .into_iter()
            .filter(|guard| guard.judges(kind) && (tool.is_some() || !guard.is_for_tools_only()))
            .collect();
        if guards.is_empty() {
            judging.nobody(match tool {
                Some(_) => format!("no guard judges {}", kind.kind),
                None => format!("no guard judges {} in the namespace {namespace}", kind.kind),
            });
            return;
        }
        let account = tool.map(|tool| self.accounts.of(&tool, &judging.object));
        let user = self.tool.map_or("", ToolName::as_str);
        let asked = Asked {
            policies: self.policies,
            grants: &self.grants,
            guards,
            kind,
            namespace,
            account: account.as_ref(),
            writer: Writer { user, groups: &[] },
        };
        asked.judge(judging);
    }
}

/// One object before its guards.
struct Asked<'a> {
    policies: &'a Policies,
    grants: &'a Grants,
    guards: Vec<Guard>,
    kind: ObjectKind<'a>,
    namespace: &'a str,
    account: Option<&'a Whose>,
    writer: Writer<'a>,
}

impl Asked<'_> {
    fn judge(&self, judging: &mut Judging<'_>) {
        let Some(whose) = self.account else {
            judging.add_all(self.verdicts(self.kind, &judging.object, &[]));
            return;
        };
        let usable = self.usable(whose, self.kind.kind, &judging.object, Maker::Tool);
        let mut applied = None;
        if self.kind.kind == "Pod" {
            judging.object = self.completed(whose, &usable, &judging.object);
            applied = policy_of(&judging.object);
        }
        judging.add_all(self.verdicts(self.kind, &judging.object, &usable));
        if let Some(pod) = pod_of_template(self.kind.kind, self.namespace, &judging.object) {
            let usable = self.usable(whose, "Pod", &pod, Maker::Controller);
            let pod = self.completed(whose, &usable, &pod);
            self.judge_pods(judging, &pod, &usable);
            applied = policy_of(&pod);
            judging.object = with_completed_template(self.kind.kind, &judging.object, &pod);
        }
        // By another policy than its own a tool may have other ids than its own.
        if applied.is_none_or(|applied| applied == tool_policy_name(&whose.tool)) {
            judging.remember(whose);
        }
        judging.doubt(self.grants.unknown());
    }

    /// The Pod security policies that may be used for a Pod, or for the Pods of a template.
    fn usable(&self, whose: &Whose, kind: &str, object: &Value, maker: Maker) -> Vec<Arc<PodSecurityPolicy>> {
        // What cannot be read is refused by its guards.
        let Ok(workload) = Workload::read(kind, self.namespace, object) else {
            return vec![];
        };
        let class = &self.policies.pod;
        self.grants
            .usable(whose, class, workload.service_account(), maker)
    }

    fn completed(&self, whose: &Whose, usable: &[Arc<PodSecurityPolicy>], pod: &Value) -> Value {
        let making = Making {
            namespace: self.namespace,
            account: Some(&whose.account),
            pod_policies: usable,
        };
        completed_pod(self.policies, making, pod)
    }

    /// A workload that is let through is of no use when its Pods are not.
    fn judge_pods(&self, judging: &mut Judging<'_>, pod: &Value, usable: &[Arc<PodSecurityPolicy>]) {
        let kind = ObjectKind {
            group: "",
            version: "v1",
            kind: "Pod",
        };
        if !judging.offences.is_empty() {
            return;
        }
        let by_controller = Asked {
            writer: Writer {
                user: CONTROLLERS,
                groups: &[],
            },
            guards: self.guards.clone(),
            ..*self
        };
        for verdict in by_controller.verdicts(kind, pod, usable) {
            let offences = verdict.map(|verdict| verdict.offences().to_vec());
            for mut offence in offences.unwrap_or_else(|unjudged| vec![shapeless(&unjudged)]) {
                offence.sentence = format!("Its Pods would be refused. {}", offence.sentence);
                judging.refuse(offence);
            }
        }
    }

    fn verdicts(
        &self,
        kind: ObjectKind<'_>,
        object: &Value,
        usable: &[Arc<PodSecurityPolicy>],
    ) -> Vec<Result<Verdict, Unjudged>> {
        let question = Question {
            kind,
            namespace: self.namespace,
            object,
            pod_policies: Some(usable),
            writer: self.writer,
            phase: Phase::Create,
        };
        self.guards
            .iter()
            .filter(|guard| guard.judges(kind))
            .map(|guard| guard.judge(self.policies, question))
            .collect()
    }
}

/// An object, and what has been found about it so far.
struct Judging<'a> {
    manifest: &'a Manifest,
    object: Value,
    namespace: Option<String>,
    reason: Option<String>,
    offences: Vec<Found<Offence>>,
    warnings: Vec<Found<Warning>>,
}

impl<'a> Judging<'a> {
    fn of(manifest: &'a Manifest) -> Self {
        Self {
            manifest,
            object: manifest.object.clone(),
            namespace: None,
            reason: None,
            offences: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn refuse(&mut self, mut offence: Offence) {
        for text in [&mut offence.sentence, &mut offence.found, &mut offence.remedy] {
            *text = in_words(text);
        }
        let place = self.manifest.places.of(&offence.field);
        let found = Found { what: offence, place };
        // Two guards may say the same, of an object whose shape is wrong for both.
        if !self.offences.contains(&found) {
            self.offences.push(found);
        }
    }

    fn nobody(&mut self, reason: String) {
        self.reason = Some(reason);
    }

    fn add_all(&mut self, verdicts: Vec<Result<Verdict, Unjudged>>) {
        for verdict in verdicts {
            match verdict {
                Ok(verdict) => {
                    verdict
                        .offences()
                        .iter()
                        .for_each(|offence| self.refuse(offence.clone()));
                    verdict
                        .warnings()
                        .iter()
                        .for_each(|warning| self.warn(warning.clone()));
                }
                Err(unjudged) => self.refuse(shapeless(&unjudged)),
            }
        }
    }

    fn warn(&mut self, warning: Warning) {
        let place = self.manifest.places.of(&warning.field);
        self.warnings.push(Found { what: warning, place });
    }

    /// Says where the object was judged by an id of which nobody knows that it is the tool's.
    fn remember(&mut self, account: &Whose) {
        if account.uid != Uid::Named {
            return;
        }
        let number = account.account.uid;
        for field in account::fields_naming(&self.manifest.object, number) {
            let text =
                format!("{number} must be the tool's own id; leave it out, or say with --uid which that is");
            self.warn(Warning {
                rule: "pod/run-as",
                field,
                text,
            });
        }
    }

    /// Says that a refusal by a Pod security policy may be wrong, where it may.
    fn doubt(&mut self, unknown: Option<&str>) {
        let mut of_pods = self
            .offences
            .iter()
            .filter(|found| found.what.rule.starts_with("pod/"));
        // One that no policy lifts is enough.
        let lifted = of_pods.clone().all(|found| is_of_policies(found.what.rule));
        if let (Some(unknown), Some(refusal), true) = (unknown, of_pods.next(), lifted) {
            let field = refusal.what.field.clone();
            self.warn(Warning {
                rule: "pod/policy",
                field,
                text: format!("this may be let in all the same: {unknown}"),
            });
        }
    }

    fn done(mut self) -> Judgement {
        object_in_words(&mut self.object);
        let text = |pointer: &str| {
            let text = self.manifest.object.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let name = Some(text("/metadata/name")).filter(|name| !name.is_empty());
        Judgement {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            name: name.unwrap_or_else(|| text("/metadata/generateName")),
            namespace: self.namespace,
            place: self.manifest.places.start(),
            outcome: match (self.offences.is_empty(), &self.reason) {
                (false, _) => Outcome::Refused,
                (true, None) => Outcome::Allowed,
                (true, Some(_)) => Outcome::NotLookedAt,
            },
            reason: self.reason,
            offences: self.offences,
            warnings: self.warnings,
            completed: self.object,
        }
    }
}

/// The policy that a Pod was completed by.
fn policy_of(pod: &Value) -> Option<String> {
    let annotations = pod.pointer("/metadata/annotations")?;
    Some(annotations.get(PSP_ANNOTATION)?.as_str()?.to_owned())
}

fn metadata_of(object: &mut Value) -> Option<&mut serde_json::Map<String, Value>> {
    let metadata = object
        .as_object_mut()?
        .entry("metadata")
        .or_insert_with(|| json!({}));
    if metadata.is_null() {
        *metadata = json!({});
    }
    metadata.as_object_mut()
}

fn shapeless(unjudged: &Unjudged) -> Offence {
    Offence {
        rule: "object/shape",
        sentence: "An object has the shape of its kind".to_owned(),
        field: String::new(),
        found: unjudged.to_string(),
        remedy: "`kubectl explain` shows the fields of each kind".to_owned(),
    }
}

fn other_version(kind: ObjectKind<'_>, served: &str) -> Offence {
    let version = match kind.group {
        "" => kind.version.to_owned(),
        group => format!("{group}/{}", kind.version),
    };
    Offence {
        rule: "object/version",
        sentence: format!("{} is served as {served} only", kind.kind),
        field: "apiVersion".to_owned(),
        found: format!("apiVersion is {version:?}"),
        remedy: format!("write it as a {} of {served}", kind.kind),
    }
}

fn not_by_policy() -> Warning {
    Warning {
        rule: "pod/policy",
        field: "metadata.namespace".to_owned(),
        text: "Pods of this namespace need a PodSecurityPolicy too, which is not judged here: who makes them is not known"
            .to_owned(),
    }
}

fn not_for_tools(tool: &ToolName, kind: ObjectKind<'_>) -> Offence {
    let kind = kind.kind;
    Offence {
        rule: "tool/role",
        sentence: "Tools may write what the role tools-user allows".to_owned(),
        field: "kind".to_owned(),
        found: format!("kind is {kind:?}, which {} cannot create", tool.as_str()),
        remedy: "leave it out, or ask the operators of the platform".to_owned(),
    }
}

fn other_namespace(stated: &str, own: &str) -> Offence {
    Offence {
        rule: "tool/namespace",
        sentence: "A tool writes into its own namespace only".to_owned(),
        field: "metadata.namespace".to_owned(),
        found: format!("metadata.namespace is {stated:?}"),
        remedy: format!("leave it out or use {own:?}"),
    }
}

fn no_namespace() -> Offence {
    Offence {
        rule: "object/namespace",
        sentence: "The verdict on an object depends on its namespace".to_owned(),
        field: "metadata.namespace".to_owned(),
        found: "metadata.namespace is missing".to_owned(),
        remedy: "write it, or say with --as-tool whose object it is".to_owned(),
    }
}

#[cfg(test)]
mod tests;
