//! Every way by which a tool can write meets the guards: what may not be made may not come of a change either, whatever
//! the verb of `kubectl`, and nobody gets a wider policy or a narrower guard for themselves.

use serde_json::{Value, json};
use toolforge_testkit::{Outcome, Scratch};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const IMAGE: &str = "docker-registry.tools.wmflabs.org/toolforge-static-sssd-web:latest";
/// What is in a refusal by a guard, and in one by the tool's role.
const GUARD: &str = "denied the request";
const ROLE: &str = "cannot ";

/// The tool `hello` at work on a platform.
struct Hello<'a>(&'a Scratch);

impl Hello<'_> {
    /// A command, with no spaces in its words.
    fn kubectl(&self, line: &str) -> Outcome {
        let line = line.replace("IMAGE", IMAGE);
        let words: Vec<&str> = line.split_whitespace().collect();
        self.0.kubectl_as("hello", &words)
    }

    /// Every command is refused, by whom and with these words.
    fn is_refused(&self, by: &str, lines: &[(&str, &str)]) {
        let mut complaints = Vec::new();
        for (line, words) in lines {
            let Outcome { code, stderr, .. } = self.kubectl(line);
            if code == 0 || !stderr.contains(by) || !stderr.contains(words) {
                complaints.push(format!("{line}: {code} {stderr}"));
            }
        }
        assert!(
            complaints.is_empty(),
            "not refused with {by:?}:\n{}",
            complaints.join("\n")
        );
    }

    fn is_allowed(&self, lines: &[&str]) {
        for line in lines {
            let outcome = self.kubectl(line);
            assert_eq!(outcome.code, 0, "{line}: {}", outcome.stderr);
        }
    }

    fn file(&self, name: &str, object: &Value) -> String {
        let file = self.0.path().join(name);
        std::fs::write(&file, object.to_string()).expect("the scratch folder can be written");
        file.to_string_lossy().into_owned()
    }
}

#[test]
fn what_may_not_be_made_may_not_come_of_a_change() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let hello = Hello(&scratch);
    ingresses(&hello);
    pods(&hello);
    workloads(&hello);
    services(&hello);
    nobody_helps_themselves(&hello);
}

fn ingress(host: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": { "name": "mine" },
        "spec": { "rules": [{ "host": host, "http": { "paths": [{
            "path": "/", "pathType": "Prefix", "backend": { "service": { "name": "mine", "port": { "number": 8000 } } },
        }] } }] },
    })
}

