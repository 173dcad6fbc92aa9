//! Who is still connected to a port of this machine, as the kernel lists it.

use std::time::{Duration, Instant};

use super::LOOK;

/// How the kernel writes the state of a connection over which both may speak.
const ESTABLISHED: &str = "01";

/// Waits until nobody is connected, or for so long.
pub(super) async fn until_gone(port: u16, most: Duration) {
    let began = Instant::now();
    while began.elapsed() < most && is_somebody_there(port) {
        tokio::time::sleep(LOOK).await;
    }
}

fn is_somebody_there(port: u16) -> bool {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .any(|table| has_connection(&table, port))
}

/// Whether a table of the kernel has a connection to this port of ours.
fn has_connection(table: &str, port: u16) -> bool {
    let wanted = format!("{port:04X}");
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let own = fields.next().and_then(|own| own.rsplit_once(':'));
        own.is_some_and(|(_, own)| own == wanted) && fields.nth(1) == Some(ESTABLISHED)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:1F41 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   2: 0100007F:C000 0100007F:1F41 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
";

    #[test]
    fn listening_alone_is_no_connection() {
        assert!(!has_connection(TABLE, 0x1F40));
        assert!(has_connection(TABLE, 0x1F41));
        assert!(!has_connection(TABLE, 0x1F42));
    }
}
