//! The policy file and the flags that fill it in: what the guards of `up`, `admission` and `gateway` go by.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use toolforge_policy::PolicySettings;

/// The policy of a component, by file, by flags, or by both where they say different things.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// The policy file: YAML with domains, registries and the rules of the guards
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// A domain under which tools are served, the main one first; can be given more than once
    #[arg(long = "domain", required_unless_present = "policy", value_name = "DOMAIN")]
    pub(crate) domains: Vec<String>,
}

/// Reads a policy file.
pub(crate) fn read(path: &Path) -> anyhow::Result<PolicySettings> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--policy: {} cannot be read", path.display()))?;
    PolicySettings::read(&text).with_context(|| format!("--policy: {}", path.display()))
}

/// The file with what flags add to it.
///
/// What the file says already cannot be said by a flag as well: one of the two would be forgotten some day.
pub(crate) fn filled(
    file: Option<&Path>,
    domains: &[String],
    registries: &[String],
) -> anyhow::Result<PolicySettings> {
    with_flags(
        file.map(read).transpose()?.unwrap_or_default(),
        domains,
        registries,
    )
}

/// The text of the file with what flags add to it.
pub(crate) fn of_text(text: &str, domains: &[String]) -> anyhow::Result<PolicySettings> {
    with_flags(PolicySettings::read(text)?, domains, &[])
}

fn with_flags(
    mut settings: PolicySettings,
    domains: &[String],
    registries: &[String],
) -> anyhow::Result<PolicySettings> {
    fill("--domain", "domains", &mut settings.domains, domains)?;
    fill("--registry", "registries", &mut settings.registries, registries)?;
    Ok(settings)
}

fn fill(flag: &str, key: &str, said: &mut Vec<String>, given: &[String]) -> anyhow::Result<()> {
    if !said.is_empty() && !given.is_empty() {
        bail!("{flag}: the policy file has {key} already; say it in one of the two places");
    }
    if said.is_empty() {
        *said = given.to_vec();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn flags_fill_in_what_the_file_leaves_out_and_say_nothing_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        std::fs::write(&path, "registries: [r.example]\n").unwrap();
        let domains = strings(&["tools.example"]);
        let settings = filled(Some(&path), &domains, &[]).unwrap();
        assert_eq!(settings, PolicySettings::with("tools.example", "r.example"));
        let error = filled(Some(&path), &domains, &strings(&["other.example"])).unwrap_err();
        assert!(error.to_string().contains("--registry"), "{error}");
        let without = filled(None, &domains, &strings(&["r.example"])).unwrap();
        assert_eq!(without, PolicySettings::with("tools.example", "r.example"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let error = read(Path::new("/nowhere/policy.yaml")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/policy.yaml"), "{error}");
    }
}
