//! The watches on the API, as one stream of events.

use std::{fmt::Debug, sync::Arc};

use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream, select_all},
};
use k8s_openapi::api::{
    core::v1::{Namespace, Secret, Service as ApiService},
    discovery::v1::EndpointSlice as ApiSlice,
    networking::v1::{Ingress as ApiIngress, IngressClass as ApiClass, IngressLoadBalancerIngress},
};
use kube::{Api, Client, Resource, ResourceExt as _, runtime::watcher};
use serde::de::DeserializeOwned;
use toolforge_model::labels;
use toolforge_policy::{IngressPolicy, admit_ingress};
use toolforge_routing::{EndpointSlice, Ingress, IngressClass, Kind, Object, ObjectKey, Service, Unreadable};

use super::{
    hearing::{Event, Heard},
    replies::StatusIs,
    secrets::{SecretEvent, TLS_TYPE, read_secret},
};
use crate::{
    Published,
    policy::{Policies, table_settings},
    seen::health::Health,
};

/// Everything that the API says, until its end; there is none, since watches begin anew by themselves.
pub(crate) fn events(
    client: &Client,
    policies: Policies,
    published: Option<&Published>,
    health: &Arc<Health>,
) -> impl Stream<Item = Event> + Send + use<> {
    let services = objects(client, health, Kind::Service, |object: &ApiService| {
        Ok(plain(Object::Service(Service::read(object)?)))
    });
    let slices = objects(client, health, Kind::Slice, |object: &ApiSlice| {
        Ok(plain(Object::Slice(EndpointSlice::read(object)?)))
    });
    let classes = objects(client, health, Kind::Class, |object: &ApiClass| {
        Ok(plain(Object::Class(IngressClass::read(object)?)))
    });
    let ingresses = ingresses(client.clone(), policies, published, health.clone());
    select_all([namespaces(client), ingresses, services, slices, classes])
}

/// The Ingresses, with the verdict on each. Another policy has them all listed anew: what is known of them is not what they are
/// judged by.
fn ingresses(
    client: Client,
    policies: Policies,
    published: Option<&Published>,
    health: Arc<Health>,
) -> BoxStream<'static, Event> {
    let desired = published.map(desired_status);
    let by_each = stream::unfold(policies, move |mut policies| {
        let policy = policies.newest();
        let judged = Event::Judged(Box::new(table_settings(&policy)));
        let events = judged_by(&client, policy, desired.clone(), &health);
        let mut next = policies.clone();
        let until_the_next = events.take_until(async move { next.changed().await });
        let events = stream::once(async move { judged }).chain(until_the_next);
        async move { Some((events.boxed(), policies)) }
    });
    by_each.flatten().boxed()
}

fn judged_by(
    client: &Client,
    policy: Arc<IngressPolicy>,
    desired: Option<IngressLoadBalancerIngress>,
    health: &Arc<Health>,
) -> BoxStream<'static, Event> {
    objects(client, health, Kind::Ingress, move |object: &ApiIngress| {
        let namespace = object.namespace().unwrap_or_default();
        let verdict = admit_ingress(&policy, &namespace, object);
        let refused = (!verdict.is_allowed()).then(|| verdict.message());
        if let Some(reason) = &refused {
            tracing::warn!(
                namespace,
                ingress = object.name_any(),
                reason,
                "an Ingress is not routed"
            );
        }
        Ok(Heard {
            object: Object::Ingress(Ingress::read(object, refused)?),
            status: desired
                .as_ref()
                .map_or(StatusIs::NoMatter, |desired| status(object, desired)),
        })
    })
}

/// Everything that the API says of Secrets with certificates; of no other Secret is it asked.
pub(crate) fn secrets(client: &Client, health: &Arc<Health>) -> BoxStream<'static, SecretEvent> {
    let health = health.clone();
    let hears = move |hears: bool| {
        if !hears {
            // There may be no right to them, and then there never will be any.
            health.secrets_are_settled();
        }
    };
    let config = watcher::Config::default().fields(&format!("type={TLS_TYPE}"));
    let events = watched_by::<Secret>(client, config, hears).map(|event| match event {
        watcher::Event::Init => SecretEvent::Begin,
        watcher::Event::InitApply(secret) => SecretEvent::Listed(key(&secret), read_secret(&secret)),
        watcher::Event::InitDone => SecretEvent::Done,
        watcher::Event::Apply(secret) => SecretEvent::Put(key(&secret), read_secret(&secret)),
        watcher::Event::Delete(secret) => SecretEvent::Gone(key(&secret)),
    });
    events.boxed()
}

