//! What the API is asked: whose token it is, and whether somebody may.

use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::{Api, Client, api::PostParams};

/// The group of everybody with a valid identity.
const AUTHENTICATED: &str = "system:authenticated";

/// Somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// The same, in the group of those who have shown who they are.
    pub(super) fn authenticated(mut self) -> Self {
        if !self.groups.iter().any(|group| group == AUTHENTICATED) {
            self.groups.push(AUTHENTICATED.to_owned());
        }
        self
    }
}

/// Whose token this is; none when it is not good.
pub(super) async fn owner(client: &Client, token: &str) -> Result<Option<User>, kube::Error> {
    let review = TokenReview {
        spec: TokenReviewSpec {
            token: token.to_owned(),
            ..TokenReviewSpec::default()
        },
        ..TokenReview::default()
    };
    let answered = Api::<TokenReview>::all(client.clone())
        .create(&PostParams::default(), &review)
        .await?;
    let status = answered.status.unwrap_or_default();
    let user = status.user.filter(|_| status.authenticated == Some(true));
    Ok(user.and_then(|user| {
        Some(User {
            name: user.username?,
            uid: user.uid,
            groups: user.groups.unwrap_or_default(),
            extra: user.extra.unwrap_or_default(),
        })
    }))
}

/// Whether somebody may look at a path.
pub(super) async fn is_allowed(client: &Client, user: &User, path: &str) -> Result<bool, kube::Error> {
    let resource = resource(path);
    let plain = resource.is_none().then(|| NonResourceAttributes {
        path: Some(path.to_owned()),
        verb: Some("get".to_owned()),
    });
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(user.name.clone()),
            uid: user.uid.clone(),
            groups: Some(user.groups.clone()),
            extra: Some(user.extra.clone()),
            resource_attributes: resource,
            non_resource_attributes: plain,
        },
        ..SubjectAccessReview::default()
    };
    let answered = Api::<SubjectAccessReview>::all(client.clone())
        .create(&PostParams::default(), &review)
        .await?;
    Ok(answered.status.is_some_and(|status| status.allowed))
}

/// The resource that a path names; none for everything else.
fn resource(path: &str) -> Option<ResourceAttributes> {
    let below = path.strip_prefix("/apis/metrics.k8s.io/v1beta1/")?;
    let parts: Vec<&str> = below.trim_end_matches('/').split('/').collect();
    let (namespace, resource, name) = match *parts.as_slice() {
        [resource] => (None, resource, None),
        ["namespaces", namespace, resource] => (Some(namespace), resource, None),
        ["namespaces", namespace, resource, name] => (Some(namespace), resource, Some(name)),
        [resource, name] => (None, resource, Some(name)),
        _ => return None,
    };
    let text = |text: &str| text.to_owned();
    Some(ResourceAttributes {
        group: Some(text("metrics.k8s.io")),
        version: Some(text("v1beta1")),
        verb: Some(text(if name.is_some() { "get" } else { "list" })),
        namespace: namespace.map(text),
        resource: Some(text(resource)),
        name: name.map(text),
        ..ResourceAttributes::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_asked_about_as_the_api_would() {
        let read = |path: &str| {
            let found = resource(path)?;
            let text = |value: Option<String>| value.unwrap_or_default();
            Some(format!(
                "{} {} ns={} name={}",
                text(found.verb),
                text(found.resource),
                text(found.namespace),
                text(found.name)
            ))
        };
        let base = "/apis/metrics.k8s.io/v1beta1";
        for (path, expected) in [
            ("/pods", "list pods ns= name="),
            ("/nodes/one", "get nodes ns= name=one"),
            ("/namespaces/n/pods", "list pods ns=n name="),
            ("/namespaces/n/pods/p", "get pods ns=n name=p"),
        ] {
            assert_eq!(read(&format!("{base}{path}")).as_deref(), Some(expected));
        }
        assert_eq!(read("/metrics"), None);
        assert_eq!(read(base), None);
    }
}
