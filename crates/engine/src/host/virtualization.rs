//! The container or hypervisor that the machine runs in.

use super::facts::Facts;

const DMI: &str = "/sys/class/dmi/id";

/// Words in `sys_vendor` and `product_name` (SMBIOS type 1), and the hypervisor that writes them. The first that fits
/// wins; the empty word fits everything.
const MACHINES: &[(&str, &str, &str)] = &[
    ("", "OpenStack", "OpenStack"),
    ("", "KVM", "KVM"),
    ("QEMU", "", "QEMU"),
    ("VMware", "", "VMware"),
    ("Microsoft Corporation", "Virtual Machine", "Hyper-V"),
    ("Xen", "", "Xen"),
    ("innotek", "VirtualBox", "VirtualBox"),
    ("Amazon EC2", "", "Amazon EC2"),
    ("Google", "Google Compute Engine", "Google Compute Engine"),
    ("Alibaba Cloud", "", "Alibaba Cloud"),
    ("DigitalOcean", "", "DigitalOcean"),
    ("Hetzner", "vServer", "Hetzner Cloud"),
    ("Nutanix", "AHV", "Nutanix AHV"),
    ("Parallels", "", "Parallels"),
    ("", "BHYVE", "bhyve"),
];

/// "container (KIND)" or "vm (KIND)"; `None` on bare metal.
pub(super) fn read(facts: &Facts<'_>, flags: &[String]) -> Option<String> {
    if let Some(kind) = container(facts) {
        return Some(format!("container ({kind})"));
    }
    let told = |name: &str| facts.word(&format!("{DMI}/{name}")).unwrap_or_default();
    machine(&told("sys_vendor"), &told("product_name"))
        .map(str::to_owned)
        .or_else(|| facts.word("/sys/hypervisor/type"))
        .or_else(|| {
            flags
                .iter()
                .any(|flag| flag == "hypervisor")
                .then(|| "kind unknown".to_owned())
        })
        .map(|kind| format!("vm ({kind})"))
}

/// The container manager: systemd writes it down (<https://systemd.io/CONTAINER_INTERFACE>), docker and podman leave a
/// file. Where a container's image was booted as a machine, that file is left over, but `/` is a disk.
pub(super) fn container(facts: &Facts<'_>) -> Option<String> {
    facts.word("/run/systemd/container").or_else(|| {
        let (_, kind) = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")]
            .into_iter()
            .find(|(path, _)| facts.root().exists(path))?;
        let mounts = facts.text("/proc/self/mountinfo").unwrap_or_default();
        (!root_is_disk(&mounts)).then(|| kind.to_owned())
    })
}

/// Whether `/` is the top directory of a file system on a device (Documentation/filesystems/proc.rst,
/// "/proc/<pid>/mountinfo"): containers have an overlay, or a directory within the disk of their host.
fn root_is_disk(mountinfo: &str) -> bool {
    let is_disk = |line: &str| {
        let (place, system) = line.split_once(" - ")?;
        let mut place = place.split_ascii_whitespace().skip(3);
        let (top, mount_point) = (place.next()?, place.next()?);
        let source = system.split_ascii_whitespace().nth(1)?;
        (mount_point == "/").then(|| top == "/" && source.starts_with("/dev/"))
    };
    // The last mount covers the ones before it.
    mountinfo.lines().filter_map(is_disk).next_back() == Some(true)
}

fn machine(vendor: &str, product: &str) -> Option<&'static str> {
    // The bare-metal instances of EC2 carry the vendor too: m5.metal, c7i.metal-24xl.
    if product.contains(".metal") {
        return None;
    }
    MACHINES
        .iter()
        .find(|(v, p, _)| vendor.contains(v) && product.contains(p))
        .map(|(_, _, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_machines_apart() {
        assert_eq!(
            machine("QEMU", "Standard PC (Q35 + ICH9, 2009)"),
            Some("QEMU")
        );
        assert_eq!(machine("Red Hat", "KVM"), Some("KVM"));
        assert_eq!(
            machine("Microsoft Corporation", "Virtual Machine"),
            Some("Hyper-V")
        );
        assert_eq!(machine("Microsoft Corporation", "Surface Laptop"), None);
        assert_eq!(machine("Amazon EC2", "c5.large"), Some("Amazon EC2"));
        assert_eq!(machine("Amazon EC2", "c5.metal"), None);
        assert_eq!(machine("Dell Inc.", "PowerEdge R640"), None);
        assert_eq!(machine("", ""), None);
    }

    #[test]
    fn tells_a_disk_from_the_root_of_a_container() {
        let disk = "22 27 0:21 / /proc rw - proc proc rw\n27 1 254:0 / / rw,relatime - ext4 /dev/vda1 rw\n";
        assert!(root_is_disk(disk));
        let overlay = "27 1 0:50 / / rw master:3 - overlay overlay rw,lowerdir=/a\n";
        assert!(!root_is_disk(overlay) && !root_is_disk(&format!("{disk}{overlay}")));
        assert!(!root_is_disk(
            "27 1 8:1 /volumes/x / rw - btrfs /dev/sda1 rw\n"
        ));
        assert!(!root_is_disk("") && !root_is_disk("rubbish - / /dev\n"));
    }
}
