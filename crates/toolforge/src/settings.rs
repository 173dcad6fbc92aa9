//! The settings of the platform on one machine: flags over what was settled at an earlier start over
//! defaults. What was settled is kept in the data folder, so that `up` brings back what was there.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use toolforge_model::Domain;
use toolforge_policy::PolicySettings;

use crate::cli::UpArgs;

/// The base of the sample directory.
pub(crate) const DEFAULT_BASE: &str = "dc=toolforge,dc=org";
/// The project: tools' accounts are called `tools.NAME`, as in the original.
pub(crate) const PROJECT: &str = "tools";
/// The internal registry of the original.
pub(crate) const DEFAULT_REGISTRY: &str = "docker-registry.tools.wmflabs.org";
/// Resolves to this machine everywhere (RFC 6761 section 6.3), so that nothing is to be configured.
pub(crate) const DEFAULT_DOMAIN: &str = "toolforge.localhost";

/// What `up` goes by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) domain: String,
    pub(crate) base: String,
    pub(crate) homes: PathBuf,
    pub(crate) registry: String,
    /// The policy file, by an absolute path; what it says wins over what was settled earlier.
    #[serde(default)]
    pub(crate) policy: Option<PathBuf>,
    /// The file with what single tools have more or less of, by an absolute path.
    #[serde(default)]
    pub(crate) overrides: Option<PathBuf>,
    /// The file of the gateway's settings, by an absolute path.
    #[serde(default)]
    pub(crate) gateway: Option<PathBuf>,
    /// The file of the types of webservice, by an absolute path.
    #[serde(default)]
    pub(crate) images: Option<PathBuf>,
    /// The second byte of Pods' addresses; none until a free one was found.
    pub(crate) network: Option<u8>,
    pub(crate) ports: Ports,
}

/// Where everything listens, on loopback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ports {
    pub(crate) https: u16,
    pub(crate) http: u16,
    pub(crate) api: u16,
    pub(crate) ldap: u16,
    pub(crate) node: u16,
    pub(crate) admission: u16,
    pub(crate) fourohfour: u16,
}

impl Settings {
    /// Reads what an earlier start settled; none on a new data folder.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let settings = serde_json::from_str(&text).with_context(|| {
            format!(
                "{} is damaged; mend it, or remove it to go back to the defaults",
                path.display()
            )
        })?;
        Ok(Some(settings))
    }

    /// Keeps the settings for the next start.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        Ok(toolforge_pki::write_private(
            path,
            format!("{text}\n").as_bytes(),
        )?)
    }

    /// The rules of a policy file with what it leaves out.
    pub(crate) fn fill(&self, mut rules: PolicySettings) -> PolicySettings {
        if rules.domains.is_empty() {
            rules.domains = vec![self.domain.clone()];
        }
        if rules.registries.is_empty() {
            rules.registries = vec![self.registry.clone()];
        }
        rules
    }

    /// Where a tool is served.
    pub(crate) fn url(&self, tool: &str) -> String {
        match self.ports.https {
            443 => format!("https://{tool}.{}/", self.domain),
            port => format!("https://{tool}.{}:{port}/", self.domain),
        }
    }
}

/// The policy file to go by: the one that was named, else that of the earlier start.
pub(crate) fn policy_path(flags: &UpArgs, earlier: Option<&Settings>) -> anyhow::Result<Option<PathBuf>> {
    kept_file("--policy", flags.policy.as_deref(), || {
        earlier.and_then(|settings| settings.policy.clone())
    })
}

/// A file by an absolute path: the one that was named, else that of the earlier start.
fn kept_file(
    flag: &str,
    named: Option<&Path>,
    kept: impl FnOnce() -> Option<PathBuf>,
) -> anyhow::Result<Option<PathBuf>> {
    match named {
        Some(path) => std::path::absolute(path)
            .with_context(|| format!("{flag}: not a path"))
            .map(Some),
        None => Ok(kept()),
    }
}

