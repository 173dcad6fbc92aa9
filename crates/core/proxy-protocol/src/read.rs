//! Headers as they come in, whole or in parts. Nothing after a header is ever looked at.

use std::net::{IpAddr, SocketAddr};

use crate::{Addresses, Header};

/// The longest header that is read, in bytes: nginx's limit, and more than any sender in use writes.
pub const LIMIT_BYTES: usize = 4096;

/// How version 2 begins (section 2.2).
pub(crate) const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// How version 1 begins (section 2.1).
pub(crate) const V1_BEGIN: &[u8] = b"PROXY ";
/// The longest line of version 1 with its end.
const V1_LIMIT_BYTES: usize = 107;
/// Signature, version and command, family, length.
const V2_FIXED_BYTES: usize = 16;

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// They begin like no header: who sent them does not speak the protocol.
    #[error("the connection does not begin with a PROXY header")]
    Missing,
    /// It begins like one, and goes on otherwise.
    #[error("the PROXY header is malformed: {0}")]
    Malformed(&'static str),
    /// It is longer than [`LIMIT_BYTES`].
    #[error("the PROXY header is longer than {LIMIT_BYTES} bytes")]
    TooLong,
}

/// The header with which these bytes begin and its length, or `None` while more of it has to come.
///
/// # Errors
/// When no header can come of it, whatever follows.
pub fn read(bytes: &[u8]) -> Result<Option<(Header, usize)>, HeaderError> {
    let begins_like = |begin: &[u8]| bytes.iter().zip(begin).all(|(one, other)| one == other);
    if begins_like(SIGNATURE) {
        read_v2(bytes)
    } else if begins_like(V1_BEGIN) {
        read_v1(bytes)
    } else {
        Err(HeaderError::Missing)
    }
}

fn read_v1(bytes: &[u8]) -> Result<Option<(Header, usize)>, HeaderError> {
    let within = &bytes[..bytes.len().min(V1_LIMIT_BYTES)];
    let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
        return if within.len() < V1_LIMIT_BYTES {
            Ok(None)
        } else {
            Err(HeaderError::Malformed("the line has no end within 107 bytes"))
        };
    };
    let line = within[..end].strip_suffix(b"\r");
    let line = line.ok_or(HeaderError::Malformed("the line does not end with CR LF"))?;
    let text = line.get(V1_BEGIN.len()..).unwrap_or_default();
    let text = std::str::from_utf8(text).map_err(|_| HeaderError::Malformed("the line is no text"))?;
    Ok(Some((read_line(text)?, end + 1)))
}

/// What follows `PROXY` and a space.
fn read_line(text: &str) -> Result<Header, HeaderError> {
    // What follows is not to be looked at.
    if text == "UNKNOWN" || text.starts_with("UNKNOWN ") {
        return Ok(Header::Own);
    }
    let words: Vec<&str> = text.split(' ').collect();
    let [family, from, to, from_port, to_port] = words[..] else {
        return Err(HeaderError::Malformed("the line has not six words"));
    };
    let address = |word: &str| {
        let address: Result<IpAddr, _> = match family {
            "TCP4" => word.parse().map(IpAddr::V4),
            "TCP6" => word.parse().map(IpAddr::V6),
            _ => {
                return Err(HeaderError::Malformed(
                    "the family is none of TCP4, TCP6 and UNKNOWN",
                ));
            }
        };
        address.map_err(|_| HeaderError::Malformed("an address is none of the family"))
    };
    Ok(Header::Proxied(Addresses {
        source: SocketAddr::new(address(from)?, port(from_port)?),
        destination: SocketAddr::new(address(to)?, port(to_port)?),
    }))
}

/// A port as it must be written: digits without a zero before them.
fn port(word: &str) -> Result<u16, HeaderError> {
    let problem = HeaderError::Malformed("a port is no number from 0 to 65535");
    let is_plain = word == "0" || word.starts_with(|digit: char| matches!(digit, '1'..='9'));
    if !is_plain {
        return Err(problem);
    }
    word.parse().map_err(|_| problem)
}

fn read_v2(bytes: &[u8]) -> Result<Option<(Header, usize)>, HeaderError> {
    // What is wrong with a part is said as soon as it is there.
    let command = bytes.get(12).map(|byte| read_command(*byte)).transpose()?;
    let family = bytes.get(13).map(|byte| read_family(*byte)).transpose()?;
    let Some((is_own, family)) = command.zip(family) else {
        return Ok(None);
    };
    let Some(length) = bytes.get(14..V2_FIXED_BYTES) else {
        return Ok(None);
    };
    let length = length
        .iter()
        .fold(0, |length, byte| length << 8 | usize::from(*byte));
    let end = V2_FIXED_BYTES + length;
    if end > LIMIT_BYTES {
        return Err(HeaderError::TooLong);
    }
    if !is_own && length < family.addresses_bytes() {
        return Err(HeaderError::Malformed("it is too short for its addresses"));
    }
    let Some(rest) = bytes.get(V2_FIXED_BYTES..end) else {
        return Ok(None);
    };
    // The TLVs after the addresses say nothing that the callers would do something with.
    let proxied = if is_own { None } else { family.addresses(rest) };
    Ok(Some((proxied.map_or(Header::Own, Header::Proxied), end)))
}

/// Whether the command is LOCAL.
fn read_command(byte: u8) -> Result<bool, HeaderError> {
    match byte {
        0x20 => Ok(true),
        0x21 => Ok(false),
        _ => Err(HeaderError::Malformed(
            "version and command are neither 2 LOCAL nor 2 PROXY",
        )),
    }
}

/// Of what kind addresses are.
#[derive(Clone, Copy, Debug)]
enum Family {
    Tcp4,
    Tcp6,
    /// Something that no TCP connection has: such addresses are passed over, as haproxy does.
    Other {
        addresses_bytes: usize,
    },
}

fn read_family(byte: u8) -> Result<Family, HeaderError> {
    // The address family in the upper half, the transport in the lower: unspecified, stream, datagram.
    let addresses_bytes = match byte {
        0x11 => return Ok(Family::Tcp4),
        0x21 => return Ok(Family::Tcp6),
        0x00..=0x02 => 0,
        0x10 | 0x12 => 12,
        0x20 | 0x22 => 36,
        0x30..=0x32 => 216,
        _ => {
            return Err(HeaderError::Malformed(
                "there is no such address family or transport",
            ));
        }
    };
    Ok(Family::Other { addresses_bytes })
}

impl Family {
    fn addresses_bytes(self) -> usize {
        match self {
            Self::Tcp4 => 12,
            Self::Tcp6 => 36,
            Self::Other { addresses_bytes } => addresses_bytes,
        }
    }

    fn addresses(self, bytes: &[u8]) -> Option<Addresses> {
        match self {
            Self::Tcp4 => addresses::<4>(bytes),
            Self::Tcp6 => addresses::<16>(bytes),
            Self::Other { .. } => None,
        }
    }
}

/// Source, destination, and the port of each.
fn addresses<const N: usize>(bytes: &[u8]) -> Option<Addresses>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = bytes.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (source_port, rest) = rest.split_first_chunk::<2>()?;
    let (destination_port, _) = rest.split_first_chunk::<2>()?;
    Some(Addresses {
        source: SocketAddr::new((*source).into(), u16::from_be_bytes(*source_port)),
        destination: SocketAddr::new((*destination).into(), u16::from_be_bytes(*destination_port)),
    })
}

#[cfg(test)]
mod tests;
