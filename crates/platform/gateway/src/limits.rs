//! Every limit and interval of the data path, with its reason.

use std::time::Duration;

/// The largest request body, in bytes: what maintainers know from the original (`client_max_body_size 128m`).
pub(crate) const REQUEST_BODY_LIMIT_BYTES: u64 = 128 * 1024 * 1024;

/// The largest automaton that the patterns of one list may become, in bytes: thousands of plain names are smaller, and a
/// pattern that grows without bound is refused when it is read.
pub(crate) const PATTERNS_LIMIT_BYTES: usize = 10 * 1024 * 1024;

/// The shortest answer that is compressed, in bytes: a smaller one is a single packet either way.
pub(crate) const COMPRESSION_MINIMUM_BYTES: u64 = 1024;

/// How many answers a thread compresses at once: more are never under way with visitors who take them, and each may hold
/// 1.5 MiB for as long as its visitor takes.
pub(crate) const COMPRESSIONS_AT_ONCE: usize = 128;

/// How long a tool may be silent before or within its answer: tools compute for long (`proxy_read_timeout 3600`).
pub(crate) const READ_TIMEOUT: Duration = Duration::from_hours(1);

/// How long an endpoint may take to accept a connection: it is in the same network (haproxy's `timeout connect`).
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a proxy may take over its PROXY header: it comes with the first packet, and the specification asks for three
/// seconds at least, in which a lost one is sent again.
pub(crate) const PROXY_HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a visitor may take over a TLS handshake.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a visitor may take over the head of a request, also over the next one of a kept-alive connection.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How often an HTTP/2 connection is asked whether it still lives, so that dead ones do not pile up.
pub(crate) const PING_INTERVAL: Duration = Duration::from_mins(1);

/// How long the answer to that may take.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How many requests go over one connection to an endpoint that speaks HTTP/2: what RFC 9113 6.5.2 takes for the least
/// that a server should allow. Beyond that another connection is opened.
pub(crate) const HTTP2_STREAMS: usize = 100;

/// How much of one answer over HTTP/2 may wait in the gateway for its visitor, in bytes: tools are near, so that more would
/// not be faster.
pub(crate) const HTTP2_STREAM_BYTES: u32 = 64 * 1024;

/// How long the head of a message over HTTP/2 may be, in bytes: as long as over HTTP/1.1.
pub(crate) const HTTP2_FIELDS_BYTES: u32 = 64 * 1024;

/// How long an idle connection to an endpoint is kept. Servers in tools close theirs after 2 to 65 seconds; ours
/// finds that out at once, so the exact value only bounds how many lie around.
pub(crate) const IDLE_LIFE: Duration = Duration::from_mins(1);

/// How long after its last use a connection is trusted with a request that cannot be sent a second time: shorter
/// than the shortest keep-alive of the servers that tools use (gunicorn's 2 seconds).
pub(crate) const IDLE_TRUST: Duration = Duration::from_secs(1);

/// The most idle connections that are kept for one endpoint: more are never busy at once on one tool for long.
pub(crate) const IDLE_PER_ENDPOINT: usize = 64;

/// How long the rest of a request is still read after it was refused, so that the visitor can read the refusal
/// (`lingering_time` of nginx).
pub(crate) const LINGER: Duration = Duration::from_secs(30);

/// How long requests under way may take after a quick stop, as in every server of the platform.
pub(crate) const QUICK_DRAIN: Duration = Duration::from_secs(5);

/// How long a connection without a request is kept after the stop: a request may be on its way on it, and would be lost.
/// Clients that ask often are led elsewhere by their next answer, long before.
pub(crate) const IDLE_GRACE: Duration = Duration::from_secs(5);

/// How long a gateway that is to take over from another one waits for the API, while that one still serves: longer than
/// lists of all objects take to come.
pub(crate) const API_PATIENCE: Duration = Duration::from_secs(10);

/// The most tools whose requests under way are counted; the original has some 3,000.
pub(crate) const ROOMS: usize = 20_000;

/// The most connections that are still taken out of the queue of a listener at the stop: as many as the queue holds.
pub(crate) const QUEUED_CONNECTIONS: usize = 1024;

/// The pause after the system refused a connection, as it does when out of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long changes of certificates in files are gathered: a certificate and its key are two files, and whoever renews
/// them writes one after the other.
pub(crate) const CERTIFICATES_DELAY: Duration = Duration::from_millis(250);

/// How long changes of the table are gathered before they are written to disk: a start of many tools is one write.
pub(crate) const KEEP_DELAY: Duration = Duration::from_millis(500);

/// How long a visitor may take nothing of an answer that waits for it (`send_timeout` of nginx).
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a visitor over HTTP/2 may take nothing: it is not seen how much of a piece was taken, so that there is time for a
/// whole one of 128 KiB over slow lines.
pub(crate) const STREAM_WRITE_TIMEOUT: Duration = Duration::from_mins(2);

/// How long a visitor may send nothing of a body that its tool waits for before it answers (`client_body_timeout` of nginx).
/// A tool that has answered already says itself how long it waits.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_mins(1);

/// How long other requests wait for the one that tries an endpoint again, before one of them does: longer than
/// connecting may take.
pub(crate) const PROBE_PATIENCE: Duration = Duration::from_secs(10);

/// How long it is remembered that an endpoint failed: its address may be another Pod's by then.
pub(crate) const ENDPOINT_MEMORY: Duration = Duration::from_mins(2);

/// The most failing endpoints that a thread remembers; with more of them something else is broken.
pub(crate) const STANDINGS: usize = 4096;

/// The most tools whose requests a thread sends again at a time.
pub(crate) const RETRY_TOOLS: usize = 1024;
