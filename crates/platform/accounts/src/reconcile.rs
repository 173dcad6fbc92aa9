//! One turn for one account: read, compare, act. Started by the service; never twice at once for one account.
//!
//! Level-based: it looks at everything every time and does what is missing, so it may be stopped anywhere. The
//! marker is written last: as long as it is missing, credentials are made again.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use toolforge_certificates::{IssueError, Request};
use toolforge_model::ToolName;
use toolforge_pki::{Certified, Identity, KeyKind, PkiError};
use toolforge_policy::psp::ToolClass;

use crate::{
    account::Account,
    archive::ArchiveError,
    cache::Cache,
    config::Lifecycle,
    decide::{Decision, Why, decide, timestamp},
    desired::{self, ADMIN_NAMESPACE, MARKER},
    election::Fence,
    events::{Events, Kind},
    execute::{self, ExecuteError},
    file_work::{FileWork, FileWorkError},
    files::FileError,
    home::{self, HomeError, Layout, Place},
    kubeconfig::{Access, Cluster},
    mark,
    metrics::{Done, Metrics},
    namespace::NamespaceState,
    overrides::Overrides,
    pace::Pace,
    pattern::Patterns,
    plan::{Action, ObjectKey, plan},
    snapshot::{Admin, Tool, Unusable},
    stop::{self, StopError},
    withdrawn,
};

/// The least time between two renewals of one account, should a signer issue what has ended already.
const LEAST_PAUSE: Duration = Duration::from_secs(30);
/// The signer of certificates for clients of the API.
const SIGNER: &str = "kubernetes.io/kube-apiserver-client";
/// How long the signer may take before the attempt counts as failed; it is repeated later.
const SIGNING: Duration = Duration::from_mins(1);

/// What all turns share.
pub(crate) struct Context {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) client: Client,
    /// Through which everything in homes is done.
    pub(crate) files: FileWork,
    pub(crate) cache: Arc<Cache>,
    pub(crate) home_root: std::path::PathBuf,
    pub(crate) admin_home_root: std::path::PathBuf,
    /// Where kubeconfigs find the API.
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) certificate_lifetime: Option<Duration>,
    pub(crate) key: KeyKind,
    pub(crate) renew_before: Duration,
    pub(crate) tool_class: ToolClass,
    /// Of the objects of tools.
    pub(crate) patterns: Patterns,
    /// What single tools have more or less of.
    pub(crate) overrides: watch::Receiver<Arc<Overrides>>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) events: Events,
    /// How fast accounts are removed.
    pub(crate) removals: Mutex<Pace>,
    /// How fast namespaces are deleted.
    pub(crate) deletions: Mutex<Pace>,
    /// To the service: something has changed about an object.
    pub(crate) word: mpsc::UnboundedSender<ObjectKey>,
}

impl Context {
    /// Applies an object of an account that has its turn, which is not told of it; gives what it says of itself now.
    async fn apply(&self, object: Value) -> Result<ObjectMeta, ExecuteError> {
        let mut write = Write::begins(self, ObjectKey::of(&object));
        let applied = execute::apply(&self.client, object).await?;
        write.version.clone_from(&applied.resource_version);
        Ok(applied)
    }

    /// What is asked of the cluster's signer for one account; `object` is the name of the request.
    fn request(&self, object: String, common_name: &str, organization: &str) -> Request {
        Request {
            object,
            signer: SIGNER.to_owned(),
            usages: &["digital signature", "key encipherment", "client auth"],
            common_name: common_name.to_owned(),
            organizations: vec![organization.to_owned()],
            dns_names: Vec::new(),
            lifetime: self.certificate_lifetime,
            key: self.key,
            reason: "the account service made this request itself",
            others_may_approve: false,
            patience: SIGNING,
        }
    }
}

/// A write that is on its way, also when its turn ends in the middle of it.
struct Write<'a> {
    context: &'a Context,
    key: ObjectKey,
    /// What came of it.
    version: Option<String>,
}

