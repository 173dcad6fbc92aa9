use super::*;
use crate::settings::{Backend, Mount};

fn problem(text: &str) -> String {
    let error = parse("~/service.template", text).unwrap_err();
    assert_eq!(error.code(), 1, "{text}");
    error.to_string()
}

#[test]
fn every_key_has_its_meaning() {
    let text = "backend: kubernetes\ncpu: 1\nmem: 1Gi\nreplicas: 2\ntype: python3.11\n\
                extra_args: [--workers, 4]\nrelease: buster\nbuildservice-image: tool-a/tool-a:latest\n\
                canonical: true\nhealth-check-path: /up\nmount: all\n";
    let template = parse("~/service.template", text).unwrap();
    assert_eq!(template.unknown, Vec::<String>::new());
    assert_eq!(
        template.settings,
        Settings {
            kind: Some("python3.11".to_owned()),
            backend: Some(Backend::Kubernetes),
            mem: Some("1Gi".to_owned()),
            cpu: Some("1".to_owned()),
            replicas: Some(2),
            extra: vec!["--workers".to_owned(), "4".to_owned()],
            health_check_path: Some("/up".to_owned()),
            mount: Some(Mount::All),
            buildservice_image: Some("tool-a/tool-a:latest".to_owned()),
            release: Some("buster".to_owned()),
        }
    );
}

#[test]
fn all_errors_are_said_at_once() {
    let problem =
        problem("cpu: 0.5\nmem: lots\nreplicas: many\nbackend: cloud\nextra_args: words\ntype: {a: b}\n");
    assert!(
        problem.starts_with("Your template file (~/service.template) contains errors:\n"),
        "{problem}"
    );
    for words in [
        "0.5 is not a valid Kubernetes quantity",
        "lots is not a valid Kubernetes quantity",
        "'many' for '--replicas",
        "'cloud' for '--backend",
        "gridengine",
        "extra_args must be a list",
        "type must be a plain value",
    ] {
        assert!(problem.contains(words), "{words}: {problem}");
    }
    assert!(!problem.contains("Usage"), "{problem}");
}

#[test]
fn what_is_no_mapping_is_refused_and_nothing_is_nothing() {
    for text in ["- type: static\n", "static", "7"] {
        assert!(problem(text).contains("must be a mapping"), "{text}");
    }
    assert!(problem("type: [").contains("not YAML"));
    for text in ["", "# type: static\n\n", "type:\n", "{}"] {
        let template = parse("x", text).unwrap();
        assert_eq!(template.settings, Settings::default(), "{text:?}");
    }
}

#[test]
fn a_value_cannot_become_another_word() {
    for text in ["type: --mem=1Gi\n", "type: stop\n", "mem: \"1Gi --replicas=3\"\n"] {
        match parse("x", text) {
            Ok(template) => assert_eq!(template.settings.kind.as_deref(), Some("stop"), "{text}"),
            Err(error) => assert_eq!(error.code(), 1),
        }
    }
}

#[test]
fn unknown_keys_are_named() {
    let template = parse("x", "type: static\ncolour: red\nmemory: 1Gi\n").unwrap();
    assert_eq!(template.unknown, ["colour", "memory"]);
    assert_eq!(template.settings.kind.as_deref(), Some("static"));
}

#[test]
fn it_is_found_in_each_place_but_only_in_one() {
    for place in PLACES {
        let home = tempfile::tempdir().unwrap();
        let files = HomeFiles::new(home.path());
        assert_eq!(read(&files, None).unwrap(), None);
        let path = home.path().join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "type: static\n").unwrap();
        let found = read(&files, None).unwrap().unwrap();
        assert_eq!(found.file, format!("~/{place}"));
        let other = home.path().join("other.yaml");
        std::fs::write(&other, "type: python\n").unwrap();
        let named = read(&files, Some(&other)).unwrap().unwrap();
        assert_eq!(named.settings.kind.as_deref(), Some("python"));
        let missing = read(&files, Some(&home.path().join("missing"))).unwrap_err();
        assert!(missing.to_string().contains("--template"), "{missing}");
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("public_html")).unwrap();
    for place in [PLACES[0], PLACES[3]] {
        std::fs::write(home.path().join(place), "type: static\n").unwrap();
    }
    let several = read(&HomeFiles::new(home.path()), None).unwrap_err();
    assert_eq!(several.code(), 1);
    for place in [PLACES[0], PLACES[3]] {
        assert!(several.to_string().contains(place), "{several}");
    }
}