fn ingresses(hello: &Hello<'_>) {
    let own = hello.file("own.json", &ingress("hello.toolforge.localhost"));
    let others = hello.file("others.json", &ingress("clock.toolforge.localhost"));
    let host = "Ingress host must be";
    hello.is_allowed(&[&format!("apply -f {own}")]);
    for verb in ["apply", "apply --server-side --force-conflicts", "replace"] {
        hello.is_refused(GUARD, &[(&format!("{verb} -f {others}"), host)]);
    }
    hello.is_refused(
        GUARD,
        &[
            (
                r#"patch ingress mine --type=json -p [{"op":"replace","path":"/spec/rules/0/host","value":"clock.toolforge.localhost"}]"#,
                host,
            ),
            (
                r#"patch ingress mine --type=merge -p {"spec":{"tls":[{"hosts":["*.toolforge.localhost"]}]}}"#,
                "spec.tls[0].hosts[0]",
            ),
            (
                r#"patch ingress mine --type=strategic -p {"spec":{"defaultBackend":{"service":{"name":"mine","port":{"number":1}}}}}"#,
                "spec.defaultBackend is set",
            ),
            (
                "annotate ingress mine nginx.ingress.kubernetes.io/server-alias=clock.toolforge.localhost",
                "server-alias",
            ),
            (
                "annotate ingress mine nginx.ingress.kubernetes.io/configuration-snippet=x",
                "configuration-snippet",
            ),
            (r#"patch ingress mine --type=merge -p {"spec":{"ingressClassName":"nginx"}}"#, "Ingress class"),
            ("create ingress more --rule=clock.toolforge.localhost/*=mine:80", host),
            ("create ingress more --default-backend=mine:80", "spec.defaultBackend is set"),
        ],
    );
    hello.is_allowed(&["annotate ingress mine note=x", "label ingress mine tenancy=none"]);
}

fn pods(hello: &Hello<'_>) {
    let foreign = "did not match any of the allowed registries";
    hello.is_allowed(&["run main --image=IMAGE --command -- sleep 600"]);
    hello.is_refused(
        GUARD,
        &[
            ("run more --image=docker.io/library/busybox", foreign),
            (
                r#"run more --image=IMAGE --overrides={"spec":{"hostPID":true}}"#,
                "spec.hostPID is true",
            ),
            (
                "run more --image=IMAGE --privileged",
                "securityContext.privileged is true",
            ),
            // In place: the one thing of a running container that may change.
            ("set image pod/main main=docker.io/library/busybox", foreign),
            (
                r#"patch pod main -p {"spec":{"containers":[{"name":"main","image":"busybox"}]}}"#,
                foreign,
            ),
            ("debug main --copy-to=copy --set-image=main=busybox", foreign),
            ("debug main --copy-to=copy --image=busybox -c x", foreign),
            ("debug main --copy-to=copy --image=IMAGE -c x --profile=sysadmin", "privileged is true"),
            ("debug main --image=IMAGE -c x --profile=sysadmin", "privileged is true"),
            ("debug main --image=IMAGE -c x --profile=netadmin", "NET_ADMIN"),
            // What it takes to debug a machine.
            (
                r#"run more --image=IMAGE --overrides={"spec":{"volumes":[{"name":"host-root","hostPath":{"path":"/"}}]}}"#,
                "spec.volumes[0].hostPath.path",
            ),
        ],
    );
    // Who names a policy does not get it.
    hello.is_allowed(&["annotate pod main kubernetes.io/psp=privileged-psp --overwrite"]);
    hello.is_refused(
        GUARD,
        &[(
            "debug main --image=IMAGE -c y --profile=sysadmin",
            "privileged is true",
        )],
    );
}

fn workloads(hello: &Hello<'_>) {
    let foreign = "did not match any of the allowed registries";
    hello.is_allowed(&[
        "create deployment web --image=IMAGE --replicas=0",
        "scale deployment web --replicas=1",
        "scale deployment web --replicas=0",
    ]);
    hello.is_refused(
        GUARD,
        &[
            ("create deployment more --image=busybox", foreign),
            ("create job more --image=busybox", foreign),
            ("set image deployment/web *=busybox", foreign),
            (
                r#"patch deployment web -p {"spec":{"template":{"spec":{"hostNetwork":true}}}}"#,
                "spec.template.spec.hostNetwork is true",
            ),
            (
                r#"patch deployment web --type=json -p [{"op":"add","path":"/spec/template/spec/initContainers","value":[{"name":"i","image":"busybox"}]}]"#,
                "initContainers[0].image",
            ),
            (
                r#"patch deployment web -p {"spec":{"template":{"spec":{"volumes":[{"name":"x","image":{"reference":"quay.io/x/y"}}]}}}}"#,
                "volumes[0].image.reference",
            ),
        ],
    );
}

fn services(hello: &Hello<'_>) {
    hello.is_allowed(&["create service clusterip mine --tcp=80"]);
    hello.is_refused(
        GUARD,
        &[
            (
                "create service nodeport more --tcp=80",
                "spec.type is \"NodePort\"",
            ),
            (
                "create service loadbalancer more --tcp=80",
                "spec.type is \"LoadBalancer\"",
            ),
            (
                "create service externalname more --external-name=clock.tool-clock.svc",
                "spec.externalName",
            ),
            (
                "expose deployment web --port=80 --type=NodePort --name=more",
                "NodePort",
            ),
            (
                r#"patch service mine -p {"spec":{"externalIPs":["192.0.2.1"]}}"#,
                "spec.externalIPs[0]",
            ),
            (
                r#"patch service mine --type=json -p [{"op":"add","path":"/spec/type","value":"NodePort"}]"#,
                "spec.type is \"NodePort\"",
            ),
            (
                "annotate service mine external-dns.alpha.kubernetes.io/hostname=clock.toolforge.localhost",
                "external-dns",
            ),
        ],
    );
    let lead = json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": { "name": "mine" },
        "subsets": [{ "addresses": [{ "ip": "127.0.0.1" }], "ports": [{ "port": 6443 }] }],
    });
    let lead = hello.file("lead.json", &lead);
    for verb in ["replace", "apply --server-side --force-conflicts"] {
        hello.is_refused(
            GUARD,
            &[(
                &format!("{verb} -f {lead} --validate=ignore"),
                "subsets[0].addresses[0].ip",
            )],
        );
    }
}

/// The role keeps a tool from what the guards stand on: labels of namespaces, rights, policies, configurations and states.
fn nobody_helps_themselves(hello: &Hello<'_>) {
    let psp = json!({
        "apiVersion": "policy.toolforge.org/v1", "kind": "PodSecurityPolicy", "metadata": { "name": "mine" },
        "spec": { "privileged": true, "seLinux": { "rule": "RunAsAny" }, "runAsUser": { "rule": "RunAsAny" },
                  "supplementalGroups": { "rule": "RunAsAny" }, "fsGroup": { "rule": "RunAsAny" } },
    });
    let psp = hello.file("psp.json", &psp);
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "name": "mine", "labels": { "kubernetes.io/service-name": "mine" } },
        "endpoints": [{ "addresses": ["169.254.169.254"] }], "ports": [],
    });
    let slice = hello.file("slice.json", &slice);
    for line in [
        "label namespace tool-hello tenancy-",
        "label namespace tool-hello kubernetes.io/metadata.name=kube-system --overwrite",
        "annotate namespace tool-hello toolforge.org/uid=0 --overwrite",
        "create namespace tool-mine",
        "create role mine --verb=* --resource=*",
        "create rolebinding mine --clusterrole=privileged-psp --user=hello",
        "create clusterrolebinding mine --clusterrole=cluster-admin --user=hello",
        "create serviceaccount mine",
        "create token default",
        "delete validatingwebhookconfiguration toolforge-admission",
        "annotate mutatingwebhookconfiguration toolforge-admission x=y",
        "annotate psp tool-hello-psp x=y",
        "delete resourcequota tool-hello",
        r#"patch service mine --subresource=status -p {"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}"#,
        r#"patch ingress mine --subresource=status -p {"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}"#,
        r#"patch pod main --subresource=status -p {"status":{"podIP":"169.254.169.254"}}"#,
        r#"patch pod main --subresource=resize -p {"spec":{"containers":[{"name":"main","resources":{"limits":{"cpu":"9"}}}]}}"#,
        "run more -n tool-clock --image=IMAGE",
        "run more -n kube-system --image=IMAGE",
        &format!("create -f {psp}"),
        &format!("create -f {slice}"),
    ] {
        hello.is_refused(ROLE, &[(line, "")]);
    }
}