/// Flags over the policy file over `earlier` over defaults. All that is wrong with them is said at once.
pub(crate) fn resolve(
    flags: &UpArgs,
    ldif: Option<&str>,
    (policy_path, policy): (Option<PathBuf>, &PolicySettings),
    earlier: Option<&Settings>,
    default_homes: &Path,
) -> anyhow::Result<Settings> {
    let mut problems = Vec::new();
    let kept = |pick: fn(&Settings) -> &String| earlier.map(|settings| pick(settings).clone());
    for (flag, given, said) in [
        ("--domain", &flags.domain, &policy.domains),
        ("--registry", &flags.registry, &policy.registries),
    ] {
        if given.is_some() && !said.is_empty() {
            problems.push(format!(
                "{flag}: the policy file says {} already; say it in one of the two places",
                said.join(", ")
            ));
        }
    }
    let asked = flags.domain.clone().or_else(|| policy.domains.first().cloned());
    let domain = asked.or_else(|| kept(|settings| &settings.domain));
    let domain = domain.unwrap_or_else(|| DEFAULT_DOMAIN.to_owned());
    if let Err(error) = domain.parse::<Domain>() {
        problems.push(format!("--domain: {error}"));
    }
    let base = flags
        .base
        .clone()
        .or_else(|| kept(|settings| &settings.base))
        .or_else(|| ldif.and_then(first_dn));
    let homes = flags
        .homes
        .clone()
        .or_else(|| earlier.map(|settings| settings.homes.clone()));
    let homes = homes.unwrap_or_else(|| default_homes.to_owned());
    if !homes.is_absolute() {
        problems.push(format!(
            "--homes: {} is not absolute; begin it with a /",
            homes.display()
        ));
    }
    let registry = flags
        .registry
        .clone()
        .or_else(|| policy.registries.first().cloned())
        .or_else(|| kept(|settings| &settings.registry));
    let overrides = kept_file("--overrides", flags.overrides.as_deref(), || {
        earlier.and_then(|settings| settings.overrides.clone())
    })?;
    let gateway = kept_file("--gateway-settings", flags.gateway_settings.as_deref(), || {
        earlier.and_then(|settings| settings.gateway.clone())
    })?;
    let images = kept_file("--image-config", flags.image_config.as_deref(), || {
        earlier.and_then(|settings| settings.images.clone())
    })?;
    let ports = ports(flags, earlier.map(|settings| &settings.ports));
    problems.extend(shared_ports(&ports));
    if !problems.is_empty() {
        bail!("these settings do not work:\n  {}", problems.join("\n  "));
    }
    Ok(Settings {
        domain,
        base: base.unwrap_or_else(|| DEFAULT_BASE.to_owned()),
        homes,
        registry: registry.unwrap_or_else(|| DEFAULT_REGISTRY.to_owned()),
        policy: policy_path,
        overrides,
        gateway,
        images,
        network: flags
            .network
            .or_else(|| earlier.and_then(|settings| settings.network)),
        ports,
    })
}

fn ports(flags: &UpArgs, earlier: Option<&Ports>) -> Ports {
    let pick = |flag: Option<u16>, kept: fn(&Ports) -> u16, default: u16| {
        flag.or_else(|| earlier.map(kept)).unwrap_or(default)
    };
    Ports {
        https: pick(flags.https_port, |ports| ports.https, 8443),
        http: pick(flags.http_port, |ports| ports.http, 8080),
        api: pick(flags.api_port, |ports| ports.api, 6443),
        ldap: pick(flags.ldap_port, |ports| ports.ldap, 1636),
        node: pick(flags.node_port, |ports| ports.node, 10250),
        admission: pick(flags.admission_port, |ports| ports.admission, 9443),
        fourohfour: pick(flags.fourohfour_port, |ports| ports.fourohfour, 8404),
    }
}

