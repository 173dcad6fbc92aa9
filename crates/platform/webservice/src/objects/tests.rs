use toolforge_model::Quantity;

use super::*;
use crate::{
    resources::{Limits, resources},
    settings::Backend,
    types::parse_types,
};

const YAML: &str = "\
static: { variants: { webservice: { image: registry.example/static } } }
generic: { variants: { webservice: { image: registry.example/generic } } }
python3.11: { variants: { webservice: { image: registry.example/py, extra: { wstype: python } } } }
";

fn tool() -> ToolName {
    "alpha".parse().unwrap()
}

fn desired(kind: &str, settings: Settings) -> Value {
    let types = parse_types(YAML).unwrap();
    let built = WebType::built("registry.example/tool-alpha/tool-alpha:latest".to_owned());
    let settings = Settings {
        kind: Some(kind.to_owned()),
        backend: Some(Backend::Kubernetes),
        ..settings
    };
    deployment(&Wanted {
        tool: &tool(),
        home: Path::new("/data/project/alpha"),
        web_type: types.find(kind).unwrap_or(&built),
        settings: &settings,
        resources: resources(settings.limits(), Limits::default()),
        environment: (kind == "python3.11").then_some("0123456789abcdef"),
        started_at: "2026-01-01T00:00:00Z".to_owned(),
    })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_deployment_with_nothing_said() {
    insta::assert_yaml_snapshot!(desired("static", Settings::default()));
}

#[test]
fn a_deployment_with_everything_said() {
    insta::assert_yaml_snapshot!(desired(
        "python3.11",
        Settings {
            mem: Some("1Gi".to_owned()),
            cpu: Some("1".to_owned()),
            replicas: Some(2),
            extra: words(&["--workers", "2"]),
            health_check_path: Some("/healthz".to_owned()),
            mount: Some(Mount::All),
            ..Settings::default()
        }
    ));
}

#[test]
fn a_deployment_without_a_home() {
    insta::assert_yaml_snapshot!(desired(
        "generic",
        Settings {
            extra: words(&["./serve"]),
            mount: Some(Mount::None),
            ..Settings::default()
        }
    ));
}

#[test]
fn a_deployment_of_an_image_that_was_built() {
    insta::assert_yaml_snapshot!(desired(BUILDSERVICE, Settings::default()));
}

#[test]
fn an_image_that_was_built_may_be_told_what_to_run() {
    let settings = Settings {
        extra: words(&["web", "--fast"]),
        mount: Some(Mount::All),
        ..Settings::default()
    };
    let deployment = desired(BUILDSERVICE, settings);
    let pod = &deployment["spec"]["template"];
    assert_eq!(pod["spec"]["containers"][0]["command"], json!(["web", "--fast"]));
    assert_eq!(pod["metadata"]["labels"][labels::MOUNT_STORAGE], "all");
}

#[test]
fn a_service_and_an_ingress() {
    insta::assert_yaml_snapshot!([
        service(&tool()),
        ingress(&tool(), &"tools.example".parse().unwrap(), "toolforge"),
    ]);
}

#[test]
fn the_selector_of_a_deployment_finds_its_pods() {
    let deployment = desired("static", Settings::default());
    let selector = deployment["spec"]["selector"]["matchLabels"].as_object().unwrap();
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    for (key, value) in selector {
        assert_eq!(&labels[key], value);
    }
    let service = service(&tool());
    for (key, value) in service["spec"]["selector"].as_object().unwrap() {
        assert_eq!(&labels[key], value);
    }
    let limit = &deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"];
    assert!(limit.as_str().unwrap().parse::<Quantity>().is_ok());
}
