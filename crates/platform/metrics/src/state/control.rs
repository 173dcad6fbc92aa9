//! What runs the cluster itself: leases, requests for certificates, and webhook configurations.

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ServiceReference, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::lines::{Family, Lines, gauge, text};
use super::table::Rendered;

impl Rendered for Lease {
    const FAMILIES: &'static [Family] = &[
        gauge("kube_lease_owner", "Who owns and who holds a lease."),
        gauge(
            "kube_lease_renew_time",
            "When a lease was renewed last, in seconds since 1970.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        // Leases of two namespaces may have one name.
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("lease", text(meta.name.as_ref())),
        ]);
        let spec = self.spec.as_ref();
        let holder = text(spec.and_then(|spec| spec.holder_identity.as_ref()));
        let owners = meta.owner_references.iter().flatten();
        let mut owners: Vec<(&str, &str)> = owners
            .map(|owner| (owner.kind.as_str(), owner.name.as_str()))
            .collect();
        if owners.is_empty() {
            owners.push(("", ""));
        }
        for (kind, name) in owners {
            let labels = [
                ("owner_kind", kind),
                ("owner_name", name),
                ("lease_holder", holder),
            ];
            lines.put("kube_lease_owner", &labels, 1);
        }
        let renewed = spec.and_then(|spec| spec.renew_time.as_ref());
        lines.maybe("kube_lease_renew_time", renewed.map(|time| time.0.as_second()));
    }
}

impl Rendered for CertificateSigningRequest {
    const FAMILIES: &'static [Family] = &[
        gauge(
            "kube_certificatesigningrequest_created",
            "When a certificate was requested, in seconds since 1970.",
        ),
        gauge(
            "kube_certificatesigningrequest_condition",
            "Whether a request for a certificate was approved or denied.",
        ),
        gauge(
            "kube_certificatesigningrequest_cert_length",
            "The length of the certificate, in bytes.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let meta = &self.metadata;
        lines.of(&[
            ("certificatesigningrequest", text(meta.name.as_ref())),
            ("signer_name", self.spec.signer_name.as_str()),
        ]);
        lines.time(
            "kube_certificatesigningrequest_created",
            meta.creation_timestamp.as_ref(),
        );
        let status = self.status.as_ref();
        for (label, kind) in [("approved", "Approved"), ("denied", "Denied")] {
            let conditions = status.and_then(|status| status.conditions.as_ref());
            let mut conditions = conditions.into_iter().flatten();
            let is = conditions.any(|condition| condition.type_ == kind);
            let labels = [("condition", label)];
            lines.put("kube_certificatesigningrequest_condition", &labels, u8::from(is));
        }
        let certificate = status.and_then(|status| status.certificate.as_ref());
        let bytes = certificate.map_or(0, |certificate| certificate.0.len());
        lines.put("kube_certificatesigningrequest_cert_length", &[], bytes);
    }
}

impl Rendered for MutatingWebhookConfiguration {
    const FAMILIES: &'static [Family] = &[
        gauge(
            "kube_mutatingwebhookconfiguration_info",
            "A configuration of webhooks that change objects.",
        ),
        gauge(
            "kube_mutatingwebhookconfiguration_created",
            "When a configuration of webhooks was created, in seconds since 1970.",
        ),
        gauge(
            "kube_mutatingwebhookconfiguration_metadata_resource_version",
            "The version of a configuration of webhooks.",
        ),
        gauge(
            "kube_mutatingwebhookconfiguration_webhook_clientconfig_service",
            "The Service behind each webhook.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let hooks = self.webhooks.iter().flatten();
        let services =
            hooks.filter_map(|hook| Some((hook.name.as_str(), hook.client_config.service.as_ref()?)));
        configuration(
            lines,
            &self.metadata,
            "mutatingwebhookconfiguration",
            Self::FAMILIES,
            services,
        );
    }
}

impl Rendered for ValidatingWebhookConfiguration {
    const FAMILIES: &'static [Family] = &[
        gauge(
            "kube_validatingwebhookconfiguration_info",
            "A configuration of webhooks that judge objects.",
        ),
        gauge(
            "kube_validatingwebhookconfiguration_created",
            "When a configuration of webhooks was created, in seconds since 1970.",
        ),
        gauge(
            "kube_validatingwebhookconfiguration_metadata_resource_version",
            "The version of a configuration of webhooks.",
        ),
        gauge(
            "kube_validatingwebhookconfiguration_webhook_clientconfig_service",
            "The Service behind each webhook.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let hooks = self.webhooks.iter().flatten();
        let services =
            hooks.filter_map(|hook| Some((hook.name.as_str(), hook.client_config.service.as_ref()?)));
        configuration(
            lines,
            &self.metadata,
            "validatingwebhookconfiguration",
            Self::FAMILIES,
            services,
        );
    }
}

/// The lines of either kind; its families are info, time, version and services, in this order.
fn configuration<'a>(
    lines: &mut Lines<'a>,
    meta: &'a ObjectMeta,
    label: &'static str,
    families: &[Family],
    services: impl Iterator<Item = (&'a str, &'a ServiceReference)>,
) {
    let [info, created, version, service] = families else {
        return;
    };
    lines.of(&[("namespace", ""), (label, text(meta.name.as_ref()))]);
    lines.put(info.name, &[], 1);
    lines.time(created.name, meta.creation_timestamp.as_ref());
    let number: Option<u64> = text(meta.resource_version.as_ref()).parse().ok();
    lines.maybe(version.name, number);
    for (name, to) in services {
        let labels = [
            ("webhook_name", name),
            ("service_name", to.name.as_str()),
            ("service_namespace", to.namespace.as_str()),
        ];
        lines.put(service.name, &labels, 1);
    }
}
