//! Ports for libvma: two of a ConnectX-5, one of Intel, with addresses.

use std::fmt::Write as _;

use super::Machine;

const ROUTES: &str =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
const TRIE: &str = "Main:\n  +-- 0.0.0.0/0 3 0 5\nLocal:\n  +-- 0.0.0.0/0 3 0 5\n";

/// An address with a prefix of 24 on an interface.
pub type Address<'a> = (&'a str, [u8; 4]);

impl Machine {
    /// Gives the machine `ens1f0` and `ens1f1`, which mlx5 drives, `eno1`, which i40e drives, a library libvma, and devices.
    pub fn with_connectx(self) -> Self {
        self.port("ens1f0", "0000:3b:00.0", "mlx5_core", "0x15b3", "0x1017");
        self.port("ens1f1", "0000:3b:00.1", "mlx5_core", "0x15b3", "0x1017");
        self.port("eno1", "0000:19:00.0", "i40e", "0x8086", "0x1572");
        self.file("/usr/lib64/libvma.so.9", "");
        self.file("/sys/class/infiniband/mlx5_0/node_guid", "0\n");
        for module in ["ib_uverbs", "rdma_ucm", "mlx5_ib"] {
            self.file(&format!("/sys/module/{module}/refcnt"), "1\n");
        }
        self.addresses(&[
            ("eno1", [10, 1, 1, 7]),
            ("ens1f0", [192, 0, 2, 2]),
            ("ens1f1", [198, 51, 100, 2]),
        ]);
        self
    }

    /// A port of a PCI device on node 0.
    pub fn port(&self, name: &str, address: &str, driver: &str, vendor: &str, device: &str) {
        let pci = format!("/sys/devices/pci0000:3a/{address}");
        self.file(&format!("{pci}/net/{name}/operstate"), "up\n");
        self.file(&format!("{pci}/net/{name}/type"), "1\n");
        for (file, text) in [("numa_node", "0"), ("vendor", vendor), ("device", device)] {
            self.file(&format!("{pci}/{file}"), &format!("{text}\n"));
        }
        self.file(&format!("/sys/bus/pci/drivers/{driver}/bind"), "");
        self.link(
            &format!("{pci}/driver"),
            &format!("../../../bus/pci/drivers/{driver}"),
        );
        self.link(
            &format!("{pci}/net/{name}/device"),
            &format!("../../../{address}"),
        );
        self.link(
            &format!("/sys/class/net/{name}"),
            &format!("../../devices/pci0000:3a/{address}/net/{name}"),
        );
    }

    /// The addresses of the machine, in place of those before.
    pub fn addresses(&self, addresses: &[Address<'_>]) {
        let (mut routes, mut trie) = (ROUTES.to_owned(), TRIE.to_owned());
        for (interface, [a, b, c, d]) in addresses {
            // As the kernel of a little-endian machine writes an address.
            let line = format!(
                "{interface}\t00{c:02X}{b:02X}{a:02X}\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
            );
            if !routes.contains(&line) {
                routes.push_str(&line);
            }
            let _ = writeln!(trie, "     |-- {a}.{b}.{c}.{d}\n        /32 host LOCAL");
        }
        self.file("/proc/net/route", &routes);
        self.file("/proc/net/fib_trie", &trie);
    }
}