impl<'a> Write<'a> {
    fn begins(context: &'a Context, key: ObjectKey) -> Self {
        context.cache.echoes.begins(&key);
        let version = None;
        Self {
            context,
            key,
            version,
        }
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        let (cache, version) = (&self.context.cache, self.version.as_deref());
        let is_known = version.is_some_and(|version| cache.is_at(&self.key, version));
        if cache.echoes.ends(&self.key, version, is_known) {
            // Nobody listens any more at the end of the program.
            let _ = self.context.word.send(self.key.clone());
        }
    }
}

/// How a turn went well.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// When the account wants a look again, also when nothing changes.
    pub(crate) look_again: Timestamp,
    /// What the operator or the owner should know, though the account works.
    pub(crate) warning: Option<String>,
    /// Whether there are new credentials.
    pub(crate) issued: bool,
}

/// Why an account is not as it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    #[error(transparent)]
    Unusable(#[from] Unusable),
    #[error("{0}")]
    Clash(String),
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    #[error(transparent)]
    Credentials(#[from] IssueError),
    #[error("the namespace {0} is being removed; it is made again when that is done")]
    Leaving(String),
    #[error("the signer's certificate cannot be read")]
    Certificate(#[source] PkiError),
    #[error("what was stopped is not as it should be")]
    Stop(#[from] StopError),
    #[error("the tool's objects are not archived, so they are not deleted")]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    FileWork(#[from] FileWorkError),
}

impl ReconcileError {
    /// What was wrong with a file, where that is it.
    pub(crate) fn file(&self) -> Option<&FileError> {
        match self {
            Self::Home(HomeError::File(error)) | Self::Archive(ArchiveError::File(error)) => Some(error),
            _ => None,
        }
    }
}

impl From<FileError> for ReconcileError {
    fn from(error: FileError) -> Self {
        Self::Home(error.into())
    }
}

/// Brings one tool to what it should be.
pub(crate) async fn tool(context: &Context, tool: &Tool) -> Result<Outcome, ReconcileError> {
    let place = Place::new(&context.home_root, &tool.home, home::TOOL, tool.uid, tool.uid)?;
    let namespace = tool.name.namespace();
    let known = context.cache.namespace(namespace.as_str());
    let overrides = context.overrides.borrow().clone();
    let is_withdrawn = known.as_ref().is_some_and(|known| known.is_withdrawn);
    if known.is_none() || is_withdrawn {
        let (root, owned) = (context.home_root.clone(), tool.clone());
        let work = move |fence: &Fence| Ok(mark::remove(&root, &owned, fence)?);
        context.files.run(&tool.home, work).await?;
    }
    let uid = match &known {
        Some(known) => known.uid.clone(),
        // Its policy names it, so it comes before everything else is even known.
        None => context.apply(desired::namespace(tool)).await?.uid,
    };
    stays(namespace.as_str(), known.as_ref())?;
    if !has_all(context, tool, &overrides, uid.as_deref()) {
        let mut desired =
            desired::desired_tool_objects(tool, &context.tool_class, &overrides, uid.as_deref());
        if known.is_none() {
            desired.retain(|object| object["kind"] != "Namespace");
        }
        objects(context, desired).await?;
    }
    drop_undesired(context, &tool.name, &overrides).await?;
    let key = ObjectKey {
        kind: "ConfigMap".to_owned(),
        namespace: namespace.to_string(),
        name: MARKER.to_owned(),
    };
    let marker = Marker {
        key,
        datum: "expires",
    };
    let request = context.request(namespace.to_string(), tool.name.as_str(), "toolforge");
    let (outcome, ends) = account(context, place, namespace.as_str(), &marker, request).await?;
    if let Some(ends) = ends {
        let marker = desired::tool_marker(tool, Timestamp::now(), ends);
        context.apply(marker).await?;
    }
    if is_withdrawn {
        restore(context, tool).await?;
    }
    Ok(outcome)
}

/// Whether nothing is to be done about a tool's objects, found out at little cost: nearly always it is so.
fn has_all(context: &Context, tool: &Tool, overrides: &Arc<Overrides>, uid: Option<&str>) -> bool {
    let pattern = context.patterns.of(&tool.name, &context.tool_class, overrides);
    let known = pattern.zip(uid);
    known.is_some_and(|(pattern, uid)| pattern.is_in(&context.cache, tool, uid))
}

/// Removes what a tool had by configuration and has not any more.
async fn drop_undesired(
    context: &Context,
    tool: &ToolName,
    overrides: &Overrides,
) -> Result<(), ReconcileError> {
    for key in desired::undesired_tool_objects(tool, overrides) {
        if context.cache.has(&key) {
            execute::remove(&context.client, &key, None).await?;
        }
    }
    Ok(())
}

/// Gives a tool back what it had before it was withdrawn; that it was is forgotten last.
async fn restore(context: &Context, tool: &Tool) -> Result<(), ReconcileError> {
    let namespace = tool.name.namespace();
    stop::start(&context.client, namespace.as_str()).await?;
    execute::merge(
        &context.client,
        &namespace_key(namespace.as_str()),
        &withdrawn::nothing(),
    )
    .await?;
    let account = Account::Tool(tool.name.clone());
    tracing::info!(%account, "has its access again, and what it had");
    context.events.tell(
        &account,
        true,
        Kind::Restored,
        "has its access again, and what it had",
    );
    Ok(())
}

/// Brings one admin to what they should be.
pub(crate) async fn admin(context: &Context, admin: &Admin) -> Result<Outcome, ReconcileError> {
    let place = Place::new(
        &context.admin_home_root,
        &admin.home,
        home::ADMIN,
        admin.uid,
        admin.gid,
    )?;
    let known = context.cache.namespace(ADMIN_NAMESPACE);
    stays(ADMIN_NAMESPACE, known.as_ref())?;
    objects(context, desired::desired_admin_objects(admin)).await?;
    let marker = Marker {
        key: desired::admin_marker_key(),
        datum: &admin.name,
    };
    // The requests of tools are called tool-NAME; a user may be called like that.
    let request = context.request(format!("admin-{}", admin.name), &admin.name, "admins");
    let (outcome, ends) = account(context, place, "default", &marker, request).await?;
    if let Some(ends) = ends {
        execute::set_datum(&context.client, &marker.key, &admin.name, &desired::iso(ends)).await?;
    }
    Ok(outcome)
}

/// In a namespace that is being removed nothing can be made; `known` is it, as far as the watch has told.
fn stays(namespace: &str, known: Option<&NamespaceState>) -> Result<(), ReconcileError> {
    if known.is_some_and(|known| known.is_leaving) {
        return Err(ReconcileError::Leaving(namespace.to_owned()));
    }
    Ok(())
}

/// Makes objects what they should be.
async fn objects(context: &Context, desired: Vec<Value>) -> Result<(), ReconcileError> {
    for object in desired {
        // Nearly always; the plan has to read what is there.
        if context.cache.is_as(&ObjectKey::of(&object), &object.to_string()) {
            continue;
        }
        for action in plan(vec![object], |key| context.cache.find(key)) {
            match action {
                Action::Apply(object) => context.apply(object).await.map(|_| ())?,
                action => execute::execute(&context.client, action).await?,
            }
        }
    }
    Ok(())
}

pub(crate) fn namespace_key(name: &str) -> ObjectKey {
    ObjectKey {
        kind: "Namespace".to_owned(),
        namespace: String::new(),
        name: name.to_owned(),
    }
}

/// Where the end of an account's credentials is written down.
struct Marker<'a> {
    key: ObjectKey,
    datum: &'a str,
}

impl Marker<'_> {
    fn read(&self, object: &Value) -> Option<Timestamp> {
        object["data"][self.datum].as_str().and_then(desired::read_iso)
    }

    /// How the metrics call what it belongs to.
    fn account_type(&self) -> &'static str {
        if self.key.namespace == ADMIN_NAMESPACE {
            "admin"
        } else {
            "tool"
        }
    }

    /// The end, as far as the watch has told.
    fn cached(&self, context: &Context) -> Option<Timestamp> {
        let datum = context.cache.datum(&self.key, self.datum);
        datum.as_deref().and_then(desired::read_iso)
    }

    /// The end, as the API itself has it now.
    async fn fetched(&self, context: &Context) -> Result<Option<Timestamp>, ReconcileError> {
        let found = execute::fetch(&context.client, &self.key).await?;
        Ok(found.and_then(|object| self.read(&object)))
    }
}

