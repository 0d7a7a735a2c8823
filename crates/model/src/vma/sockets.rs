//! What `vma_stats -v 3` tells of the sockets of a process: how many packets went through the card and how many through the
//! kernel (`print_full_stats()`, src/stats/stats_printer.cpp).

use schemars::JsonSchema;
use serde::Serialize;

/// A socket of a process that runs with libvma.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct Socket {
    /// Its descriptor.
    pub fd: u32,
    /// TCP, UDP or RAW.
    pub kind: String,
    /// Local address and port, where it has one.
    pub local: Option<String>,
    /// Remote address and port, where it is connected.
    pub remote: Option<String>,
    /// Packets received through the card.
    pub rx_offloaded: u64,
    /// Packets received through the kernel.
    pub rx_kernel: u64,
    /// Packets sent through the card.
    pub tx_offloaded: u64,
    /// Packets sent through the kernel.
    pub tx_kernel: u64,
    /// Packets that were dropped for want of room in the socket.
    pub rx_dropped: u64,
    /// Polls that found nothing.
    pub poll_misses: u64,
    /// Polls that found something.
    pub poll_hits: u64,
}

impl Socket {
    /// Packets through the card.
    pub fn offloaded(&self) -> u64 {
        self.rx_offloaded + self.tx_offloaded
    }

    /// Packets through the kernel.
    pub fn kernel(&self) -> u64 {
        self.rx_kernel + self.tx_kernel
    }

    /// Polls that found something, of a hundred; `None` where it was not polled.
    pub fn hits_percent(&self) -> Option<u64> {
        let all = self.poll_hits + self.poll_misses;
        (all > 0).then(|| self.poll_hits * 100 / all)
    }
}

/// The sockets in the text.
pub fn parse(text: &str) -> Vec<Socket> {
    let mut sockets: Vec<Socket> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(fd) = inside(line, "Fd=[") {
            sockets.push(Socket {
                fd: fd.parse().unwrap_or_default(),
                ..Socket::default()
            });
            continue;
        }
        let Some(socket) = sockets.last_mut() else {
            continue;
        };
        if let Some(kind) = line.strip_prefix("- ") {
            for word in ["TCP", "UDP", "RAW"] {
                if kind.starts_with(word) {
                    word.clone_into(&mut socket.kind);
                }
            }
        }
        if let Some(address) = inside(line, "- Local Address   = [") {
            socket.local = Some(address.to_owned());
        } else if let Some(address) = inside(line, "- Foreign Address = [") {
            socket.remote = Some(address.to_owned());
        } else if let Some(rest) = line.strip_prefix("Tx Offload:") {
            socket.tx_offloaded = nth(rest, 1);
        } else if let Some(rest) = line.strip_prefix("Tx OS info:") {
            socket.tx_kernel = nth(rest, 1);
        } else if let Some(rest) = line.strip_prefix("Rx Offload:") {
            socket.rx_offloaded = nth(rest, 1);
        } else if let Some(rest) = line.strip_prefix("Rx OS info:") {
            socket.rx_kernel = nth(rest, 1);
        } else if let Some(rest) = line.strip_prefix("Rx poll:") {
            socket.poll_misses = nth(rest, 0);
            socket.poll_hits = nth(rest, 1);
        } else if let Some((_, rest)) = line
            .strip_prefix("Rx pkt")
            .and_then(|r| r.split_once("dropped"))
        {
            socket.rx_dropped = rest
                .trim_start_matches("/s")
                .trim()
                .parse()
                .unwrap_or_default();
        }
    }
    sockets
}

fn inside<'l>(line: &'l str, before: &str) -> Option<&'l str> {
    line.strip_prefix(before)?.split(']').next()
}

/// The n-th of numbers that are parted by slashes.
fn nth(text: &str, n: usize) -> u64 {
    text.split('/')
        .nth(n)
        .and_then(|part| part.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "======================================================\n\
        \tFd=[14]\n\
        - UDP, Blocked, MC Loop Disabled\n\
        - Local Address   = [192.0.2.2:7000]\n\
        - Member of = [239.1.1.1]\n\
        Rx Offload: 12 / 340 / 0 / 0 [kilobytes/packets/eagains/errors]\n\
        Rx byte: cur 0 / max 64 / dropped 0 / limit 212992\n\
        Rx pkt : cur 0 / max 1 / dropped 3\n\
        Rx poll: 2 / 338 (99.41%) [miss/hit]\n\
        ======================================================\n\
        \tFd=[15]\n\
        - TCP, Non-blocked\n\
        - Local Address   = [10.0.0.1:41000]\n\
        - Foreign Address = [10.0.0.9:53]\n\
        Tx OS info: 1 / 7 / 0 / 0 [kilobytes/packets/eagains/errors]\n\
        ======================================================\n\
        \tFd=[16]\n\
        - TCP, Non-blocked\n\
        Rx and Tx where not active\n";

    #[test]
    fn packets_of_each_socket_are_counted() {
        let sockets = parse(TEXT);
        assert_eq!(sockets.len(), 3);
        assert_eq!((sockets[0].fd, sockets[0].kind.as_str()), (14, "UDP"));
        assert_eq!((sockets[0].offloaded(), sockets[0].kernel()), (340, 0));
        assert_eq!(
            (sockets[0].hits_percent(), sockets[0].rx_dropped),
            (Some(99), 3)
        );
        assert_eq!((sockets[1].offloaded(), sockets[1].kernel()), (0, 7));
        assert_eq!(sockets[1].remote.as_deref(), Some("10.0.0.9:53"));
        assert_eq!(
            sockets[2],
            Socket {
                fd: 16,
                kind: "TCP".to_owned(),
                ..Socket::default()
            }
        );
    }

    #[test]
    fn a_text_without_sockets_has_none() {
        assert_eq!(parse("statistics data for process id 7 not found\n"), []);
    }
}
