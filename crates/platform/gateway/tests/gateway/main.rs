//! The gateway over real sockets: TLS, HTTP/1.1 and HTTP/2 in front, small tools behind.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod annotated;
mod announced;
mod bodies;
mod certificates;
mod change;
mod cluster;
mod compression;
mod control;
mod ending;
mod endpoints;
mod failures;
mod forwarding;
mod h2c;
mod http1;
mod http2;
mod hygiene;
mod limits;
mod nginx;
mod outside;
mod plain;
mod proxied;
mod scene;
mod slow;
mod tools;
mod upgrades;
mod visitors;
