//! By what the API's own requests are known: the `ConfigMap` in which every Kubernetes API says so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::http::HeaderMap;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client};
use percent_encoding::percent_decode_str;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use toolforge_pki::{ClientAuthority, PkiError};

use super::question::User;
use crate::usage::each;

/// Where the API says it.
const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";

/// Whom to believe.
#[derive(Debug)]
pub(crate) struct Trust {
    data: BTreeMap<String, String>,
    front: ClientAuthority,
    clients: Option<ClientAuthority>,
    allowed_names: Vec<String>,
    user_headers: Vec<String>,
    uid_headers: Vec<String>,
    group_headers: Vec<String>,
    extra_prefixes: Vec<String>,
}

impl Trust {
    fn read(data: &BTreeMap<String, String>) -> Result<Self, PkiError> {
        let text = |key: &str| data.get(key).map(String::as_str).unwrap_or_default();
        // A list in JSON; nothing where it is none.
        let list = |key: &str| -> Vec<String> { serde_json::from_str(text(key)).unwrap_or_default() };
        let clients = data.get("client-ca-file").map(|pem| ClientAuthority::read(pem));
        Ok(Self {
            front: ClientAuthority::read(text("requestheader-client-ca-file"))?,
            clients: clients.transpose()?,
            allowed_names: list("requestheader-allowed-names"),
            user_headers: list("requestheader-username-headers"),
            uid_headers: list("requestheader-uid-headers"),
            group_headers: list("requestheader-group-headers"),
            extra_prefixes: list("requestheader-extra-headers-prefix"),
            data: data.clone(),
        })
    }

    /// Every authority whose certificates may be shown.
    pub(crate) fn bundle(&self) -> String {
        let pem = |key: &str| self.data.get(key).map(String::as_str).unwrap_or_default();
        format!(
            "{}\n{}",
            pem("requestheader-client-ca-file"),
            pem("client-ca-file")
        )
    }

    /// Whether this is the API's front proxy. Its authority alone counts: a client of the cluster may have its name.
    pub(super) fn is_front_proxy(&self, der: &[u8], name: &str, now: SystemTime) -> bool {
        let is_allowed =
            self.allowed_names.is_empty() || self.allowed_names.iter().any(|allowed| allowed == name);
        is_allowed && self.front.has_signed(der, now)
    }

    /// Whether this is a certificate of a client of the cluster.
    pub(super) fn is_client(&self, der: &[u8], now: SystemTime) -> bool {
        let clients = self.clients.as_ref();
        clients.is_some_and(|clients| clients.has_signed(der, now))
    }

    /// Whom the front proxy asks for; none when it does not say.
    pub(super) fn user(&self, headers: &HeaderMap) -> Option<User> {
        let all = |names: &[String]| -> Vec<String> {
            let values = names.iter().flat_map(|name| headers.get_all(name.as_str()));
            values
                .filter_map(|value| value.to_str().ok())
                .map(str::to_owned)
                .collect()
        };
        let first = |names: &[String]| all(names).into_iter().find(|value| !value.is_empty());
        Some(User {
            name: first(&self.user_headers)?,
            uid: first(&self.uid_headers),
            groups: all(&self.group_headers),
            extra: self.extra(headers),
        })
    }

    fn extra(&self, headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
        let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in headers {
            let prefixes = self
                .extra_prefixes
                .iter()
                .map(|prefix| prefix.to_ascii_lowercase());
            let mut keys =
                prefixes.filter_map(|prefix| name.as_str().strip_prefix(&prefix).map(str::to_owned));
            if let (Some(key), Ok(value)) = (keys.next(), value.to_str()) {
                let key = percent_decode_str(&key).decode_utf8_lossy().into_owned();
                extra.entry(key).or_default().push(value.to_owned());
            }
        }
        extra
    }
}

/// Follows what the API says, until `shutdown`. Nothing before it has said it once.
pub(crate) fn follow(client: Client, shutdown: CancellationToken) -> watch::Receiver<Option<Arc<Trust>>> {
    let (told, trust) = watch::channel(None);
    let take = move |found: &ConfigMap| {
        let data = found.data.clone().unwrap_or_default();
        let known: Option<Arc<Trust>> = told.borrow().clone();
        if known.is_some_and(|known| known.data == data) {
            return;
        }
        match Trust::read(&data) {
            Ok(trust) => drop(told.send_replace(Some(Arc::new(trust)))),
            Err(error) => {
                tracing::warn!(%error, "the ConfigMap {NAMESPACE}/{NAME} names no authority that can be used");
            }
        }
    };
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        let only = Config::default().fields(&format!("metadata.name={NAME}"));
        let api = Api::<ConfigMap>::namespaced(client, NAMESPACE);
        each(api, only, "the API's authorities", |event| match event {
            Event::InitApply(found) | Event::Apply(found) => take(&found),
            Event::Init | Event::InitDone | Event::Delete(_) => {}
        })
        .await;
    }));
    trust
}

#[cfg(test)]
mod tests {
    use toolforge_pki::{Authority, read_bundle};

    use super::*;

    fn trust(front: &Authority, clients: &Authority) -> Trust {
        let data = [
            ("client-ca-file", clients.certificate_pem()),
            ("requestheader-client-ca-file", front.certificate_pem()),
            ("requestheader-allowed-names", "[\"front-proxy-client\"]"),
            ("requestheader-username-headers", "[\"X-Remote-User\"]"),
            ("requestheader-group-headers", "[\"X-Remote-Group\"]"),
            ("requestheader-extra-headers-prefix", "[\"X-Remote-Extra-\"]"),
        ];
        let data = data.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Trust::read(&data).expect("trust")
    }

    #[test]
    fn a_client_of_the_cluster_is_not_the_front_proxy_whatever_its_name() {
        let front = Authority::create("front").expect("authority");
        let clients = Authority::create("clients").expect("authority");
        let trust = trust(&front, &clients);
        let der = |authority: &Authority, name: &str| {
            let identity = authority.issue_client(name, &[]).expect("identity");
            read_bundle(&identity.certificate_pem)
                .expect("certificate")
                .remove(0)
        };
        let now = SystemTime::now();
        let name = "front-proxy-client";
        assert!(trust.is_front_proxy(&der(&front, name), name, now));
        assert!(!trust.is_front_proxy(&der(&front, "other"), "other", now));
        let forged = der(&clients, name);
        assert!(!trust.is_front_proxy(&forged, name, now));
        assert!(trust.is_client(&forged, now));
        assert!(!trust.is_client(&der(&front, name), now));
    }

    #[test]
    fn the_front_proxy_says_who_asks() {
        let authority = Authority::create("one").expect("authority");
        let trust = trust(&authority, &authority);
        let mut headers = HeaderMap::new();
        assert_eq!(trust.user(&headers), None);
        for (name, value) in [
            ("x-remote-user", "ada"),
            ("x-remote-group", "a"),
            ("x-remote-group", "b"),
            ("x-remote-extra-example.org%2fkey", "1"),
        ] {
            headers.append(name, value.parse().expect("value"));
        }
        let user = trust.user(&headers).expect("user");
        assert_eq!(
            (user.name.as_str(), user.groups),
            ("ada", vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(user.extra["example.org/key"], ["1"]);
    }
}
