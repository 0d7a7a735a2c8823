//! A machine as a directory tree: enough of `/proc`, `/sys`, `/etc` and `/boot` for the whole tool to run on it.

#![allow(
    clippy::disallowed_methods,
    reason = "tests build trees and start the binary under test"
)]
#![allow(dead_code, reason = "each test file uses a part")]

pub mod boot;
pub mod connectx;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory tree that stands for a machine, removed when it is dropped.
pub struct Machine {
    dir: tempfile::TempDir,
}

/// Runs `hftune ARGS`.
pub fn hftune(args: &[impl AsRef<OsStr>]) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_hftune"))
        .args(args)
        .env("NO_COLOR", "1")
        .output()
        .expect("start hftune");
    Answer {
        code: output.status.code().expect("no signal"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// The setting of that id in the JSON of `verify`.
#[track_caller]
pub fn setting<'v>(verify: &'v serde_json::Value, id: &str) -> &'v serde_json::Value {
    verify["settings"]
        .as_array()
        .expect("settings")
        .iter()
        .find(|setting| setting["id"] == id)
        .unwrap_or_else(|| panic!("{id} is not in the report: {verify:#}"))
}

/// What `hftune` answered.
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// Standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}\n{}\n{}", self.stdout, self.stderr))
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }
}

impl Machine {
    /// Nothing at all.
    pub fn empty() -> Self {
        Self {
            dir: tempfile::tempdir().expect("temporary directory"),
        }
    }

    /// An 8-core server with one thread a core, 32 GiB in two nodes, and the files of every distribution.
    pub fn eight_cores() -> Self {
        let machine = Self::empty();
        let m = &machine;
        for cpu in 0..8 {
            let topology = format!("/sys/devices/system/cpu/cpu{cpu}/topology");
            m.file(
                &format!("{topology}/thread_siblings_list"),
                &format!("{cpu}\n"),
            );
            m.file(&format!("{topology}/core_cpus_list"), &format!("{cpu}\n"));
            m.file(
                &format!("{topology}/physical_package_id"),
                &format!("{}\n", cpu / 4),
            );
            m.file(&format!("{topology}/core_id"), &format!("{}\n", cpu % 4));
            m.file(
                &format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"),
                "powersave\n",
            );
            m.file(
                &format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_driver"),
                "intel_pstate\n",
            );
        }
        m.file(
            "/sys/devices/system/cpu/cpufreq/policy0/scaling_driver",
            "intel_pstate\n",
        );
        for list in ["present", "online", "possible"] {
            m.file(&format!("/sys/devices/system/cpu/{list}"), "0-7\n");
        }
        m.file("/sys/devices/system/cpu/isolated", "\n");
        m.file("/sys/devices/system/cpu/nohz_full", "(null)\n");
        for (node, cpus) in [(0, "0-3"), (1, "4-7")] {
            let dir = format!("/sys/devices/system/node/node{node}");
            m.file(&format!("{dir}/cpulist"), &format!("{cpus}\n"));
            m.file(
                &format!("{dir}/meminfo"),
                &format!("Node {node} MemTotal:       16777216 kB\n"),
            );
            m.file(
                &format!("{dir}/hugepages/hugepages-2048kB/nr_hugepages"),
                "0\n",
            );
            m.file(
                &format!("{dir}/hugepages/hugepages-2048kB/free_hugepages"),
                "0\n",
            );
        }
        m.file("/sys/devices/system/node/online", "0-1\n");
        m.file(
            "/proc/meminfo",
            "MemTotal:       33554432 kB\nMemAvailable:   30000000 kB\nSwapTotal:             0 kB\nHugepagesize:       2048 kB\n",
        );
        m.file("/proc/cpuinfo", "processor\t: 0\nmodel name\t: Test CPU\nflags\t\t: fpu constant_tsc nonstop_tsc epb\n\n");
        m.file(
            "/proc/cmdline",
            "BOOT_IMAGE=/vmlinuz root=UUID=1 ro quiet\n",
        );
        m.file("/proc/sys/kernel/osrelease", "6.1.0-test\n");
        m.file(
            "/proc/sys/kernel/random/boot_id",
            "00000000-0000-0000-0000-000000000001\n",
        );
        m.file(
            "/boot/config-6.1.0-test",
            "CONFIG_NO_HZ_FULL=y\nCONFIG_TRANSPARENT_HUGEPAGE=y\nCONFIG_RCU_NOCB_CPU=y\n",
        );
        for (irq, name) in [(30, "eth0-rx-0"), (31, "eth0-tx-0"), (32, "nvme0q0")] {
            m.file(&format!("/proc/irq/{irq}/smp_affinity_list"), "0-7\n");
            m.file(&format!("/proc/irq/{irq}/effective_affinity_list"), "5\n");
            let _ = name;
        }
        m.file("/proc/irq/default_smp_affinity", "ff\n");
        for (queue, cpus) in [("eth0/queues/rx-0", "f0\n"), ("lo/queues/rx-0", "00\n")] {
            m.file(&format!("/sys/class/net/{queue}/rps_cpus"), cpus);
        }
        m.file("/proc/sys/net/core/rps_default_mask", "0\n");
        m.file("/sys/devices/virtual/workqueue/cpumask", "ff\n");
        m.file("/sys/devices/virtual/workqueue/writeback/cpumask", "ff\n");
        m.file(
            "/sys/devices/system/machinecheck/machinecheck0/check_interval",
            "300\n",
        );
        m.file("/sys/kernel/mm/ksm/run", "1\n");
        m.file("/proc/interrupts", INTERRUPTS);
        for (file, text) in [
            ("enabled", "always [madvise] never\n"),
            ("defrag", "always defer defer+madvise [madvise] never\n"),
        ] {
            m.file(&format!("/sys/kernel/mm/transparent_hugepage/{file}"), text);
        }
        for (key, value) in SYSCTLS {
            m.file(
                &format!("/proc/sys/{}", key.replace('.', "/")),
                &format!("{value}\n"),
            );
        }
        m.file("/etc/security/limits.conf", "# nothing\n");
        m.file("/usr/local/bin/hftune", "");
        m.file("/usr/lib/systemd/system/irqbalance.service", "[Service]\n");
        m.link(
            "/etc/systemd/system/multi-user.target.wants/irqbalance.service",
            "/usr/lib/systemd/system/irqbalance.service",
        );
        machine
    }

