//! What is found of a tool, with the tool's name and all that differs between any two left out: two tools that are as they
//! should be are found alike.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use k8s_openapi::api::{certificates::v1::CertificateSigningRequest, core::v1::Pod};
use kube::{Api, api::ListParams};
use regex::Regex;

use crate::{
    stage::{Stage, Tool},
    tracer::without_random,
};

/// Of each file where it lies, its mode, and the target of a link or the text.
pub(crate) type Seen = Vec<String>;

impl Stage {
    /// The home.
    pub(crate) fn home_of(&self, tool: &Tool) -> Seen {
        let home = self.home(&tool.name);
        let mut found: Seen = below(&home)
            .iter()
            .map(|path| describe(&home, path, tool))
            .collect();
        found.sort();
        found
    }

    /// The archives.
    pub(crate) fn archives_of(&self, tool: &Tool) -> Seen {
        let (folder, prefix) = (self.path("archive"), format!("tool-{}-2", tool.name));
        let is_its = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&prefix);
        let files = below(&folder);
        files
            .iter()
            .filter(is_its)
            .map(|path| describe(&folder, path, tool))
            .collect()
    }

    /// Nothing that was half-made lies beside homes and archives, and no request for a certificate is left.
    pub(crate) async fn has_no_remains(&self) {
        for folder in ["project", "archive"] {
            for entry in std::fs::read_dir(self.path(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(!name.starts_with('.'), "{name} is left in {folder}");
            }
        }
        let requests: Api<CertificateSigningRequest> = Api::all(self.admin.clone());
        let requests = requests.list(&ListParams::default()).await.unwrap();
        assert!(requests.items.is_empty(), "a request is left behind");
    }

    /// The tool's kubeconfig works.
    pub(crate) async fn works(&self, tool: &Tool) {
        let client = self.client_of(&tool.name).await;
        let pods: Api<Pod> = Api::namespaced(client, &format!("tool-{}", tool.name));
        pods.list(&ListParams::default()).await.unwrap();
    }
}

/// A folder, and all that is in it.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        next += 1;
        if path.symlink_metadata().unwrap().is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            found.extend(entries.map(|entry| entry.unwrap().path()));
        }
    }
    found
}

fn describe(folder: &Path, path: &Path, tool: &Tool) -> String {
    let data = path.symlink_metadata().unwrap();
    let relative = path.strip_prefix(folder).unwrap().display().to_string();
    let text = match std::fs::read_link(path) {
        Ok(target) => format!("-> {}", target.display()),
        // Keys and certificates are whatever they are.
        Err(_) if relative.contains(".pair-") || data.is_dir() => String::new(),
        Err(_) => std::fs::read_to_string(path).unwrap(),
    };
    let text = format!(
        "{relative} {:o} {}:{} {text}",
        data.mode(),
        data.uid(),
        data.gid()
    );
    let text = text
        .replace(&tool.name, "TOOL")
        .replace(&tool.uid.to_string(), "UID");
    let time = Regex::new(r"\d{4}-?\d{2}-?\d{2}T\d{2}:?\d{2}:?\d{2}Z?").unwrap();
    without_random(&time.replace_all(&text, "TIME"))
}
