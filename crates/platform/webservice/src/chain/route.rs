//! The links outside the Pods: name, TLS, the gateway's answer, Ingress, Service, endpoints.

use k8s_openapi::{
    api::{
        core::v1::Service,
        networking::v1::{Ingress, IngressBackend},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::ResourceExt as _;
use toolforge_policy::admit_ingress;

use super::{Link, Mark, Observed, Reach};
use crate::{
    diagnosis::{Failure, Standing},
    exit::Exit,
    objects::PORT,
};

/// What puts a missing or bent object right.
const ANEW: &str = "`webservice restart` puts it in place again.";
const OPERATORS: &str = "Tell the platform's operators; nothing of your tool can change it.";

/// Name, TLS and answer.
pub(super) fn outside(host: &str, url: &str, reach: &Reach) -> Vec<Link> {
    let open = |link| Link::new(link, Mark::Open, "not reached");
    let broken = |link, reason: String| Link::broken(link, Failure::new(Exit::Url, reason, OPERATORS));
    let name = Link::ok("name", format!("{host} leads to the gateway"));
    let tls = Link::ok("tls", "the gateway has a certificate for it");
    match reach {
        Reach::NoName(error) => vec![
            broken("name", format!("The name {host} leads nowhere: {error}.")),
            open("tls"),
            open("gateway"),
        ],
        Reach::NoConnection { address, error } => vec![
            name,
            broken("tls", format!("Nobody takes a connection at {address}: {error}.")),
            open("gateway"),
        ],
        Reach::NoTls(error) => vec![
            name,
            broken("tls", format!("No secure connection comes about: {error}.")),
            open("gateway"),
        ],
        Reach::NoAnswer(error) => {
            let silent = Link::new(
                "gateway",
                Mark::Follows,
                format!("{url} gives no answer: {error}."),
            );
            vec![name, tls, silent]
        }
        Reach::Answer {
            status,
            from_the_tool,
        } => {
            let answer = if *from_the_tool {
                Link::ok("gateway", format!("the tool answers with {status}"))
            } else {
                let said = format!("{url} answers with {status}, which is the gateway's own word.");
                Link::new("gateway", Mark::Follows, said)
            };
            vec![name, tls, answer]
        }
    }
}

/// Ingress, Service and endpoints.
pub(super) fn inside(observed: &Observed<'_>) -> Vec<Link> {
    if observed.standing == Standing::Absent {
        return ["ingress", "service", "endpoints"]
            .map(|link| Link::new(link, Mark::Open, "not needed while it is stopped"))
            .to_vec();
    }
    let (ingress, backend) = ingress(observed);
    let (service, own) = service(observed, backend.as_ref());
    vec![ingress, service, endpoints(observed, own)]
}

fn ingress(observed: &Observed<'_>) -> (Link, Option<IngressBackend>) {
    let broken =
        |exit, reason: String, next: &str| (Link::broken("ingress", Failure::new(exit, reason, next)), None);
    let host = &observed.host;
    let found = observed
        .ingresses
        .iter()
        .find_map(|ingress| Some((ingress, backend_for(ingress, host)?)));
    let Some((ingress, backend)) = found else {
        return broken(Exit::Url, format!("There is no Ingress for {host}."), ANEW);
    };
    let name = ingress.name_any();
    let class = ingress
        .spec
        .as_ref()
        .and_then(|spec| spec.ingress_class_name.as_deref());
    let annotated = ingress
        .annotations()
        .get("kubernetes.io/ingress.class")
        .map(String::as_str);
    let class = class.or(annotated);
    if class != Some(observed.ingress_class) {
        let has = class.map_or_else(|| "no class".to_owned(), |class| format!("the class {class:?}"));
        let serves = observed.ingress_class;
        let reason =
            format!("The Ingress {name} has {has}, and the gateway serves those of class {serves:?}.");
        return broken(Exit::Url, reason, ANEW);
    }
    if let Some(policy) = observed.policy {
        let verdict = admit_ingress(policy, observed.tool.namespace().as_str(), ingress);
        if !verdict.is_allowed() {
            let reason = format!(
                "The gateway does not serve the Ingress {name}: {}.",
                verdict.message()
            );
            return broken(Exit::Admission, reason, ANEW);
        }
    }
    (
        Link::ok("ingress", format!("{name} is for {host}")),
        Some(backend),
    )
}

fn backend_for(ingress: &Ingress, host: &str) -> Option<IngressBackend> {
    let rules = ingress.spec.as_ref()?.rules.as_ref()?;
    let rule = rules.iter().find(|rule| rule.host.as_deref() == Some(host))?;
    let paths = &rule.http.as_ref()?.paths;
    let whole = paths
        .iter()
        .find(|path| path.path.as_deref().unwrap_or("/") == "/");
    Some(whole.or_else(|| paths.first())?.backend.clone())
}

fn service<'a>(observed: &'a Observed<'_>, backend: Option<&IngressBackend>) -> (Link, Option<&'a Service>) {
    let broken = |reason: String| {
        (
            Link::broken("service", Failure::new(Exit::Url, reason, ANEW)),
            None,
        )
    };
    let wanted = backend.and_then(|backend| backend.service.as_ref());
    let name = wanted.map_or(observed.tool.as_str(), |wanted| wanted.name.as_str());
    let Some(service) = observed
        .services
        .iter()
        .find(|service| service.name_any() == name)
    else {
        return broken(format!("There is no Service {name}."));
    };
    let spec = service.spec.as_ref();
    let asked = wanted.and_then(|wanted| wanted.port.as_ref());
    let mut ports = spec.and_then(|spec| spec.ports.as_ref()).into_iter().flatten();
    let port = ports.find(|port| {
        asked.is_none_or(|asked| {
            asked.number == Some(port.port) || (asked.name.is_some() && asked.name == port.name)
        })
    });
    let Some(port) = port else {
        return broken(format!(
            "The Service {name} does not have the port that the Ingress asks for."
        ));
    };
    let leads = match &port.target_port {
        None => port.port == i32::from(PORT),
        Some(IntOrString::Int(target)) => *target == i32::from(PORT),
        Some(IntOrString::String(target)) => target == "http",
    };
    if !leads {
        return broken(format!(
            "The Service {name} leads to another port than {PORT}, on which a webservice listens."
        ));
    }
    let selector = spec.and_then(|spec| spec.selector.clone()).unwrap_or_default();
    let missed = observed.scene.newest_pods().into_iter().find(|pod| {
        let labels = pod.labels();
        selector.iter().any(|(key, value)| labels.get(key) != Some(value))
    });
    if let Some(pod) = missed {
        return broken(format!(
            "The Service {name} selects other labels than the Pod {} has.",
            pod.name_any()
        ));
    }
    (
        Link::ok("service", format!("{name} leads to port {PORT}")),
        Some(service),
    )
}

fn endpoints(observed: &Observed<'_>, service: Option<&Service>) -> Link {
    let Some(service) = service else {
        return Link::new("endpoints", Mark::Open, "not reached");
    };
    let name = service.name_any();
    let ready = observed
        .slices
        .iter()
        .filter(|slice| slice.labels().get("kubernetes.io/service-name") == Some(&name))
        .flat_map(|slice| slice.endpoints.iter().flatten())
        .filter(|endpoint| {
            let conditions = endpoint.conditions.as_ref();
            conditions.and_then(|conditions| conditions.ready).unwrap_or(true)
        })
        .count();
    match (ready, observed.scene.ready()) {
        (0, 0) => Link::new("endpoints", Mark::Follows, "nobody is ready to be asked"),
        (0, pods) => {
            let reason =
                format!("The cluster has not noted any of the {pods} Pods that are ready as an endpoint.");
            Link::broken("endpoints", Failure::new(Exit::Url, reason, OPERATORS))
        }
        (1, _) => Link::ok("endpoints", "1 Pod to be asked"),
        (count, _) => Link::ok("endpoints", format!("{count} Pods to be asked")),
    }
}
