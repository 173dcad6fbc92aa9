//! Services and Ingresses.

use serde_json::json;

use super::{cases, changed, check, with};

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
        },
    );
    let placed = with(&good, "/spec/clusterIP", json!("127.96.0.2"));
    assert!(
        changed("", "Service", &placed, "/spec/clusterIP", json!("127.96.0.3"))
            .contains("may not change once set")
    );
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