/// What a look at a home has found.
enum Looked {
    /// The credentials are good until they want a look again, and the kubeconfig is right; or why it is left as it is.
    Good(Timestamp, Option<String>),
    /// The home may need new credentials.
    Due(Option<Certified>),
}

/// Home and credentials; the end of the new ones, when there are new ones.
async fn account(
    context: &Context,
    place: Place,
    namespace: &str,
    marker: &Marker<'_>,
    request: Request,
) -> Result<(Outcome, Option<Timestamp>), ReconcileError> {
    let path = place.path();
    let name = request.common_name.as_str();
    let access = access(&context.cluster, place.layout, name, namespace);
    let now = Timestamp::now();
    let outcome = |at: Timestamp, warning, issued| Outcome {
        look_again: at.max(now.saturating_add(LEAST_PAUSE).unwrap_or(now)),
        warning,
        issued,
    };
    let certificate = match look(context, &place, marker, name, &access).await? {
        Looked::Good(at, warning) => return Ok((outcome(at, warning, false), None)),
        Looked::Due(certificate) => certificate,
    };
    // The watch may be behind our own writes; credentials are not made anew because an echo is late.
    let end = marker.fetched(context).await?;
    let why = match decide(now, end, certificate.as_ref(), name, context.renew_before) {
        Decision::Keep(at) => {
            let work = move |fence: &Fence| Ok(place.open(fence)?.put_kubeconfig(&access)?);
            let warning = context.files.run(&path, work);
            return Ok((outcome(at, warning.await?, false), None));
        }
        Decision::Issue(why) => why,
    };
    tracing::info!(account = name, ?why, "new credentials");
    let identity = toolforge_certificates::issue(&context.client, &request).await?;
    let (end, look_again) = ends(&identity, context, name)?;
    let deliver = move |fence: &Fence| {
        let home = place.open(fence)?;
        home.put_credentials(&identity)?;
        Ok(home.put_kubeconfig(&access)?)
    };
    let warning = context.files.run(&path, deliver).await?;
    let done = if why == Why::NoMarker {
        Done::Created
    } else {
        Done::Renewed
    };
    context.metrics.count(marker.account_type(), done);
    Ok((outcome(look_again, warning, true), Some(end)))
}

