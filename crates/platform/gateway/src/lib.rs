//! Front proxy, load balancer and ingress controller: one data plane, and the control that feeds it.
//!
//! The roof program calls [`run()`] with a client of the Kubernetes API. The data plane ([`DataPlane`]) knows only the
//! last [`toolforge_routing::RouteTable`], so that it serves whatever becomes of the API. It must not know which
//! cluster it stands before.

mod accept;
mod announcement;
mod behind;
mod body;
mod certificates;
mod compression;
mod config;
mod control;
mod data_plane;
mod doors;
mod drain;
mod exchange;
mod headers;
mod http1;
mod http2;
mod legacy;
mod limits;
mod listen;
mod names;
mod outside;
mod page;
mod policy;
mod pool;
mod proxy_header;
mod rate;
mod redirect;
mod request_body;
mod retries;
mod rewound;
mod rooms;
mod rules;
mod run;
mod seen;
mod settings;
mod standing;
mod tunnel;
mod visit;
mod visitor;
mod workers;

pub use certificates::files::CertificateFiles;
pub use compression::Coding;
pub use config::{
    Config, PlainHttp, Published, RegistrationDoors, Succession, default_backend, one_for_each_processor,
};
pub use data_plane::{DataPlane, DataPlaneSettings, Shared};
pub use drain::Drain;
pub use policy::Policies;
pub use rules::Rules;
pub use run::{GatewayError, run};
pub use seen::{Explained, FAMILIES, Now, PassedOver, Share, access_log::LogFormat, status_address};
pub use settings::{
    AccessLogSettings, CertificatesSettings, GatewaySettings, GatewaySettingsError, LegacyRedirectSettings,
    MaintenanceSettings, OwnLimitsSettings, PassingOverSettings, ProxyProtocolSettings, RateLimitSettings,
    RetriesSettings, ToolLimitsSettings,
};
