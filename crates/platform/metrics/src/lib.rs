//! What a cluster's tools and nodes use, for `kubectl top`, and what state its objects are in, for Prometheus.
//!
//! One HTTPS server, on any cluster: it answers `metrics.k8s.io/v1beta1` behind the API's aggregation (`api`) and
//! `/metrics` in the words of kube-state-metrics (`state`). Usage comes from the nodes' `/metrics/resource` by way of the
//! API's node proxy (`usage`), state from watches; who may ask is the API's decision (`auth`). It must not read what is in
//! Secrets, and writes nothing into the cluster.

mod api;
mod auth;
mod error;
mod own;
mod rights;
mod run;
mod seen;
mod selector;
mod state;
mod usage;

pub use error::MetricsError;
pub use own::FAMILIES;
pub use rights::{NAMESPACE, SERVICE, api_service, service_rules};
pub use run::{Config, run};
