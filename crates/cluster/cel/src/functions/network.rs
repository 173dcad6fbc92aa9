//! URLs, IP addresses and networks.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::evaluate::{Evaluation, Found};
use crate::program::EvaluateError;
use crate::value::{Key, Value};

/// Stands for the host of a URL that is only a path.
const NO_HOST: &str = "path-only.invalid";

/// Calls a function of this library.
pub(super) fn call(evaluation: &mut Evaluation, name: &str, method: bool, values: &[Value]) -> Option<Found> {
    if let Some(Value::Text(text)) = values.first()
        && let Err(problem) = evaluation.budget.spend_bytes(text.len())
    {
        return Some(Err(problem));
    }
    let failed = |problem: String| EvaluateError::Failed(problem);
    let flag = |flag: bool| Some(Ok(Value::Bool(flag)));
    match (name, values) {
        ("isURL", [Value::Text(text)]) => flag(url(text).is_some()),
        ("url", [Value::Text(text)]) => Some(
            url(text)
                .map(|url| Value::Url(Arc::new(url)))
                .ok_or_else(|| failed(format!("URL parse error during conversion from string: {text:?}"))),
        ),
        ("isIP", [Value::Text(text)]) => flag(address(text).is_some()),
        ("ip.isCanonical", [Value::Text(text)]) => Some(
            address(text)
                .map(|found| Value::Bool(found.to_string() == **text))
                .ok_or_else(|| failed(format!("IP Address {text:?} parse error"))),
        ),
        ("ip", [Value::Text(text)]) if !method => Some(
            address(text)
                .map(Value::Ip)
                .ok_or_else(|| failed(format!("IP Address {text:?} parse error"))),
        ),
        ("isCIDR", [Value::Text(text)]) => flag(network(text).is_some()),
        ("cidr", [Value::Text(text)]) => Some(
            network(text)
                .map(|(address, bits)| Value::Cidr(address, bits))
                .ok_or_else(|| failed(format!("network address parse error: {text:?}"))),
        ),
        (name, [Value::Url(url)]) => of_url(name, url).map(Ok),
        (name, [Value::Ip(address)]) => of_address(name, *address).map(Ok),
        (name, [Value::Cidr(address, bits), rest @ ..]) => of_network(name, *address, *bits, rest),
        _ => None,
    }
}

/// An absolute URL, or an absolute path.
fn url(text: &str) -> Option<url::Url> {
    if text.starts_with('/') {
        return url::Url::parse(&format!("http://{NO_HOST}"))
            .ok()?
            .join(text)
            .ok();
    }
    url::Url::parse(text).ok().filter(url::Url::has_host)
}

fn of_url(name: &str, url: &url::Url) -> Option<Value> {
    let path_only = url.host_str() == Some(NO_HOST);
    let text = |text: &str| Some(Value::text(if path_only { "" } else { text }));
    match name {
        "getScheme" => text(url.scheme()),
        "getHostname" => text(url.host_str().unwrap_or_default().trim_matches(['[', ']'])),
        "getHost" => {
            let host = url.host_str().unwrap_or_default();
            text(
                &url.port()
                    .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            )
        }
        "getPort" => text(&url.port().map(|port| port.to_string()).unwrap_or_default()),
        "getEscapedPath" => Some(Value::text(url.path())),
        "getQuery" => {
            let mut pairs: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
            for (name, value) in url.query_pairs() {
                pairs
                    .entry(Key::Text(name.as_ref().into()))
                    .or_default()
                    .push(Value::text(&value));
            }
            let pairs = pairs
                .into_iter()
                .map(|(name, values)| (name, Value::list(values)));
            Some(Value::Map(Arc::new(pairs.collect())))
        }
        _ => None,
    }
}

/// Addresses without zones, and no IPv4 in IPv6's clothes.
fn address(text: &str) -> Option<IpAddr> {
    let found: IpAddr = text.parse().ok()?;
    match found {
        IpAddr::V6(inner) if inner.to_ipv4_mapped().is_some() => None,
        found => Some(found),
    }
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (start, bits) = text.split_once('/')?;
    let found = address(start)?;
    let plain = bits.bytes().all(|digit| digit.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
    let bits: u8 = bits.parse().ok().filter(|_| plain)?;
    (bits <= width(found)).then_some((found, bits))
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn of_address(name: &str, address: IpAddr) -> Option<Value> {
    let link_local_multicast = match address {
        IpAddr::V4(inner) => inner.octets()[..3] == [224, 0, 0],
        IpAddr::V6(inner) => inner.segments()[0] & 0xff0f == 0xff02,
    };
    let link_local = match address {
        IpAddr::V4(inner) => inner.is_link_local(),
        IpAddr::V6(inner) => inner.is_unicast_link_local(),
    };
    let broadcast = matches!(address, IpAddr::V4(inner) if inner.is_broadcast());
    let flag = match name {
        "family" => return Some(Value::Int(if address.is_ipv4() { 4 } else { 6 })),
        "isUnspecified" => address.is_unspecified(),
        "isLoopback" => address.is_loopback(),
        "isLinkLocalMulticast" => link_local_multicast,
        "isLinkLocalUnicast" => link_local,
        "isGlobalUnicast" => {
            !(broadcast
                || address.is_unspecified()
                || address.is_loopback()
                || address.is_multicast()
                || link_local)
        }
        _ => return None,
    };
    Some(Value::Bool(flag))
}

fn of_network(name: &str, start: IpAddr, bits: u8, rest: &[Value]) -> Option<Found> {
    let contains = |inner: IpAddr, inner_bits: u8| {
        inner.is_ipv4() == start.is_ipv4() && inner_bits >= bits && masked(inner, bits) == masked(start, bits)
    };
    let parsed = match (name, rest) {
        ("ip", []) => return Some(Ok(Value::Ip(start))),
        ("prefixLength", []) => return Some(Ok(Value::Int(i64::from(bits)))),
        ("masked", []) => return Some(Ok(Value::Cidr(masked(start, bits), bits))),
        ("containsIP", [Value::Ip(inner)]) => Some((*inner, width(*inner))),
        ("containsIP", [Value::Text(text)]) => address(text).map(|inner| (inner, width(inner))),
        ("containsCIDR", [Value::Cidr(inner, bits)]) => Some((*inner, *bits)),
        ("containsCIDR", [Value::Text(text)]) => network(text),
        _ => return None,
    };
    Some(
        parsed
            .map(|(inner, inner_bits)| Value::Bool(contains(inner, inner_bits)))
            .ok_or_else(|| EvaluateError::Failed(format!("{name}: address parse error"))),
    )
}

/// The address with only the network's bits.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(inner) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::V4((u32::from(inner) & mask).into())
        }
        IpAddr::V6(inner) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6((u128::from(inner) & mask).into())
        }
    }
}