/// Looks at a home, and puts its kubeconfig right when nothing else is to be done: one piece of file work for nearly all
/// accounts at nearly all times.
async fn look(
    context: &Context,
    place: &Place,
    marker: &Marker<'_>,
    name: &str,
    access: &Access,
) -> Result<Looked, ReconcileError> {
    let (path, place) = (place.path(), place.clone());
    let (name, access) = (name.to_owned(), access.clone());
    let (end, renew_before) = (marker.cached(context), context.renew_before);
    let work = move |fence: &Fence| {
        let home = place.open(fence)?;
        let pem = home.certificate()?;
        let certificate = pem.and_then(|pem| toolforge_pki::read_certificate_pem(&pem).ok());
        let decision = decide(Timestamp::now(), end, certificate.as_ref(), &name, renew_before);
        Ok(match decision {
            Decision::Keep(at) => Looked::Good(at, home.put_kubeconfig(&access)?),
            Decision::Issue(_) => Looked::Due(certificate),
        })
    };
    context.files.run(&path, work).await
}

/// When new credentials end, and when they want a look again.
fn ends(
    identity: &Identity,
    context: &Context,
    name: &str,
) -> Result<(Timestamp, Timestamp), ReconcileError> {
    let certified = toolforge_pki::read_certificate_pem(&identity.certificate_pem)
        .map_err(ReconcileError::Certificate)?;
    let end = timestamp(certified.not_after);
    let look_again = match decide(
        Timestamp::now(),
        Some(end),
        Some(&certified),
        name,
        context.renew_before,
    ) {
        Decision::Keep(at) => at,
        Decision::Issue(_) => end,
    };
    Ok((end, look_again))
}

/// How a kubeconfig says where the cluster is, and who one is there.
pub(crate) fn access(cluster: &Arc<Cluster>, layout: Layout, name: &str, namespace: &str) -> Access {
    let (certificate, key) = layout.credential_paths();
    Access {
        cluster: cluster.clone(),
        user: format!("tf-{name}"),
        namespace: namespace.to_owned(),
        certificate,
        key,
    }
}
