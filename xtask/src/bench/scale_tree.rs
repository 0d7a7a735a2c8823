//! A directory tree of a large machine: two sockets, SMT, many ports and many interrupts.

use anyhow::Result;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// How large the machine is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub cpus: u32,
    pub irqs: u32,
    pub ports: u32,
    /// Receive queues and interrupts of each port.
    pub queues: u32,
}

/// Makes the tree below `dir`, which is emptied first.
pub(super) fn make(dir: &Path, size: Size) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    let tree = Tree { dir };
    tree.cpus(size)?;
    tree.ports(size)?;
    tree.interrupts(size)?;
    tree.rest()
}

struct Tree<'d> {
    dir: &'d Path,
}

impl Tree<'_> {
    fn path(&self, path: &str) -> Result<PathBuf> {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().expect("below the tree"))?;
        Ok(path)
    }

    fn file(&self, path: &str, text: &str) -> Result<()> {
        Ok(fs::write(self.path(path)?, text)?)
    }

    fn link(&self, path: &str, target: &str) -> Result<()> {
        Ok(symlink(target, self.path(path)?)?)
    }

    fn cpus(&self, Size { cpus, .. }: Size) -> Result<()> {
        let system = "sys/devices/system";
        let half = cpus / 2;
        let node = |cpu: u32| cpu % half / (half / 2);
        for name in ["online", "present", "possible"] {
            self.file(
                &format!("{system}/cpu/{name}"),
                &format!("0-{}\n", cpus - 1),
            )?;
        }
        for name in ["isolated", "nohz_full"] {
            self.file(&format!("{system}/cpu/{name}"), "\n")?;
        }
        self.file(&format!("{system}/cpu/smt/active"), "1\n")?;
        self.file(&format!("{system}/cpu/smt/control"), "on\n")?;
        let of_node = |node: u32| {
            let (first, last) = (node * half / 2, (node + 1) * half / 2 - 1);
            format!("{first}-{last},{}-{}\n", first + half, last + half)
        };
        for cpu in 0..cpus {
            let dir = format!("{system}/cpu/cpu{cpu}");
            let first = cpu % half;
            self.file(
                &format!("{dir}/topology/core_cpus_list"),
                &format!("{first},{}\n", first + half),
            )?;
            self.file(
                &format!("{dir}/topology/physical_package_id"),
                &format!("{}\n", node(cpu)),
            )?;
            for (name, value) in [
                ("level", "3\n"),
                ("size", "65536K\n"),
                ("shared_cpu_list", &of_node(node(cpu))),
            ] {
                self.file(&format!("{dir}/cache/index3/{name}"), value)?;
            }
        }
        for node in 0..2 {
            let dir = format!("{system}/node/node{node}");
            self.file(&format!("{dir}/cpulist"), &of_node(node))?;
            self.file(&format!("{dir}/distance"), "10 21\n")?;
            self.file(
                &format!("{dir}/meminfo"),
                &format!("Node {node} MemTotal:       268435456 kB\n"),
            )?;
            self.file(
                &format!("{dir}/hugepages/hugepages-2048kB/nr_hugepages"),
                "0\n",
            )?;
            self.file(
                &format!("{dir}/hugepages/hugepages-2048kB/free_hugepages"),
                "0\n",
            )?;
        }
        Ok(())
    }

    fn ports(&self, Size { ports, queues, .. }: Size) -> Result<()> {
        for port in 0..ports {
            let (bus, name) = (0x10 + port, format!("ens{port}"));
            let address = format!("0000:{bus:02x}:00.0");
            let device = format!("sys/devices/pci0000:00/{address}");
            let net = format!("{device}/net/{name}");
            self.link(
                &format!("sys/class/net/{name}"),
                &format!("../../devices/pci0000:00/{address}/net/{name}"),
            )?;
            self.link(
                &format!("sys/bus/pci/devices/{address}"),
                &format!("../../../devices/pci0000:00/{address}"),
            )?;
            self.link(&format!("{net}/device"), &format!("../../../{address}"))?;
            self.link(
                &format!("{device}/driver"),
                "../../../bus/pci/drivers/mlx5_core",
            )?;
            for (file, text) in [
                (format!("{device}/vendor"), "0x15b3\n".to_owned()),
                (format!("{device}/device"), "0x1017\n".to_owned()),
                (format!("{device}/numa_node"), format!("{}\n", port % 2)),
                (format!("{net}/operstate"), "up\n".to_owned()),
                (format!("{net}/speed"), "100000\n".to_owned()),
                (
                    format!("{net}/address"),
                    format!("02:00:00:00:00:{port:02x}\n"),
                ),
                (
                    format!("proc/sys/net/ipv4/conf/{name}/rp_filter"),
                    "2\n".to_owned(),
                ),
            ] {
                self.file(&file, &text)?;
            }
            for queue in 0..queues {
                self.file(&format!("{net}/queues/rx-{queue}/rps_cpus"), "0\n")?;
                let irq = first_irq(port, queues) + queue;
                self.file(&format!("{device}/msi_irqs/{irq}"), "msix\n")?;
            }
        }
        Ok(())
    }

    fn interrupts(
        &self,
        Size {
            cpus,
            irqs,
            ports,
            queues,
        }: Size,
    ) -> Result<()> {
        let mut table = " ".repeat(10);
        for cpu in 0..cpus {
            let _ = write!(table, "{:>11}", format!("CPU{cpu}"));
        }
        table.push('\n');
        for irq in 0..irqs {
            let number = irq + FIRST;
            let _ = write!(table, "{number:>4}:");
            for cpu in 0..cpus {
                let _ = write!(
                    table,
                    " {:>10}",
                    if cpu == irq % cpus { 123_456 } else { 0 }
                );
            }
            let (port, queue) = (irq / queues, irq % queues);
            let name = if port < ports {
                format!("mlx5_comp{queue}@pci:0000:{:02x}:00.0", 0x10 + port)
            } else {
                format!("nvme{}q{queue}", port - ports)
            };
            let _ = writeln!(
                table,
                "  IR-PCI-MSIX-0000:{port:02x}:00.0 {queue:>4}-edge      {name}"
            );
            let dir = format!("proc/irq/{number}");
            self.file(
                &format!("{dir}/smp_affinity_list"),
                &format!("0-{}\n", cpus - 1),
            )?;
            self.file(
                &format!("{dir}/effective_affinity_list"),
                &format!("{}\n", irq % cpus),
            )?;
            self.file(&format!("{dir}/node"), "0\n")?;
        }
        self.file(
            "proc/irq/default_smp_affinity",
            &format!("{}\n", mask(cpus)),
        )?;
        self.file("proc/interrupts", &table)
    }

    fn rest(&self) -> Result<()> {
        self.file("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro\n")?;
        self.file(
            "proc/meminfo",
            "MemTotal: 536870912 kB\nMemAvailable: 500000000 kB\nHugepagesize: 2048 kB\n",
        )?;
        self.file(
            "proc/cpuinfo",
            "processor\t: 0\nmodel name\t: Large\nflags\t\t: tsc constant_tsc nonstop_tsc\n",
        )?;
        self.file("proc/sys/kernel/osrelease", "5.14.0-503.el9.x86_64\n")?;
        self.file("proc/sys/vm/swappiness", "60\n")?;
        self.file(
            "etc/os-release",
            "ID=rocky\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.5\"\n",
        )?;
        self.file(
            "etc/default/grub",
            "GRUB_CMDLINE_LINUX=\"quiet\"\nGRUB_ENABLE_BLSCFG=true\n",
        )?;
        self.file("etc/kernel/cmdline", "root=/dev/sda1 ro quiet\n")?;
        self.file(
            "boot/loader/entries/abc-5.14.0-503.el9.x86_64.conf",
            "title Rocky Linux\nversion 5.14.0-503.el9.x86_64\nlinux /vmlinuz\noptions root=/dev/sda1 ro quiet\n",
        )
    }
}

/// The first number that devices get.
const FIRST: u32 = 24;

fn first_irq(port: u32, queues: u32) -> u32 {
    FIRST + port * queues
}

/// All CPUs as the kernel writes a mask.
fn mask(cpus: u32) -> String {
    vec!["ffffffff"; (cpus / 32) as usize].join(",")
}
