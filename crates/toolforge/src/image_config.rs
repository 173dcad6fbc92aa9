//! The types of webservice of a platform, from a file of its operators (`--image-config` of `up` and
//! `manifests`).

use std::path::Path;

use anyhow::{Context as _, bail};

/// Reads the file as it is, once it is known to be an image configuration; all that is wrong is said at once.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--image-config: {} cannot be read", path.display()))?;
    let problems = toolforge_webservice::problems_of_image_config(&text);
    if !problems.is_empty() {
        bail!(
            "--image-config: {} is not an image configuration:\n  {}",
            path.display(),
            problems.join("\n  ")
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_as_it_is_or_refused_with_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("images.yaml");
        let good =
            "php8.2: { variants: { webservice: { image: r.example/php82, extra: { wstype: php } } } }\n";
        std::fs::write(&path, good).unwrap();
        assert_eq!(read(&path).unwrap(), good);
        std::fs::write(
            &path,
            "php8.2: { variants: { webservice: { image: r.example/php82 } } }\n",
        )
        .unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.contains("images.yaml") && error.contains("php8.2.variants.webservice.extra.wstype"),
            "{error}"
        );
        let error = read(Path::new("/nowhere.yaml")).unwrap_err().to_string();
        assert!(error.contains("/nowhere.yaml cannot be read"), "{error}");
    }
}
