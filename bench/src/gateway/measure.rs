//! What is measured: each with its load, and with what is to be reached.

use clap::ValueEnum;

use super::{load::Load, proxy::Kind, stage::Groups, wire::Ask};

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Measure {
    /// Small pages over HTTP/1.1, without TLS
    Http,
    /// Small pages over HTTP/1.1 and TLS
    Tls,
    /// Small pages over HTTP/2 and TLS
    H2,
    /// Full TLS handshakes
    Handshake,
    /// Full TLS handshakes with clients that do not know ML-KEM
    HandshakeX25519,
    /// Answers of 1 MiB, without TLS
    Download,
    /// Answers of 1 MiB over TLS
    DownloadTls,
    /// Requests of 1 MiB, without TLS
    Upload,
    /// Requests of 1 MiB over TLS
    UploadTls,
    /// Pages of 64 KiB of text, compressed with gzip
    Gzip,
    /// The same with brotli
    Brotli,
    /// The same with zstd
    Zstd,
    /// Memory with all hosts, and with idle connections
    Memory,
    /// From a changed endpoint to the first answer by the new one
    Propagation,
}

/// Small pages on connections as many visitors have them at once.
const PAGES: Load = Load::Http1 {
    connections: 32,
    ask: Ask::Page,
};
/// Few connections with all that they can carry.
const DOWNLOADS: Load = Load::Http1 {
    connections: 8,
    ask: Ask::Download,
};
const UPLOADS: Load = Load::Http1 {
    connections: 8,
    ask: Ask::Upload,
};
/// Articles in this coding.
const fn text(coding: &'static str) -> Load {
    Load::Http1 {
        connections: 8,
        ask: Ask::Text(coding),
    }
}
/// Browsers on one host each.
const BROWSERS: Load = Load::Http2 {
    connections: 4,
    streams: 16,
};
const HANDSHAKES: Load = Load::Handshakes { at_once: 8 };

/// The loads, and whether each is over TLS.
pub(super) const LOADS: [(Measure, Load, bool); 12] = [
    (Measure::Http, PAGES, false),
    (Measure::Tls, PAGES, true),
    (Measure::H2, BROWSERS, true),
    (Measure::Handshake, HANDSHAKES, true),
    (Measure::HandshakeX25519, HANDSHAKES, true),
    (Measure::Download, DOWNLOADS, false),
    (Measure::DownloadTls, DOWNLOADS, true),
    (Measure::Upload, UPLOADS, false),
    (Measure::UploadTls, UPLOADS, true),
    (Measure::Gzip, text("gzip"), false),
    (Measure::Brotli, text("br"), false),
    (Measure::Zstd, text("zstd"), false),
];

impl Measure {
    /// What the report calls it.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Http => "HTTP/1.1, 32 connections",
            Self::Tls => "HTTP/1.1 over TLS, 32 connections",
            Self::H2 => "HTTP/2 over TLS, 4 x 16",
            Self::Handshake => "full TLS 1.3 handshake, one request",
            Self::HandshakeX25519 => "the same with X25519 alone",
            Self::Download => "answer of 1 MiB",
            Self::DownloadTls => "answer of 1 MiB over TLS",
            Self::Upload => "request of 1 MiB",
            Self::UploadTls => "request of 1 MiB over TLS",
            Self::Gzip => "text of 64 KiB in gzip",
            Self::Brotli => "text of 64 KiB in brotli",
            Self::Zstd => "text of 64 KiB in zstd",
            Self::Memory => "memory",
            Self::Propagation => "propagation of a change",
        }
    }

    /// What the client agrees on its keys with.
    pub(super) fn groups(self) -> Groups {
        match self {
            Self::HandshakeX25519 => Groups::X25519,
            _ => Groups::AsBrowsers,
        }
    }

    /// Whether this load can be put on this proxy: Debian's nginx knows gzip alone, and haproxy would look at all its other
    /// answers too.
    pub(super) fn is_known_to(self, kind: Kind) -> bool {
        match self {
            Self::Gzip => kind != Kind::Haproxy,
            Self::Brotli | Self::Zstd => kind == Kind::Ours,
            _ => true,
        }
    }

    /// The most that ours may cost, as a share of nginx's.
    pub(super) fn share_of_nginx(self) -> f64 {
        match self {
            Self::Http | Self::Tls => 0.85,
            Self::H2 => 0.6,
            Self::Handshake | Self::HandshakeX25519 => 0.45,
            Self::Gzip => 1.0,
            _ => 0.5,
        }
    }
}
