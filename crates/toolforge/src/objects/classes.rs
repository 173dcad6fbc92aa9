//! Ingress classes that the gateway had before `ingressClass` of the policy file was changed. Called by `up` at its start; it
//! must not touch the classes of other controllers.

use anyhow::Context as _;
use k8s_openapi::api::networking::v1::IngressClass;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;
use toolforge_model::names::INGRESS_CONTROLLER;

/// Annotation of the class that Ingresses get when they name none.
pub(super) const IS_DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";

/// Leaves one default among the gateway's classes: this one.
///
/// Of two, Kubernetes takes the newer one, which the guards may refuse. The classes themselves stay, for Ingresses may
/// still name them.
pub(crate) async fn retire_other_classes(client: &Client, class: &str) -> anyhow::Result<()> {
    let api: Api<IngressClass> = Api::all(client.clone());
    let classes = api
        .list(&ListParams::default())
        .await
        .context("the ingress classes cannot be listed")?;
    let no_default = json!({ "metadata": { "annotations": { IS_DEFAULT: null } } });
    for name in classes
        .iter()
        .filter(|other| is_former_default(other, class))
        .map(kube::ResourceExt::name_any)
    {
        api.patch(&name, &PatchParams::default(), &Patch::Merge(&no_default))
            .await
            .with_context(|| format!("the ingress class {name} stays the default"))?;
    }
    Ok(())
}

fn is_former_default(other: &IngressClass, class: &str) -> bool {
    let controller = other.spec.as_ref().and_then(|spec| spec.controller.as_deref());
    controller == Some(INGRESS_CONTROLLER)
        && other.name_any() != class
        && other.annotations().contains_key(IS_DEFAULT)
}