/// The entry of `status.loadBalancer.ingress` that says where the gateway is reached.
pub(crate) fn desired_status(published: &Published) -> IngressLoadBalancerIngress {
    match published {
        Published::Ip(address) => IngressLoadBalancerIngress {
            ip: Some(address.to_string()),
            ..IngressLoadBalancerIngress::default()
        },
        Published::Hostname(name) => IngressLoadBalancerIngress {
            hostname: Some(name.clone()),
            ..IngressLoadBalancerIngress::default()
        },
    }
}

/// What the status of an Ingress says, compared with what it should say when it is served.
pub(crate) fn status(object: &ApiIngress, desired: &IngressLoadBalancerIngress) -> StatusIs {
    let status = object
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref());
    let entries = status
        .and_then(|status| status.ingress.as_deref())
        .unwrap_or_default();
    match entries {
        [] => StatusIs::Empty,
        [only] if only.ip == desired.ip && only.hostname == desired.hostname => StatusIs::Ours,
        _ => StatusIs::Other,
    }
}

fn plain(object: Object) -> Heard {
    Heard {
        object,
        status: StatusIs::NoMatter,
    }
}

fn objects<K>(
    client: &Client,
    health: &Arc<Health>,
    kind: Kind,
    read: impl Fn(&K) -> Result<Heard, Unreadable> + Send + 'static,
) -> BoxStream<'static, Event>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let health = health.clone();
    watched::<K>(client, move |hears| health.hears(kind, hears))
        .filter_map(move |event| {
            let event = match event {
                watcher::Event::Init => Some(Event::Begin(kind)),
                watcher::Event::InitApply(object) => read(&object).ok().map(Event::Listed),
                watcher::Event::InitDone => Some(Event::Done(kind)),
                watcher::Event::Apply(object) => match read(&object) {
                    Ok(heard) => Some(Event::Put(heard)),
                    Err(_) => Some(Event::Gone(kind, key(&object))),
                },
                watcher::Event::Delete(object) => Some(Event::Gone(kind, key(&object))),
            };
            async move { event }
        })
        .boxed()
}

fn namespaces(client: &Client) -> BoxStream<'static, Event> {
    watched::<Namespace>(client, |_| ())
        .filter_map(|event| {
            let event = match event {
                watcher::Event::Init => Some(Event::NamespacesBegin),
                watcher::Event::InitApply(namespace) | watcher::Event::Apply(namespace) => {
                    let is_tools = is_of_a_tool(&namespace);
                    is_tools.then(|| {
                        let annotations = namespace.annotations();
                        Event::ToolNamespace(
                            namespace.name_any(),
                            annotations.contains_key(labels::WITHDRAWN),
                        )
                    })
                }
                watcher::Event::InitDone => Some(Event::NamespacesDone),
                watcher::Event::Delete(namespace) => Some(Event::NamespaceGone(namespace.name_any())),
            };
            async move { event }
        })
        .boxed()
}

fn is_of_a_tool(namespace: &Namespace) -> bool {
    namespace
        .labels()
        .get(labels::TENANCY)
        .is_some_and(|tenancy| tenancy == labels::TENANCY_TOOL)
}

/// The events of a watch of all objects of a kind. Whether anything is heard is told.
fn watched<K>(
    client: &Client,
    hears: impl Fn(bool) + Send + 'static,
) -> impl Stream<Item = watcher::Event<K>> + Send + 'static
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    watched_by(client, watcher::Config::default(), hears)
}

/// The events of a watch; it begins anew when it breaks, with growing pauses.
fn watched_by<K>(
    client: &Client,
    config: watcher::Config,
    hears: impl Fn(bool) + Send + 'static,
) -> impl Stream<Item = watcher::Event<K>> + Send + 'static
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let what = K::plural(&());
    toolforge_watch::watch(Api::<K>::all(client.clone()), config).filter_map(move |event| {
        hears(event.is_ok());
        let event = match event {
            Ok(event) => Some(event),
            Err(error) => {
                tracing::debug!(%what, %error, "a watch broke and begins anew");
                None
            }
        };
        async move { event }
    })
}

fn key<K: Resource<DynamicType = ()>>(object: &K) -> ObjectKey {
    ObjectKey::new(object.namespace().unwrap_or_default(), object.name_any())
}
