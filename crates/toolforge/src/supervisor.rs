//! What a process tells whoever looks after it, as systemd has it (`NOTIFY_SOCKET`).

use std::{
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

/// Tells it, if anybody wants to know.
pub(crate) fn tell(state: &str) {
    let Some(place) = std::env::var_os("NOTIFY_SOCKET").filter(|place| !place.is_empty()) else {
        return;
    };
    if let Err(error) = send(&place, state) {
        tracing::warn!(%error, "NOTIFY_SOCKET cannot be told");
    }
}

fn send(place: &OsStr, state: &str) -> io::Result<()> {
    let address = match place.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(place)?,
    };
    let socket = UnixDatagram::unbound()?;
    // Nobody waits for one who does not listen.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    };

    use super::send;

    #[test]
    fn both_kinds_of_places_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("@toolforge-test-{}", std::process::id());
        let abstracted = SocketAddr::from_abstract_name(&name[1..]).unwrap();
        let heard = [
            UnixDatagram::bind(&path).unwrap(),
            UnixDatagram::bind_addr(&abstracted).unwrap(),
        ];
        for (place, socket) in [path.as_os_str(), name.as_ref()].into_iter().zip(&heard) {
            send(place, "READY=1").unwrap();
            let mut bytes = [0; 64];
            let count = socket.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..count], b"READY=1");
        }
    }
}
