//! Where the status listener of a gateway is, noted beside its table, so that whoever reads the table can ask the gateway too.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

fn note(table: &Path) -> PathBuf {
    table.with_extension("status")
}

/// Notes where it is. Where there is none, an older note goes.
pub(crate) fn write(table: &Path, status: Option<SocketAddr>) -> io::Result<()> {
    let note = note(table);
    let Some(status) = status else {
        return match fs::remove_file(note) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    if let Some(folder) = note.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(note, format!("{status}\n"))
}

/// Where the gateway that keeps this table is asked, as it has noted itself; `None` where it has no status listener. It may
/// have ended since.
pub fn status_address(table: &Path) -> Option<SocketAddr> {
    let noted = fs::read_to_string(note(table)).ok()?;
    let mut address: SocketAddr = noted.trim().parse().ok()?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::{status_address, write};

    #[test]
    fn note_says_where_to_ask_and_goes_with_the_listener() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("not yet there/table.json");
        assert_eq!(status_address(&table), None);
        write(&table, None).unwrap();
        for (listens, asked) in [
            ("10.1.2.3:80", "10.1.2.3:80"),
            ("0.0.0.0:81", "127.0.0.1:81"),
            ("[::]:82", "[::1]:82"),
        ] {
            write(&table, Some(listens.parse().unwrap())).unwrap();
            assert_eq!(status_address(&table).unwrap().to_string(), asked);
        }
        write(&table, None).unwrap();
        assert_eq!(status_address(&table), None);
    }
}
