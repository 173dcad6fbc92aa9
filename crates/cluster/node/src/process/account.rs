//! As whom a container runs: from security contexts to user and groups. Pure.

use k8s_openapi::api::core::v1::{Container, PodSecurityContext};

use crate::{runtime::CreateError, sys::child::Credentials};

/// `nobody`: for Pods that name no user. They own nothing, and nothing is theirs.
const NOBODY: u32 = 65534;
/// How the namespaces of tools begin, and also names that are no tool's but look like one's.
const TOOLS: &str = "tool-";

/// User and groups of a container; the container's own words go before the Pod's.
pub(super) fn credentials(
    namespace: &str,
    container: &Container,
    pod: &PodSecurityContext,
) -> Result<Credentials, CreateError> {
    let own = container.security_context.as_ref();
    let user = own.and_then(|own| own.run_as_user).or(pod.run_as_user);
    let group = own.and_then(|own| own.run_as_group).or(pod.run_as_group);
    let uid = number("runAsUser", user)?.unwrap_or(NOBODY);
    // Without a group the user's own number, as tools have it: the root group of Kubernetes' default would be a gift.
    let gid = number("runAsGroup", group)?.unwrap_or(uid);
    let mut groups = Vec::new();
    let named = pod
        .supplemental_groups
        .iter()
        .flatten()
        .copied()
        .chain(pod.fs_group);
    for entry in named {
        groups.extend(number("supplementalGroups", Some(entry))?);
    }
    let result = Credentials { uid, gid, groups };
    refuse_root(namespace, &result)?;
    let must_not_be_root = own.and_then(|own| own.run_as_non_root).or(pod.run_as_non_root);
    if uid == 0 && must_not_be_root == Some(true) {
        return Err(CreateError(
            "securityContext.runAsNonRoot is true, but runAsUser is 0: name another user".to_owned(),
        ));
    }
    Ok(result)
}

/// The admission webhooks decide this; the node does not rely on them.
fn refuse_root(namespace: &str, credentials: &Credentials) -> Result<(), CreateError> {
    let is_root = credentials.uid == 0 || credentials.gid == 0 || credentials.groups.contains(&0);
    if namespace.starts_with(TOOLS) && is_root {
        let rule = "securityContext: Pods of tools may not run as user or group 0";
        return Err(CreateError(format!(
            "{rule}: leave runAsUser and runAsGroup to the platform"
        )));
    }
    Ok(())
}

fn number(field: &str, value: Option<i64>) -> Result<Option<u32>, CreateError> {
    let Some(value) = value else { return Ok(None) };
    // The highest number means "unchanged" to the kernel.
    match u32::try_from(value) {
        Ok(value) if value != u32::MAX => Ok(Some(value)),
        _ => Err(CreateError(format!(
            "securityContext.{field} is {value}, but has to be from 0 to 4294967294"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::SecurityContext;

    fn container(user: Option<i64>, group: Option<i64>) -> Container {
        let security = SecurityContext {
            run_as_user: user,
            run_as_group: group,
            ..Default::default()
        };
        Container {
            security_context: Some(security),
            ..Default::default()
        }
    }

    #[test]
    fn a_pod_that_names_nobody_runs_as_nobody() {
        let found =
            credentials("default", &Container::default(), &PodSecurityContext::default()).expect("allowed");
        assert_eq!(
            found,
            Credentials {
                uid: 65534,
                gid: 65534,
                groups: vec![]
            }
        );
    }

    #[test]
    fn the_container_goes_before_the_pod() {
        let pod = PodSecurityContext {
            run_as_user: Some(1),
            run_as_group: Some(2),
            fs_group: Some(7),
            supplemental_groups: Some(vec![5]),
            ..Default::default()
        };
        let found = credentials("tool-x", &container(Some(52_001), None), &pod).expect("allowed");
        assert_eq!(
            found,
            Credentials {
                uid: 52_001,
                gid: 2,
                groups: vec![5, 7]
            }
        );
    }

    #[test]
    fn tools_never_run_as_root_or_in_its_group() {
        for (user, group) in [(Some(0), None), (Some(5), Some(0)), (Some(0), Some(5))] {
            let refused = credentials("tool-x", &container(user, group), &PodSecurityContext::default());
            assert!(
                refused
                    .expect_err("root")
                    .0
                    .contains("may not run as user or group 0")
            );
        }
        assert!(
            credentials(
                "kube-system",
                &container(Some(0), None),
                &PodSecurityContext::default()
            )
            .is_ok()
        );
    }

    #[test]
    fn numbers_that_are_no_user_are_refused() {
        for user in [-1, 4_294_967_295, i64::MAX] {
            assert!(
                credentials(
                    "default",
                    &container(Some(user), None),
                    &PodSecurityContext::default()
                )
                .is_err()
            );
        }
    }
}
