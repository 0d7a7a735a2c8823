//! The emulated server: two sockets, two NUMA nodes, eight CPUs, and network ports.
//!
//! `thread=single` because with one host thread per CPU the local timer interrupt of a guest CPU is now and then never
//! acknowledged and the boot hangs. It also works where `/dev/kvm` does not.

use super::ports::TestPort;
use std::path::Path;

/// The MAC by which the guest knows its control NIC (`70-lab-control-nic.rules`).
const CONTROL_MAC: &str = "52:54:00:1a:b0:01";

/// Without what costs an emulated boot time and is in no test: nested virtualization and hardware ciphers, whose modules
/// load for a CPU that has them, and the fifth level of page tables, which every miss of the emulated TLB would walk.
const CPU: &str = "-cpu max,svm=off,la57=off,aes=off,vaes=off,pclmulqdq=off,sha-ni=off";

/// How guest time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Guest time is host time: faster, but ticks merge while a CPU waits for its turn, so no rate can be judged.
    Host,
    /// Guest time follows instructions: rates are real.
    Instructions,
}

/// What differs between two starts of the machine.
#[derive(Debug)]
pub struct Machine<'a> {
    /// Raw disk.
    pub disk: &'a Path,
    /// Ports under test, beside the one that commands come in through.
    pub ports: &'a [TestPort],
    /// Whether the disk keeps what the guest writes, or loses it when the machine ends.
    pub keep_changes: bool,
    /// How guest time passes.
    pub clock: Clock,
    /// Port on the loopback interface that leads to the guest's ssh.
    pub ssh_port: u16,
    /// Whether standard input and output carry the monitor.
    pub monitor: bool,
}

impl Machine<'_> {
    /// QEMU's arguments. Files are named relative to the folder it is started in.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = Vec::new();
        let mut add = |words: &str| arguments.extend(words.split(' ').map(str::to_string));
        add("-no-user-config -nodefaults -display none -serial file:serial.log -rtc base=utc");
        add(if self.monitor {
            "-monitor stdio"
        } else {
            "-monitor none"
        });
        add("-machine q35,sata=off,smbus=off,vmport=off,i8042=off -accel tcg,thread=single");
        add(CPU);
        if self.clock == Clock::Instructions {
            add("-icount shift=1");
        }
        add("-smp 8,sockets=2,cores=4,threads=1 -m 6G");
        for node in 0..2 {
            let first_cpu = node * 4;
            add(&format!(
                "-object memory-backend-ram,id=memory{node},size=3G"
            ));
            add(&format!(
                "-numa node,nodeid={node},memdev=memory{node},cpus={first_cpu}-{}",
                first_cpu + 3
            ));
            // A root bus per node gives the NICs below it a real numa_node.
            add(&format!(
                "-device pxb-pcie,id=bus{node},bus=pcie.0,bus_nr={},numa_node={node}",
                32 * (node + 1)
            ));
        }
        add("-numa dist,src=0,dst=1,val=21 -device virtio-rng-pci,bus=pcie.0");

        let snapshot = if self.keep_changes { "off" } else { "on" };
        arguments.push("-drive".into());
        // A comma in an option's value is written twice.
        let disk = self.disk.display().to_string().replace(',', ",,");
        arguments.push(format!(
            "if=none,id=disk,format=raw,cache=unsafe,snapshot={snapshot},file={disk}"
        ));
        let mut add = |words: &str| arguments.extend(words.split(' ').map(str::to_string));
        add("-device virtio-blk-pci,bus=pcie.0,drive=disk,num-queues=1");

        let port = self.ssh_port;
        add(&format!(
            "-netdev user,id=control,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:22"
        ));
        add(&format!(
            "-device virtio-net-pci,bus=pcie.0,netdev=control,mac={CONTROL_MAC},romfile="
        ));
        for port in self.ports {
            add(&port.arguments());
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::super::ports::Ports;
    use super::*;

    #[test]
    fn the_guest_reaches_nothing_but_loopback() {
        let machine = Machine {
            disk: Path::new("/a b,c/disk.img"),
            ports: &Ports::OfEveryScenario.list(None),
            keep_changes: false,
            clock: Clock::Instructions,
            ssh_port: 4022,
            monitor: true,
        };
        let arguments = machine.arguments();
        let networks: Vec<&String> = arguments
            .iter()
            .filter(|word| word.contains("hostfwd"))
            .collect();
        assert_eq!(
            networks,
            ["user,id=control,restrict=on,hostfwd=tcp:127.0.0.1:4022-10.0.2.15:22"]
        );
        assert!(
            arguments
                .iter()
                .any(|word| word.ends_with("snapshot=on,file=/a b,,c/disk.img"))
        );
        assert!(
            arguments
                .windows(2)
                .any(|pair| pair == ["-icount", "shift=1"])
        );
    }
}
