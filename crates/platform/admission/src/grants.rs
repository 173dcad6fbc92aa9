//! Who may use which `PodSecurityPolicy`, as the cluster says: `follow` feeds the index from watches; `look` asks the API
//! itself before a refusal is final. What roles and bindings mean is not known here but in `core/policy`.

mod follow;
mod look;

pub(crate) use follow::Grants;
pub(crate) use look::LookError;