impl Ports {
    /// Each port with the flag that changes it.
    pub(crate) fn with_flags(&self) -> [(&'static str, u16); 7] {
        [
            ("--https-port", self.https),
            ("--http-port", self.http),
            ("--api-port", self.api),
            ("--ldap-port", self.ldap),
            ("--node-port", self.node),
            ("--admission-port", self.admission),
            ("--fourohfour-port", self.fourohfour),
        ]
    }
}

fn shared_ports(ports: &Ports) -> Vec<String> {
    let all = ports.with_flags();
    let mut problems = Vec::new();
    for (index, (flag, port)) in all.iter().enumerate() {
        if *port == 0 {
            problems.push(format!(
                "{flag}: 0 is not a port; others must know where to find it"
            ));
        } else if let Some((other, _)) = all[..index].iter().find(|(_, earlier)| earlier == port) {
            problems.push(format!(
                "{flag}: {port} is taken by {other}; give one of them another"
            ));
        }
    }
    problems
}

/// The base of an LDIF file: its first entry, which is the root of all others.
fn first_dn(ldif: &str) -> Option<String> {
    ldif.lines()
        .find_map(|line| line.strip_prefix("dn:"))
        .map(|dn| dn.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn flags(arguments: &[&str]) -> UpArgs {
        let cli = Cli::try_parse_from([&["toolforge", "up"], arguments].concat()).unwrap();
        let Command::Up(arguments) = cli.command else {
            panic!("not up")
        };
        arguments
    }

    fn settled(arguments: &[&str], earlier: Option<&Settings>) -> anyhow::Result<Settings> {
        let policy = PolicySettings::default();
        resolve(
            &flags(arguments),
            None,
            (None, &policy),
            earlier,
            Path::new("/data/homes"),
        )
    }

    #[test]
    fn flags_win_over_what_was_settled_and_that_over_defaults() {
        let first = settled(&["--https-port", "443", "--domain", "tools.test"], None).unwrap();
        assert_eq!((first.ports.https, first.ports.http), (443, 8080));
        let second = settled(&["--http-port", "80"], Some(&first)).unwrap();
        assert_eq!((second.ports.https, second.ports.http), (443, 80));
        assert_eq!(second.url("alpha"), "https://alpha.tools.test/");
    }

    #[test]
    fn every_problem_is_said_at_once() {
        let error = settled(
            &["--homes", "here", "--http-port", "8443", "--ldap-port", "0"],
            None,
        )
        .unwrap_err();
        let text = error.to_string();
        for part in [
            "--homes: here is not absolute",
            "--http-port: 8443 is taken by --https-port",
            "--ldap-port: 0",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn the_policy_file_is_kept_and_wins_over_what_was_settled() {
        let first = settled(&["--domain", "tools.test"], None).unwrap();
        let file = PolicySettings::with("other.test", "r.test");
        let with = |arguments: &[&str]| {
            let flags = flags(arguments);
            let path = policy_path(&flags, Some(&first)).unwrap();
            resolve(
                &flags,
                None,
                (path, &file),
                Some(&first),
                Path::new("/data/homes"),
            )
        };
        let second = with(&["--policy", "/etc/policy.yaml"]).unwrap();
        assert_eq!(
            (second.domain.as_str(), second.registry.as_str()),
            ("other.test", "r.test")
        );
        assert_eq!(policy_path(&flags(&[]), Some(&second)).unwrap(), second.policy);
        let twice = with(&["--domain", "third.test"]).unwrap_err().to_string();
        assert!(
            twice.contains("--domain: the policy file says other.test"),
            "{twice}"
        );
    }

    #[test]
    fn the_file_of_the_gateway_is_kept_by_an_absolute_path() {
        let first = settled(&["--gateway-settings", "gateway.yaml"], None).unwrap();
        let path = first.gateway.clone().unwrap();
        assert!(path.is_absolute() && path.ends_with("gateway.yaml"), "{path:?}");
        assert_eq!(settled(&[], Some(&first)).unwrap().gateway, first.gateway);
    }

    #[test]
    fn the_file_of_types_is_kept_by_an_absolute_path() {
        let first = settled(&["--image-config", "images.yaml"], None).unwrap();
        let path = first.images.clone().unwrap();
        assert!(path.is_absolute() && path.ends_with("images.yaml"), "{path:?}");
        assert_eq!(settled(&[], Some(&first)).unwrap().images, first.images);
    }

    #[test]
    fn the_file_of_overrides_is_kept_by_an_absolute_path() {
        let first = settled(&["--overrides", "overrides.yaml"], None).unwrap();
        let path = first.overrides.clone().unwrap();
        assert!(path.is_absolute() && path.ends_with("overrides.yaml"), "{path:?}");
        let second = settled(&[], Some(&first)).unwrap();
        assert_eq!(second.overrides, first.overrides);
        let third = settled(&["--overrides", "/etc/overrides.yaml"], Some(&second)).unwrap();
        assert_eq!(third.overrides.unwrap(), Path::new("/etc/overrides.yaml"));
    }

    #[test]
    fn the_base_of_a_directory_is_its_first_entry() {
        let ldif =
            "version: 1\n\ndn: dc=example,dc=net\nobjectClass: domain\n\ndn: ou=people,dc=example,dc=net\n";
        let settings = resolve(
            &flags(&[]),
            Some(ldif),
            (None, &PolicySettings::default()),
            None,
            Path::new("/data/homes"),
        )
        .unwrap();
        assert_eq!(settings.base, "dc=example,dc=net");
    }

    #[test]
    fn settings_survive_the_disk() {
        let folder = std::env::temp_dir().join(format!("toolforge-settings-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("settings.json");
        assert_eq!(Settings::read(&path).unwrap(), None);
        let settings = settled(&[], None).unwrap();
        settings.write(&path).unwrap();
        assert_eq!(Settings::read(&path).unwrap(), Some(settings));
        std::fs::write(&path, "{").unwrap();
        assert!(Settings::read(&path).unwrap_err().to_string().contains("damaged"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
