//! To a server of the directory: one after the other until one lets us in, TLS always, each in bounded time.
//!
//! Used by the follower and by the commands. Nothing here is retried: that is the follower's.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings};

use super::{
    access::{LdapAccess, Shape},
    failure::{LdapFailure, operation},
};
use toolforge_model::Chain;

/// The servers of a directory; remembers which of them answered last.
#[derive(Debug)]
pub(crate) struct Servers {
    access: LdapAccess,
    tls: Option<Arc<rustls::ClientConfig>>,
    last_good: AtomicUsize,
}

/// A connection, bound, with the place of its server among the URLs.
pub(crate) struct Connected {
    pub(crate) ldap: Ldap,
    pub(crate) server: usize,
}

impl Servers {
    /// The servers of a configuration, which is looked at as a whole.
    ///
    /// # Errors
    /// When it cannot work: no URL, one that would send the password in the clear, an authority or a filter that is none.
    pub(crate) fn new(access: LdapAccess) -> Result<Self, LdapFailure> {
        if access.urls.is_empty() {
            return Err(LdapFailure::NoUrl);
        }
        for url in &access.urls {
            check_url(url, access.plaintext_on_loopback)?;
        }
        check_filters(&access.shape)?;
        let tls = access
            .ca_pem
            .as_ref()
            .map(|ca| toolforge_pki::client_config(ca, None))
            .transpose()
            .map_err(LdapFailure::Authority)?;
        Ok(Self {
            access,
            tls: tls.map(Arc::new),
            last_good: AtomicUsize::new(0),
        })
    }

    /// What they were made of.
    pub(crate) fn access(&self) -> &LdapAccess {
        &self.access
    }

    /// Connects to the server that answered last, else to the first of the others that does, and binds.
    ///
    /// # Errors
    /// When no server lets us in: why the last one that was tried did not.
    pub(crate) async fn connect(&self) -> Result<Connected, LdapFailure> {
        let count = self.access.urls.len();
        let first = self.last_good.load(Ordering::Relaxed);
        let mut failure = LdapFailure::NoUrl;
        for server in (0..count).map(|step| (first + step) % count) {
            let url = &self.access.urls[server];
            match self.connect_to(url).await {
                Ok(ldap) => {
                    self.last_good.store(server, Ordering::Relaxed);
                    return Ok(Connected { ldap, server });
                }
                Err(error) => {
                    if count > 1 {
                        tracing::warn!(url, error = %Chain(&error), "a server of the directory is passed over");
                    }
                    failure = error;
                }
            }
        }
        Err(failure)
    }

    async fn connect_to(&self, url: &str) -> Result<Ldap, LdapFailure> {
        let patience = self.access.pace.connect;
        tokio::time::timeout(patience, self.reach(url))
            .await
            .map_err(|_| LdapFailure::Slow {
                seconds: patience.as_secs(),
            })?
    }

    async fn reach(&self, url: &str) -> Result<Ldap, LdapFailure> {
        let plain = self.access.plaintext_on_loopback && is_loopback(url);
        // StartTLS is ignored for ldaps; for ldap it is what keeps the password from going in the clear.
        let mut settings = LdapConnSettings::new().set_starttls(!plain);
        if let Some(tls) = &self.tls {
            settings = settings.set_config(tls.clone());
        }
        let connected = LdapConnAsync::with_settings(settings, url).await;
        let (connection, mut ldap) = connected.map_err(|source| LdapFailure::Connect {
            url: url.to_owned(),
            source: Box::new(source),
        })?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "the connection to the directory ended");
            }
        });
        let (name, password) = (&self.access.bind_dn, &self.access.bind_password);
        let bound = ldap.simple_bind(name, password).await;
        bound
            .and_then(ldap3::LdapResult::success)
            .map_err(operation("bind", name))?;
        Ok(ldap)
    }
}

/// Connects once, for a command.
pub(crate) async fn connect(access: &LdapAccess) -> Result<Ldap, LdapFailure> {
    Ok(Servers::new(access.clone())?.connect().await?.ldap)
}

fn check_url(url: &str, plaintext_on_loopback: bool) -> Result<(), LdapFailure> {
    let wrong = |rule| {
        Err(LdapFailure::Url {
            url: url.to_owned(),
            rule,
        })
    };
    let Some((scheme, _)) = url.split_once("://") else {
        return wrong("has no scheme; write ldaps://HOST, or ldap://HOST for StartTLS");
    };
    if host(url).is_empty() {
        return wrong("names no host; write ldaps://HOST or ldaps://HOST:PORT");
    }
    match scheme {
        "ldap" if plaintext_on_loopback && !is_loopback(url) => wrong(
            "is not on loopback and would send the password in the clear; leave plaintext off, or use ldaps://",
        ),
        "ldaps" | "ldap" => Ok(()),
        _ => wrong("has a scheme that is not LDAP's; write ldaps://HOST, or ldap://HOST for StartTLS"),
    }
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or("");
    match authority.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or(""),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    }
}

fn is_loopback(url: &str) -> bool {
    let host = host(url);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn check_filters(shape: &Shape) -> Result<(), LdapFailure> {
    let filters = [
        ("tools.filter", &shape.tools.filter),
        ("serviceGroups.filter", &shape.service_groups.filter),
        ("admins.filter", &shape.admins.filter),
        ("people.filter", &shape.people.filter),
    ];
    match filters
        .into_iter()
        .find(|(_, filter)| ldap3::parse_filter(filter).is_err())
    {
        None => Ok(()),
        Some((field, filter)) => Err(LdapFailure::Filter {
            field,
            filter: filter.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(urls: &[&str], plaintext: bool) -> String {
        let urls = urls.iter().map(|url| (*url).to_owned()).collect();
        let mut access = LdapAccess::new(urls, "dc=toolforge,dc=org", "tools");
        access.plaintext_on_loopback = plaintext;
        Servers::new(access).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn urls_that_cannot_work_are_named_with_the_way_out() {
        for (urls, plaintext, words) in [
            (&[][..], false, "name at least one URL"),
            (&["ldap.example.org"][..], false, "has no scheme"),
            (&["https://ldap.example.org"][..], false, "write ldaps://HOST"),
            (&["ldaps://"][..], false, "names no host"),
            (
                &["ldap://ldap.example.org"][..],
                true,
                "would send the password in the clear",
            ),
            (
                &["ldaps://a", "ldap://[2001:db8::1]:389"][..],
                true,
                "ldap://[2001:db8::1]:389",
            ),
        ] {
            let text = refused(urls, plaintext);
            assert!(text.contains(words), "{urls:?}: {text}");
        }
    }

    #[test]
    fn urls_with_tls_and_plain_ones_to_loopback_are_taken() {
        for (url, plaintext) in [
            ("ldaps://ldap.example.org", true),
            ("ldap://ldap.example.org:389", false),
            ("ldap://127.0.0.1:389", true),
            ("ldap://[::1]:389", true),
            ("ldap://localhost", true),
        ] {
            assert_eq!(refused(&[url], plaintext), "", "{url}");
        }
    }

    #[test]
    fn a_filter_that_is_none_is_named_by_its_field() {
        let mut access = LdapAccess::new(vec!["ldaps://a".to_owned()], "dc=org", "tools");
        access.shape.admins.filter = "(cn=".to_owned();
        let text = Servers::new(access).unwrap_err().to_string();
        assert!(text.starts_with("admins.filter: \"(cn=\""), "{text}");
    }
}