    /// As [`Self::eight_cores`], with Debian's boot files.
    pub fn debian() -> Self {
        let machine = Self::eight_cores();
        machine.file(
            "/etc/os-release",
            "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
        );
        machine.file(
            "/etc/default/grub",
            "GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"\"\n",
        );
        machine.file("/usr/sbin/update-grub", "#!/bin/sh\n");
        machine.file(
            "/boot/grub/grub.cfg",
            "menuentry 'Debian GNU/Linux' {\n\tlinux\t/vmlinuz-6.1.0-test root=UUID=1 ro  quiet\n}\n\
             menuentry 'Debian GNU/Linux, with Linux 6.1.0-test (recovery mode)' {\n\tlinux\t/vmlinuz-6.1.0-test root=UUID=1 ro single\n}\n",
        );
        machine
    }

    /// As [`Self::eight_cores`], with the boot files of RHEL 9.
    pub fn rhel9() -> Self {
        let machine = Self::eight_cores();
        machine.file(
            "/etc/os-release",
            "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\nPRETTY_NAME=\"Rocky Linux 9.4 (Blue Onyx)\"\n",
        );
        machine.file(
            "/etc/default/grub",
            "GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX=\"crashkernel=1G-4G:192M rhgb quiet\"\nGRUB_ENABLE_BLSCFG=true\n",
        );
        machine.file(
            "/etc/kernel/cmdline",
            "root=/dev/mapper/rl-root ro crashkernel=1G-4G:192M rhgb quiet\n",
        );
        for (name, title) in [
            (
                "abc-5.14.0-427.el9.x86_64",
                "Rocky Linux (5.14.0-427.el9.x86_64) 9.4 (Blue Onyx)",
            ),
            (
                "abc-5.14.0-362.el9.x86_64",
                "Rocky Linux (5.14.0-362.el9.x86_64) 9.3 (Blue Onyx)",
            ),
            ("abc-0-rescue", "Rocky Linux (0-rescue-abc) 9.4 (Blue Onyx)"),
        ] {
            machine.file(
                &format!("/boot/loader/entries/{name}.conf"),
                &format!(
                    "title {title}\nversion {}\nlinux /vmlinuz\ninitrd /initramfs.img $tuned_initrd\n\
                     options root=/dev/mapper/rl-root ro crashkernel=1G-4G:192M rhgb quiet $tuned_params\n\
                     grub_users $grub_users\n",
                    name.trim_start_matches("abc-")
                ),
            );
        }
        machine
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn file(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a file has a directory"))
            .expect("make directories");
        fs::write(&path, content).expect("write");
    }

    pub fn link(&self, path: &str, target: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a link has a directory"))
            .expect("make directories");
        symlink(target, path).expect("link");
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    pub fn remove_dir(&self, path: &str) {
        fs::remove_dir(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Runs `hftune --root TREE ARGS`.
    pub fn run(&self, args: &[&str]) -> Answer {
        let mut words = vec!["--root".as_ref(), self.dir.path().as_os_str()];
        words.extend(args.iter().map(OsStr::new));
        hftune(&words)
    }

    /// Every file, link and directory below `/etc`, `/boot`, `/usr`, `/proc` and `/sys`, with mode and content.
    pub fn manifest(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        Self::manifest_of(self.dir.path())
    }

    /// The same of any tree.
    pub fn manifest_of(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut manifest = BTreeMap::new();
        for top in ["etc", "boot", "usr", "proc", "sys"] {
            walk(&root.join(top), &mut manifest);
        }
        manifest
    }

    /// Expects the manifest to be this one.
    #[track_caller]
    pub fn assert_is(&self, before: &BTreeMap<PathBuf, (u32, Vec<u8>)>) {
        let after = self.manifest();
        for (path, state) in before {
            let same = after.get(path) == Some(state);
            assert!(same, "{} is not as it was", path.display());
        }
        for path in after.keys() {
            assert!(before.contains_key(path), "{} is left over", path.display());
        }
    }
}

fn walk(path: &Path, manifest: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return;
    };
    let content = if metadata.is_symlink() {
        fs::read_link(path)
            .expect("link")
            .into_os_string()
            .into_encoded_bytes()
    } else if metadata.is_dir() {
        for entry in fs::read_dir(path).expect("directory") {
            walk(&entry.expect("entry").path(), manifest);
        }
        Vec::new()
    } else {
        fs::read(path).expect("file")
    };
    manifest.insert(path.to_owned(), (metadata.permissions().mode(), content));
}

const INTERRUPTS: &str = "            CPU0       CPU1       CPU2       CPU3       CPU4       CPU5       CPU6       CPU7
  30:          1          2          0          0          0          9          0          0  PCI-MSI 524288-edge      eth0-rx-0
  31:          1          0          0          0          0          9          0          0  PCI-MSI 524289-edge      eth0-tx-0
  32:          1          0          0          0          0          9          0          0  PCI-MSI 524290-edge      nvme0q0
 LOC:       1000       1000       1000       1000       1000       1000       1000       1000   Local timer interrupts
";

/// Kernel parameters of a stock machine.
const SYSCTLS: &[(&str, &str)] = &[
    ("net.core.rmem_max", "212992"),
    ("net.core.wmem_max", "212992"),
    ("net.core.netdev_max_backlog", "1000"),
    ("net.ipv4.tcp_rmem", "4096\t131072\t6291456"),
    ("net.ipv4.tcp_wmem", "4096\t16384\t4194304"),
    ("net.ipv4.tcp_timestamps", "1"),
    ("net.ipv4.tcp_sack", "1"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "2"),
    ("net.ipv4.conf.eth0.rp_filter", "2"),
    ("net.ipv4.conf.lo.rp_filter", "0"),
    ("vm.swappiness", "60"),
    ("vm.min_free_kbytes", "67584"),
    ("vm.compaction_proactiveness", "20"),
    ("vm.stat_interval", "1"),
    ("vm.nr_hugepages", "0"),
    ("kernel.sched_autogroup_enabled", "1"),
    ("kernel.sched_rt_runtime_us", "950000"),
    ("kernel.numa_balancing", "1"),
];
