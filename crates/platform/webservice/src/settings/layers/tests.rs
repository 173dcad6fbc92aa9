use super::*;
use crate::types::parse_types;

const YAML: &str = "\
static: { variants: { webservice: { image: r/static } } }
generic: { variants: { webservice: { image: r/generic } } }
python3.11: { aliases: [python], variants: { webservice: { image: r/py, extra: { wstype: python } } } }
";

fn settings(kind: &str) -> Settings {
    Settings {
        kind: (!kind.is_empty()).then(|| kind.to_owned()),
        ..Settings::default()
    }
}

fn template(settings: Settings) -> Template {
    Template {
        file: "~/service.template".to_owned(),
        settings,
        unknown: Vec::new(),
    }
}

fn resolve(layers: &Layers) -> Result<Resolved, WebserviceError> {
    let types = parse_types(YAML).unwrap();
    layers.resolve(&Offer {
        types: &types,
        registry: "registry.example",
        built_image: "tool-a/tool-a:latest",
        guess: None,
    })
}

#[test]
fn each_layer_goes_before_the_next() {
    let layers = Layers {
        asked: Settings {
            mem: Some("1Gi".to_owned()),
            ..settings("")
        },
        template: Some(template(Settings {
            mem: Some("2Gi".to_owned()),
            cpu: Some("2".to_owned()),
            ..settings("python")
        })),
        manifest: Settings {
            cpu: Some("3".to_owned()),
            replicas: Some(3),
            extra: vec!["--old".to_owned()],
            ..settings("static")
        },
        running: Settings {
            replicas: Some(4),
            health_check_path: Some("/up".to_owned()),
            ..settings("python3.11")
        },
    };
    let resolved = resolve(&layers).unwrap();
    assert_eq!(
        resolved.settings,
        Settings {
            backend: Some(Backend::Kubernetes),
            mem: Some("1Gi".to_owned()),
            cpu: Some("2".to_owned()),
            replicas: Some(3),
            // The manifest's arguments are of another type; the path is of this one, by another name.
            health_check_path: Some("/up".to_owned()),
            ..settings("python3.11")
        }
    );
    assert_eq!(resolved.web_type.image, "r/py:latest");
}

#[test]
fn the_command_line_wins_over_the_type_of_the_template() {
    let layers = Layers {
        asked: settings("static"),
        template: Some(template(Settings {
            cpu: Some("1".to_owned()),
            extra: vec!["x".to_owned()],
            ..settings("python")
        })),
        ..Layers::default()
    };
    let resolved = resolve(&layers).unwrap().settings;
    assert_eq!(
        (
            resolved.kind.as_deref(),
            resolved.cpu.as_deref(),
            resolved.extra.len()
        ),
        (Some("static"), Some("1"), 0)
    );
}

#[test]
fn all_problems_are_said_at_once() {
    let layers = Layers {
        asked: Settings {
            mem: Some("lots".to_owned()),
            cpu: Some("many".to_owned()),
            ..settings("cobol")
        },
        ..Layers::default()
    };
    let error = resolve(&layers).unwrap_err();
    assert_eq!(error.code(), 2);
    for words in [
        "lots is not a valid",
        "many is not a valid",
        "type must be one of:",
        "buildservice",
    ] {
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    let unknown = Layers {
        asked: settings("cobol"),
        ..Layers::default()
    };
    assert_eq!(resolve(&unknown).unwrap_err().code(), 1);
    let recorded = Layers {
        asked: settings("static"),
        manifest: Settings {
            mem: Some("lots".to_owned()),
            ..settings("")
        },
        ..Layers::default()
    };
    let error = resolve(&recorded).unwrap_err();
    assert_eq!(error.code(), 1);
    assert!(error.to_string().contains("service.manifest"), "{error}");
}

#[test]
fn nothing_said_and_nothing_to_guess_from_gets_the_list() {
    let error = resolve(&Layers::default()).unwrap_err();
    assert_eq!(error.code(), 2);
    assert!(
        error.to_string().contains("TYPE is one of:\n  generic"),
        "{error}"
    );
}

#[test]
fn a_backend_that_is_not_the_manifests_is_refused() {
    let on = |backend| Settings {
        backend: Some(backend),
        ..Settings::default()
    };
    let mut layers = Layers {
        manifest: on(Backend::Gridengine),
        ..Layers::default()
    };
    assert_eq!(layers.backend().unwrap(), Backend::Gridengine);
    layers.asked = on(Backend::Kubernetes);
    let error = layers.backend().unwrap_err();
    assert_eq!(error.code(), 1);
    assert!(
        error
            .to_string()
            .starts_with("Backend 'gridengine' from ~/service.manifest does not match 'kubernetes'"),
        "{error}"
    );
    layers.manifest = Settings::default();
    assert_eq!(layers.backend().unwrap(), Backend::Kubernetes);
    assert_eq!(Layers::default().backend().unwrap(), Backend::Kubernetes);
}

#[test]
fn the_grid_knows_no_limits() {
    let layers = Layers {
        asked: Settings {
            mem: Some("1Gi".to_owned()),
            ..settings("lighttpd")
        },
        template: Some(template(Settings {
            replicas: Some(2),
            ..settings("")
        })),
        ..Layers::default()
    };
    let error = layers.resolve_grid("lighttpd").unwrap_err();
    assert_eq!(error.code(), 1);
    assert_eq!(
        error.to_string(),
        "--mem is only for --backend=kubernetes\n--replicas is only for --backend=kubernetes"
    );
    let recorded = Layers {
        manifest: Settings {
            mem: Some("1Gi".to_owned()),
            release: Some("buster".to_owned()),
            ..settings("")
        },
        ..Layers::default()
    };
    assert_eq!(
        recorded.resolve_grid("lighttpd").unwrap(),
        Settings {
            backend: Some(Backend::Gridengine),
            release: Some("buster".to_owned()),
            ..settings("lighttpd")
        }
    );
}

#[test]
fn an_image_that_was_built_needs_no_type() {
    let mut layers = Layers {
        asked: settings("buildservice"),
        ..Layers::default()
    };
    let image = |layers: &Layers| resolve(layers).unwrap().web_type.image;
    assert_eq!(image(&layers), "registry.example/tool-a/tool-a:latest");
    layers.asked = Settings {
        buildservice_image: Some("tool-a/other:2".to_owned()),
        ..settings("")
    };
    assert_eq!(image(&layers), "registry.example/tool-a/other:2");
    layers.asked.kind = Some("static".to_owned());
    let error = resolve(&layers).unwrap_err().to_string();
    assert!(error.contains("only for type buildservice"), "{error}");
}

#[test]
fn only_what_needs_no_home_goes_without() {
    let with = |kind: &str| Layers {
        asked: Settings {
            mount: Some(Mount::None),
            ..settings(kind)
        },
        ..Layers::default()
    };
    resolve(&with("generic")).unwrap();
    resolve(&with("buildservice")).unwrap();
    let error = resolve(&with("static")).unwrap_err();
    assert_eq!(error.code(), 1);
    assert!(error.to_string().contains("--mount all"), "{error}");
}

#[test]
fn unknown_keys_of_a_template_are_a_warning() {
    let mut layers = Layers {
        template: Some(template(settings("static"))),
        ..Layers::default()
    };
    layers.template.as_mut().unwrap().unknown = vec!["colour".to_owned()];
    let notes = resolve(&layers).unwrap().notes;
    assert_eq!(
        notes,
        ["WARNING: Your template file (~/service.template) contains unknown keys: colour"]
    );
}
