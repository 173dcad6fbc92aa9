//! Which mounts the machine's own file system already is, and which need a namespace. Pure.

use crate::runtime::{CreateError, Mount, MountSource};

/// The mounts that have to be made; refuses them where that is not possible.
pub(super) fn to_mount(mounts: Vec<Mount>, possible: bool) -> Result<Vec<Mount>, CreateError> {
    let needed = mounts
        .into_iter()
        .filter(|mount| !is_there(mount, possible) && (possible || !mount.optional));
    needed
        .map(|mount| if possible { Ok(mount) } else { Err(refusal(&mount)) })
        .collect()
}

/// Whether a container finds it without a mount. Where mounts are possible, links inside a volume and "read only" are
/// taken seriously, and both take one.
fn is_there(mount: &Mount, possible: bool) -> bool {
    let MountSource::Host(source) = &mount.source else {
        return false;
    };
    match mount.sub_path.as_deref().filter(|path| !path.is_empty()) {
        Some(path) => !possible && source.join(path) == mount.path,
        None => !(possible && mount.read_only) && *source == mount.path,
    }
}

fn refusal(mount: &Mount) -> CreateError {
    let (name, at) = (&mount.volume, mount.path.display());
    CreateError(match &mount.source {
        MountSource::Host(source) => format!(
            "volume \"{name}\": without root the process runtime shows the machine's files where they are, so mountPath {at} has to be {}",
            source
                .join(mount.sub_path.as_deref().unwrap_or_default())
                .display()
        ),
        MountSource::Folder(_) => format!(
            "volume \"{name}\": without root the process runtime cannot mount it at {at}: it offers only hostPath volumes at their own path"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(source: MountSource, at: &str) -> Mount {
        Mount {
            volume: "v".to_owned(),
            source,
            sub_path: None,
            path: at.into(),
            read_only: false,
            recursive_read_only: false,
            optional: false,
        }
    }

    fn host(source: &str, at: &str) -> Mount {
        mount(MountSource::Host(source.into()), at)
    }

    #[test]
    fn host_paths_at_their_own_path_are_there() {
        for possible in [true, false] {
            assert_eq!(to_mount(vec![host("/tmp", "/tmp")], possible), Ok(vec![]));
        }
    }

    #[test]
    fn everything_else_is_mounted_where_that_is_possible() {
        let mut read_only = host("/tmp", "/tmp");
        read_only.read_only = true;
        let folder = mount(MountSource::Folder("/x".into()), "/data");
        let all = vec![host("/tmp", "/data"), read_only, folder];
        assert_eq!(to_mount(all.clone(), true), Ok(all));
    }

    #[test]
    fn what_is_optional_is_left_out_where_nothing_can_be_mounted() {
        let mut words = mount(MountSource::Folder("/x".into()), "/dev/termination-log");
        words.optional = true;
        assert_eq!(to_mount(vec![words.clone()], true), Ok(vec![words.clone()]));
        assert_eq!(to_mount(vec![words], false), Ok(vec![]));
    }

    #[test]
    fn elsewhere_it_is_refused_with_the_reason() {
        let moved = to_mount(vec![host("/tmp", "/data")], false).expect_err("moved");
        assert!(moved.0.contains("mountPath /data has to be /tmp"), "{moved}");
        let folder = mount(MountSource::Folder("/x".into()), "/data");
        let refused = to_mount(vec![folder], false).expect_err("a folder");
        assert!(
            refused.0.contains("\"v\"") && refused.0.contains("without root"),
            "{refused}"
        );
    }
}
