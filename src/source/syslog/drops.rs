//! What the operating system drops of a socket's datagrams when they come faster than they are read.

use std::fs;

use tokio::net::UdpSocket;

/// Where Linux tells it, in the socket's line; elsewhere there is no such file, and nothing is counted.
const TABLES: [&str; 2] = ["/proc/self/net/udp", "/proc/self/net/udp6"];

/// Columns of a table's line.
const INODE: usize = 9;
const DROPS: usize = 12;

/// Follows one socket's count.
pub struct Drops {
    inode: String,
    counted: u64,
}

impl Drops {
    /// The socket's count, from its beginning.
    pub fn of(socket: &UdpSocket) -> Option<Drops> {
        let inode = rustix::fs::fstat(socket).ok()?.st_ino;
        Some(Drops { inode: inode.to_string(), counted: 0 })
    }

    /// Datagrams that were dropped since it was last asked.
    pub fn more(&mut self) -> u64 {
        let tables = TABLES.iter().filter_map(|table| fs::read_to_string(table).ok());
        let Some(drops) = tables.into_iter().find_map(|table| drops(&table, &self.inode)) else { return 0 };
        let more = drops.saturating_sub(self.counted);
        self.counted = drops;
        more
    }
}

fn drops(table: &str, inode: &str) -> Option<u64> {
    let mut lines = table.lines().map(|line| line.split_ascii_whitespace());
    let line = lines.find(|columns| columns.clone().nth(INODE) == Some(inode))?;
    line.clone().nth(DROPS)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_line_of_the_socket() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
             12: 0100007F:158A 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 0\n\
             13: 0100007F:158B 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 42\n";
        assert_eq!(drops(table, "4711"), Some(0));
        assert_eq!(drops(table, "4712"), Some(42));
        assert_eq!(drops(table, "471"), None);
    }
}
