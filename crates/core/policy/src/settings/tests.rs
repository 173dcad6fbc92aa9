use super::{PolicySettings, PolicySettingsError};

const WHOLE: &str = r"
domains: [toolforge.org, toolforge.example]
ingressClass: toolforge
registries: [docker-registry.tools.wmflabs.org, registry.example/team]
safeNamespaces:
  ingress: [kube-system]
  images: []
  services: [kube-system]
services:
  allowedTypes: [NodePort]
  externalIPs: true
endpoints: {networks: [172.16.0.0/21], writers: [grid]}
legacyDomains: [tools.wmflabs.org]
digestsRequiredIn: [registry.example/team]
volumes:
  mounts: [{name: dumps, path: /public/dumps, type: Directory, readOnly: true}]
  nodeSelector: {kubernetes.wmcloud.org/nfs-mounted: 'true'}
podSecurity:
  hostPaths:
    - pathPrefix: /etc/wmcs-project/
      readOnly: true
  supplementalGroups:
    - {min: 500, max: 500}
";

/// What is told of a file that must not work.
fn refused(text: &str) -> String {
    match PolicySettings::read(text) {
        Ok(settings) => settings.resolve().unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_key_of_a_file_arrives() {
    let policies = PolicySettings::read(WHOLE).unwrap().resolve().unwrap();
    assert_eq!(policies.ingress.domains().len(), 2);
    assert_eq!(policies.ingress.legacy_hosts().len(), 1);
    let host_paths: Vec<_> = policies
        .pod
        .host_paths
        .iter()
        .map(|path| path.prefix.as_str())
        .collect();
    assert_eq!(host_paths, ["/etc/wmcs-project", "/public/dumps"]);
    assert_eq!(policies.volumes.mounts()[0].kind, "Directory");
    assert!(policies.service.external_ips);
    assert!(policies.endpoints.trusted_users.contains("grid"));
    assert!(
        policies
            .endpoints
            .trusted_users
            .contains("system:kube-controller-manager")
    );
    assert_eq!(policies.endpoints.networks.len(), 1);
    assert!(policies.pod.host_paths[0].read_only);
    assert_eq!(policies.pod.supplemental_groups, [500..=500]);
    assert!(policies.service.allowed_types.contains("NodePort"));
}

#[test]
fn the_file_in_the_documentation_works_and_shows_the_defaults() {
    let page = include_str!("../../../../../docs/operators.md");
    let section = page.split("## The policy file").nth(1).unwrap();
    let file = section
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let settings = PolicySettings::read(file).unwrap();
    settings.resolve().unwrap();
    let defaults = PolicySettings::default();
    assert_eq!(settings.safe_namespaces, defaults.safe_namespaces);
    assert_eq!(settings.ingress_class, defaults.ingress_class);
    assert_eq!(settings.services, defaults.services);
    assert_eq!(settings.legacy_domains, defaults.legacy_domains);
    assert_eq!(settings.digests_required_in, defaults.digests_required_in);
    assert_eq!(settings.endpoints, defaults.endpoints);
}

#[test]
fn what_is_written_is_read_again() {
    let settings = PolicySettings::read(WHOLE).unwrap();
    let written = serde_json::to_string(&settings).unwrap();
    assert_eq!(PolicySettings::read(&written).unwrap(), settings);
}

#[test]
fn a_file_that_says_nothing_has_the_defaults() {
    assert_eq!(PolicySettings::read("").unwrap(), PolicySettings::default());
    assert_eq!(
        PolicySettings::read("# nothing\n").unwrap(),
        PolicySettings::default()
    );
    let settings = PolicySettings::read("domains: [toolforge.org]\nregistries: [r.example]\n").unwrap();
    assert_eq!(settings, PolicySettings::with("toolforge.org", "r.example"));
    assert_eq!(
        settings.safe_namespaces.ingress,
        ["kube-system", "tool-fourohfour"]
    );
    assert!(settings.resolve().is_ok());
}

#[test]
fn a_key_that_is_not_known_or_there_twice_is_an_error_that_names_it() {
    for (text, named) in [
        ("domain: [a.example]", "domain"),
        ("podSecurity: {hostPath: []}", "hostPath"),
        ("domains: [a.example]\ndomains: [b.example]", "domains"),
        ("domains: a.example", "domains"),
        ("[]", "policy"),
    ] {
        assert!(
            matches!(
                PolicySettings::read(text),
                Err(PolicySettingsError::Unreadable(_))
            ),
            "{text}"
        );
        assert!(refused(text).contains(named), "{}", refused(text));
    }
}

#[test]
fn every_value_that_is_wrong_is_told_at_once_with_the_way_out() {
    let told = refused(
        r"
domains: ['*.toolforge.org']
ingressClass: Toolforge
registries: ['https://r.example']
safeNamespaces: {ingress: [Kube_System], images: [a/b], services: ['']}
services: {allowedTypes: [Nodeport]}
legacyDomains: ['']
digestsRequiredIn: [a b]
endpoints: {networks: [10.0.0.1/8], writers: ['']}
volumes: {mounts: [{name: A, path: a}], nodeSelector: {'a/': b}}
podSecurity:
  hostPaths: [{pathPrefix: /}, {pathPrefix: data}, {pathPrefix: /a/../b}]
  supplementalGroups: [{min: 0, max: 5}, {min: 7, max: 6}]
",
    );
    for part in [
        "domains[0]: \"*.toolforge.org\"",
        "ingressClass: \"Toolforge\"",
        "registries[0]: \"https://r.example\"",
        "without https://",
        "safeNamespaces.ingress[0]: \"Kube_System\"",
        "safeNamespaces.images[0]",
        "safeNamespaces.services[0]",
        "services.allowedTypes[0]: \"Nodeport\"",
        "legacyDomains[0]",
        "digestsRequiredIn[0]",
        "endpoints.networks[0]",
        "endpoints.writers[0]",
        "volumes.mounts: ",
        "volumes.nodeSelector[\"a/\"]",
        "podSecurity.hostPaths[0].pathPrefix",
        "podSecurity.hostPaths[1].pathPrefix",
        "podSecurity.hostPaths[2].pathPrefix",
        "podSecurity.supplementalGroups[0]: 0 to 5",
        "podSecurity.supplementalGroups[1]: 7 to 6",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn the_policy_for_ingresses_needs_no_registry() {
    let settings =
        PolicySettings::read("domains: [toolforge.org]\nregistries: ['https://r.example']\n").unwrap();
    assert_eq!(settings.resolve_ingress().unwrap().ingress_class(), "toolforge");
    assert!(settings.resolve().is_err());
}

#[test]
fn needs_a_domain_and_a_registry_and_says_so() {
    let told = refused("");
    assert!(
        told.contains("domains: got no domains, at least one is required"),
        "{told}"
    );
    assert!(
        told.contains("registries: got no registries, at least one is required"),
        "{told}"
    );
}
