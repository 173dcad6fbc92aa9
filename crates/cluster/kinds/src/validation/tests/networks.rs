//! Services and Ingresses.

use serde_json::{Value, json};

use super::{cases, changed, check, with};
use crate::by_kind;

#[test]
fn services() {
    let good = json!({"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}});
    check(
        "",
        "Service",
        &good,
        &cases! {
            "/metadata/name" => "a.b" => "metadata.name: Invalid value: \"a.b\": a lowercase RFC 1123 label must consist of";
            "/spec/ports" => [] => "spec.ports: Required value";
            "/spec/ports" => [{"port": 0}] => "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive";
            "/spec/ports" => [{"port": 1}, {"port": 2}] => "spec.ports[0].name: Required value\nspec.ports[1].name: Required value";
            "/spec/ports" => [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}] => "spec.ports[1].name: Duplicate value: \"a\"";
            "/spec/ports" => [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}] => "spec.ports[1]: Duplicate value: {\"port\":1,\"protocol\":\"TCP\"}";
            "/spec/ports" => [{"port": 1, "targetPort": "-"}] => "spec.ports[0].targetPort: Invalid value: \"-\"";
            "/spec/ports" => [{"port": 1, "nodePort": 30000}] => "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'";
            "/spec/type" => "X" => "spec.type: Unsupported value: \"X\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"";
            "/spec/type" => "ExternalName" => "spec.externalName: Required value";
            "/spec/clusterIP" => "x" => "spec.clusterIPs[0]: Invalid value: \"x\": must be a valid IP address";
            "/spec/sessionAffinity" => "X" => "spec.sessionAffinity: Unsupported value: \"X\"";
            "/spec/sessionAffinityConfig" => {"clientIP": {"timeoutSeconds": 5}} => "spec.sessionAffinityConfig: Forbidden: must not be set when session affinity is None";
            "/spec/allocateLoadBalancerNodePorts" => true => "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'";
            "/spec/loadBalancerSourceRanges" => ["10.0.0.0/8"] => "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'";
            "/spec/healthCheckNodePort" => 30001 => "spec.healthCheckNodePort: Invalid value: 30001: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            "/spec/ports/0/appProtocol" => "a b" => "spec.ports[0].appProtocol: Invalid value: \"a b\"";
            "/spec/ipFamilies" => ["X"] => "spec.ipFamilies[0]: Unsupported value: \"X\": supported values: \"IPv4\", \"IPv6\"";
            "/spec/ipFamilies" => ["IPv4", "IPv4"] => "spec.ipFamilies[1]: Duplicate value: \"IPv4\"";
            "/spec/ipFamilies" => ["IPv4", "IPv6"] => "spec.ipFamilies[1]: Invalid value: \"IPv6\": not configured on this cluster";
            "/spec/ipFamilyPolicy" => "X" => "spec.ipFamilyPolicy: Unsupported value: \"X\": supported values: \"PreferDualStack\", \"RequireDualStack\", \"SingleStack\"";
            "/spec/ipFamilyPolicy" => "RequireDualStack" => "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services";
            "/spec/clusterIPs" => ["None", "127.96.0.9"] => "spec.clusterIPs: Invalid value: [\"None\",\"127.96.0.9\"]: 'None' must be the first and only value";
            "/spec/clusterIPs" => ["127.96.0.8", "127.96.0.9"] => "spec.clusterIPs: Invalid value: [\"127.96.0.8\",\"127.96.0.9\"]: may specify no more than one IP for each IP family";
            "/spec/clusterIPs" => ["::1"] => "spec.clusterIPs[0]: Invalid value: \"::1\": expected an IPv4 value as indicated by `ipFamilies[0]`";
            "/spec/externalIPs" => ["0.0.0.0"] => "spec.externalIPs[0]: Invalid value: \"0.0.0.0\": may not be unspecified (0.0.0.0)";
            "/spec/externalIPs" => ["169.254.1.1"] => "spec.externalIPs[0]: Invalid value: \"169.254.1.1\": may not be in the link-local range (169.254.0.0/16, fe80::/10)";
            "/spec/externalTrafficPolicy" => "Local" => "spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for externally-accessible services";
            "/metadata" => {"name": "a", "annotations": {"service.kubernetes.io/topology-mode": "Auto", "service.kubernetes.io/topology-aware-hints": "disabled"}} => "metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: \"Auto\": must match annotations[service.kubernetes.io/topology-aware-hints] when both are specified";
            "/metadata" => {"name": "a", "annotations": {"service.beta.kubernetes.io/load-balancer-source-ranges": "10.0.0.0/8"}} => "metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Forbidden: may only be used when `type` is 'LoadBalancer'";
            "/spec" => {"type": "ExternalName", "externalName": "a.b", "ipFamilies": ["IPv4"]} => "spec.ipFamilies: Forbidden: may not be set for ExternalName services";
            "/spec/trafficDistribution" => "X" => "spec.trafficDistribution: Unsupported value: \"X\": supported values: \"PreferClose\", \"PreferSameNode\", \"PreferSameZone\"";
        },
    );
    let sticky = json!({"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}], "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10}}}});
    check(
        "",
        "Service",
        &sticky,
        &cases! {
            "/spec/sessionAffinityConfig/clientIP/timeoutSeconds" => 86401 => "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400";
        },
    );
    let balanced =
        json!({"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}], "type": "LoadBalancer"}});
    check(
        "",
        "Service",
        &balanced,
        &cases! {
            "/spec/ports/0/port" => 10250 => "spec.ports[0]: Invalid value: 10250: may not expose port 10250 externally since it is used by kubelet";
            "/spec/loadBalancerSourceRanges" => [" 10.0.0.0/8 ", "10.0.0.0/33"] => "spec.LoadBalancerSourceRanges[1]: Invalid value: \"10.0.0.0/33\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
            "/spec/loadBalancerClass" => "a b" => "spec.loadBalancerClass: Invalid value: \"a b\"";
        },
    );
    let service = by_kind("", "v1", "Service").unwrap();
    let mut old = with(&good, "/spec/clusterIP", json!("127.96.0.2"));
    old["metadata"]["namespace"] = "n".into();
    crate::apply_defaults(service, &mut old);
    crate::prepare_for_create(service, &mut old);
    let mut new = with(&old, "/spec/clusterIP", json!("127.96.0.3"));
    crate::prepare_for_update(service, &old, &mut new, None);
    let said = crate::validate_update(service, &old, &new, None);
    assert_eq!(
        said.first().map(ToString::to_string).as_deref(),
        Some("spec.clusterIPs[0]: Invalid value: [\"127.96.0.3\"]: may not change once set")
    );
    assert_eq!(
        changed("", "Service", &balanced, "/spec/loadBalancerClass", json!("a/b")),
        "spec.loadBalancerClass: Invalid value: \"a/b\": may not change once set"
    );
    assert_eq!(
        changed("", "Service", &good, "/spec/ipFamilies", json!(["IPv6"])),
        "spec.ipFamilies[0]: Invalid value: [\"IPv6\"]: may not change once set"
    );
}

#[test]
fn what_load_balancers_say() {
    let kind = by_kind("", "v1", "Service").unwrap();
    let said = |entry: Value| {
        let old = json!({"metadata": {"name": "a", "namespace": "n"}, "spec": {"type": "LoadBalancer"}});
        let mut new = with(&old, "/status", json!({"loadBalancer": {"ingress": [entry]}}));
        crate::apply_defaults(kind, &mut new);
        let errors = crate::validate_update(kind, &old, &new, Some(crate::Subresource::Status));
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(said(json!({"ip": "10.0.0.1"})), "");
    let at = "status.loadBalancer.ingress[0]";
    for (entry, expected) in [
        (
            json!({"ip": "x"}),
            format!(
                "{at}.ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            ),
        ),
        (
            json!({"ip": "10.0.0.1", "ipMode": "X"}),
            format!("{at}.ipMode: Unsupported value: \"X\": supported values: \"Proxy\", \"VIP\""),
        ),
        (
            json!({"hostname": "a.b", "ipMode": "VIP"}),
            format!("{at}.ipMode: Forbidden: may not be specified when `ip` is not set"),
        ),
        (
            json!({"hostname": "1.2.3.4"}),
            format!("{at}.hostname: Invalid value: \"1.2.3.4\": must be a DNS name, not an IP address"),
        ),
    ] {
        assert_eq!(said(entry), expected);
    }
}

#[test]
fn ingresses() {
    let backend = json!({"service": {"name": "a", "port": {"number": 80}}});
    let good = json!({"metadata": {"name": "a"}, "spec": {"rules": [{"host": "a.example", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": backend}]}}]}});
    let cases = cases! {
        "/spec/rules" => [] => "spec: Invalid value: []: either `defaultBackend` or `rules` must be specified";
        "/spec/rules/0/host" => "1.2.3.4" => "spec.rules[0].host: Invalid value: \"1.2.3.4\": must be a DNS name, not an IP address";
        "/spec/rules/0/host" => "A" => "spec.rules[0].host: Invalid value: \"A\": a lowercase RFC 1123 subdomain";
        "/spec/rules/0/host" => "a.*" => "spec.rules[0].host: Invalid value: \"a.*\": a wildcard DNS-1123 subdomain";
        "/spec/rules/0/http/paths/0/path" => "x" => "spec.rules[0].http.paths[0].path: Invalid value: \"x\": must be an absolute path";
        "/spec/rules/0/http/paths/0/path" => "/a//b" => "spec.rules[0].http.paths[0].path: Invalid value: \"/a//b\": must not contain '//'";
        "/spec/rules/0/http/paths/0/pathType" => null => "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified";
        "/spec/rules/0/http/paths/0/pathType" => "X" => "spec.rules[0].http.paths[0].pathType: Unsupported value: \"X\": supported values: \"Exact\", \"ImplementationSpecific\", \"Prefix\"";
        "/spec/rules/0/http/paths/0/backend" => {} => "spec.rules[0].http.paths[0].backend: Required value: resource or service backend is required";
        "/spec/rules/0/http/paths/0/backend" => {"service": {"name": "a"}} => "spec.rules[0].http.paths[0].backend: Required value: port name or number is required";
        "/spec/rules/0/http/paths/0/backend" => {"service": {"name": "A", "port": {"number": 1}}} => "spec.rules[0].http.paths[0].backend.service.name: Invalid value: \"A\"";
    };
    check("networking.k8s.io", "Ingress", &good, &cases);
}
