//! An object that is still text: all that a watch has to know of it is its version.

use std::{borrow::Cow, sync::OnceLock};

use kube::{Api, Resource, api::ObjectMeta, core::DynamicResourceScope};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

/// An object as it came.
#[derive(Clone, Debug)]
pub(crate) struct Unread {
    text: Box<RawValue>,
    /// Read when it is asked for: nobody asks for that of what a list brings.
    metadata: OnceLock<ObjectMeta>,
}

/// What of an object a watch goes by.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    metadata: Version,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    resource_version: Option<String>,
}

impl Unread {
    /// The same objects, as text.
    pub(crate) fn api<K: Resource>(api: Api<K>) -> Api<Self> {
        let url = api.resource_url().to_owned();
        Api::all_with(api.into_client(), &url)
    }

    pub(crate) fn read<K: DeserializeOwned>(&self) -> kube::Result<K> {
        serde_json::from_str(self.text.get()).map_err(kube::Error::SerdeError)
    }
}

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self {
            text: Deserialize::deserialize(deserializer)?,
            metadata: OnceLock::new(),
        })
    }
}

impl Resource for Unread {
    /// Where they are: the path of the kind in the API.
    type DynamicType = String;
    type Scope = DynamicResourceScope;

    fn kind(_: &String) -> Cow<'_, str> {
        Cow::default()
    }

    fn group(_: &String) -> Cow<'_, str> {
        Cow::default()
    }

    fn version(_: &String) -> Cow<'_, str> {
        Cow::default()
    }

    fn plural(_: &String) -> Cow<'_, str> {
        Cow::default()
    }

    fn url_path(url: &String, _: Option<&str>) -> String {
        url.clone()
    }

    fn meta(&self) -> &ObjectMeta {
        self.metadata.get_or_init(|| {
            let head: Option<Head> = serde_json::from_str(self.text.get()).ok();
            ObjectMeta {
                resource_version: head.and_then(|head| head.metadata.resource_version),
                ..ObjectMeta::default()
            }
        })
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.meta();
        self.metadata.get_mut().expect("it was just made")
    }
}
