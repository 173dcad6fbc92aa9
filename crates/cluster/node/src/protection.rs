//! What this machine protects Pods from each other with, and what is missing, in sentences for people.
//!
//! `up` prints the sentences. Detection only looks; it changes nothing.

use crate::{process::Controllers, sys};

/// What the process runtime may use on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    pub(crate) own_uid: bool,
    pub(crate) controllers: Controllers,
    pub(crate) redirect: bool,
    missing: Vec<String>,
}

impl Protection {
    /// What tools are not protected from, one sentence each; empty when nothing is missing.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    fn of(root: bool, controllers: Controllers, redirect: bool) -> Self {
        let missing = sentences(root, &controllers, redirect);
        Self {
            own_uid: root,
            controllers,
            redirect,
            missing,
        }
    }
}

/// Looks at rights, cgroups and kernel of this machine.
pub fn detect_protection() -> Protection {
    let root = rustix::process::geteuid().is_root();
    let controllers = if root {
        Controllers::detect()
    } else {
        Controllers::none()
    };
    Protection::of(root, controllers, sys::seccomp::available())
}

fn sentences(root: bool, controllers: &Controllers, redirect: bool) -> Vec<String> {
    let mut missing = Vec::new();
    if !root {
        missing.push(
            "Tools run as your own user and can read and change whatever you can; start as root to give each its own user id."
                .to_owned(),
        );
    }
    let unlimited: Vec<&str> = [
        ("memory", controllers.has_memory()),
        ("CPU", controllers.has_cpu()),
        ("processes", controllers.has_pids()),
    ]
    .into_iter()
    .filter_map(|(what, there)| (!there).then_some(what))
    .collect();
    if !unlimited.is_empty() {
        let hint = if root {
            "this machine offers no writable cgroup for it"
        } else {
            "that needs root"
        };
        missing.push(format!(
            "Limits on {} are not enforced; {hint}.",
            unlimited.join(", ")
        ));
    }
    if *controllers == Controllers::none() {
        missing.push(
            "Processes that a tool detaches from its own may outlive it until the next start.".to_owned(),
        );
    }
    if !redirect {
        missing.push(
            "Two tools cannot listen on the same port: the kernel has no seccomp user notification (Linux 5.6 or newer)."
                .to_owned(),
        );
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fully_equipped_machine_misses_nothing() {
        assert_eq!(
            Protection::of(true, Controllers::all_for_tests(), true).missing(),
            &[] as &[String]
        );
    }

    #[test]
    fn without_root_user_ids_limits_and_clean_ends_are_named() {
        let protection = Protection::of(false, Controllers::none(), true);
        let text = protection.missing().join("\n");
        assert!(text.contains("own user id"), "{text}");
        assert!(text.contains("memory, CPU, processes"), "{text}");
        assert!(text.contains("outlive"), "{text}");
        assert!(!text.contains("same port"), "{text}");
    }

    #[test]
    fn root_without_cgroups_is_told_what_that_costs() {
        let text = Protection::of(true, Controllers::none(), true)
            .missing()
            .join("\n");
        assert!(
            text.contains("no writable cgroup") && text.contains("outlive"),
            "{text}"
        );
        assert!(!text.contains("own user id"), "{text}");
    }

    #[test]
    fn an_old_kernel_is_named() {
        let protection = Protection::of(true, Controllers::all_for_tests(), false);
        assert!(protection.missing().join("\n").contains("same port"));
    }
}
