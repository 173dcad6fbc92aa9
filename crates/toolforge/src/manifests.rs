//! `toolforge manifests`: prints what a cluster must hold, as a `List` that `kubectl apply -f -` takes.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use toolforge_accounts::{DirectorySettings, Overrides};
use toolforge_admission::Reach;
use toolforge_gateway::{GatewaySettings, Published};
use toolforge_model::ImageRef;
use toolforge_policy::PolicySettings;

use crate::{
    component::webhook_service,
    image_config,
    objects::{self, Certificate, Deployed, Public, Registration},
    policy::{self, PolicyArgs},
    settings::{DEFAULT_REGISTRY, PROJECT},
};

#[derive(Debug, Args)]
pub(crate) struct ManifestsArgs {
    #[command(flatten)]
    policy: PolicyArgs,
    /// A registry that images may come from; can be given more than once [default: that of the policy, else
    /// docker-registry.tools.wmflabs.org]
    #[arg(long = "registry", value_name = "HOST")]
    registries: Vec<String>,
    /// The authority of the webhooks' certificate, PEM [default: the guards write it into their configurations themselves]
    #[arg(long, value_name = "FILE")]
    webhook_ca: Option<PathBuf>,
    /// Who signs the certificate of the guards, who get the right to approve their requests to it [default:
    /// kubernetes.io/kubelet-serving; with --webhook-ca nobody: the certificate comes from files]
    #[arg(long, value_name = "NAME")]
    signer: Option<String>,
    /// Also what runs the components, from this image with the program on its path: Deployments, Services, budgets
    #[arg(long, value_name = "IMAGE", value_parser = image)]
    image: Option<String>,
    /// The directory file of the account service, which is left out of the components without it
    #[arg(long, value_name = "FILE", requires = "image")]
    directory: Option<PathBuf>,
    /// The account service's file of what single tools have more or less of
    #[arg(long, value_name = "FILE", requires = "directory")]
    overrides: Option<PathBuf>,
    /// The gateway's settings file, such as whom it bans
    #[arg(long, value_name = "FILE", requires = "image")]
    gateway_settings: Option<PathBuf>,
    /// Where visitors reach the gateway, for the status of Ingresses that are served [default: nothing is written there]
    #[arg(long, value_name = "ADDRESS|HOST", requires = "image")]
    publish: Option<Published>,
    /// Where webservices outside of Kubernetes register with the gateway, such as `https://register.toolforge.org:8283`
    #[arg(long, value_name = "URL")]
    register_url: Option<String>,
    /// Where they register by the lines of the original, if not there
    #[arg(long, value_name = "HOST:PORT")]
    register_lines: Option<String>,
    /// The types of webservice and their images, YAML, instead of those that are built in
    #[arg(long, value_name = "FILE")]
    image_config: Option<PathBuf>,
    /// Only the namespaces and definitions of kinds, which have to be there before the rest is applied
    #[arg(long)]
    definitions: bool,
}

impl ManifestsArgs {
    fn policy(&self) -> anyhow::Result<PolicySettings> {
        let PolicyArgs { policy, domains } = &self.policy;
        let mut policy = policy::filled(policy.as_deref(), domains, &self.registries)?;
        if policy.registries.is_empty() {
            policy.registries = vec![DEFAULT_REGISTRY.to_owned()];
        }
        policy.resolve()?;
        Ok(policy)
    }

    /// Where the guards' certificate comes from: the cluster's own signer, unless something else is said.
    fn certificate(&self) -> anyhow::Result<Certificate> {
        let authority = self.webhook_ca.as_ref().map(read).transpose()?;
        let default = authority
            .is_none()
            .then(|| toolforge_admission::DEFAULT_SIGNER.to_owned());
        Ok(Certificate {
            signer: self.signer.clone().or(default),
            authority,
        })
    }

    /// The directory file as it is, once it is known to be one.
    fn directory(&self) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.directory else {
            return Ok(None);
        };
        let text = read(path)?;
        DirectorySettings::read(&text)
            .with_context(|| format!("{} is not a directory file", path.display()))?;
        Ok(Some(text))
    }

    /// The file of overrides as it is, once it is known to be one.
    fn overrides(&self) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.overrides else {
            return Ok(None);
        };
        let text = read(path)?;
        Overrides::read(&text).with_context(|| format!("--overrides: {}", path.display()))?;
        Ok(Some(text))
    }

    /// The gateway's settings file as it is, once it is known to work.
    fn gateway_settings(&self) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.gateway_settings else {
            return Ok(None);
        };
        let text = read(path)?;
        GatewaySettings::read(&text)
            .and_then(GatewaySettings::resolve)
            .with_context(|| format!("--gateway-settings: {}", path.display()))?;
        Ok(Some(text))
    }

    fn objects(&self) -> anyhow::Result<Vec<Value>> {
        let policy = self.policy()?;
        let certificate = self.certificate()?;
        let domain = policy.domains.first().context("the policy has no domain")?;
        let public = Public {
            domain: domain.clone(),
            project: PROJECT.to_owned(),
            registry: policy.registries.first().cloned().unwrap_or_default(),
            url: format!("https://{{tool}}.{domain}/"),
            policy: policy.clone(),
            gateway_address: None,
            ca_pem: None,
            registration: Registration {
                url: self.register_url.clone(),
                lines: self.register_lines.clone(),
            },
            images: self.image_config.as_deref().map(image_config::read).transpose()?,
        };
        let mut items = objects::foundation(&public);
        if self.definitions {
            items.retain(objects::is_ground);
            return Ok(items);
        }
        let signer = certificate.signer.as_deref();
        items.extend(signer.map(objects::certificate_rights).into_iter().flatten());
        if let Some(image) = &self.image {
            let deployed = Deployed {
                image: image.clone(),
                domain: domain.clone(),
                policy: policy.clone(),
                certificate: certificate.clone(),
                directory: self.directory()?,
                overrides: self.overrides()?,
                gateway_settings: self.gateway_settings()?,
                published: self.publish.as_ref().map(ToString::to_string),
            };
            // The pages' Service leads to Pods here.
            items.retain(|object| object["kind"] != "Service");
            items.extend(objects::deployed(&deployed));
        }
        items.extend(toolforge_admission::webhook_configurations(
            &webhook_service(),
            certificate.authority.as_deref(),
            &Reach::of(&policy.resolve()?),
        ));
        Ok(items)
    }
}

pub(crate) fn run(arguments: &ManifestsArgs) -> anyhow::Result<ExitCode> {
    let items = arguments.objects()?;
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    anstream::println!("{list:#}");
    Ok(ExitCode::SUCCESS)
}

/// An image, as it is written: the runtime of each machine reads it the same way.
fn image(text: &str) -> Result<String, String> {
    let parsed: Result<ImageRef, _> = text.parse();
    parsed.map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

fn read(path: &PathBuf) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

#[cfg(test)]
mod tests {
    use super::image;

    #[test]
    fn what_no_runtime_could_pull_is_no_image() {
        for good in [
            "harbor.example:5000/infra/toolforge:1.2.3",
            "toolforge",
            "localhost/x@sha256:HEX",
        ] {
            let good = good.replace("HEX", &"0".repeat(64));
            assert_eq!(image(&good), Ok(good));
        }
        for bad in [
            "",
            "Not An Image",
            "https://harbor.example/x",
            "harbor.example/x:",
            "a/../b",
        ] {
            assert!(image(bad).is_err(), "{bad}");
        }
    }
}
