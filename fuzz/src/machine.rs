//! A whole machine in memory, with some of its files replaced.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use hftune_sys::Root;
use tar::{Builder, EntryType, Header};

use crate::tree;

/// Where the described machines are.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/cli/tests/cases");

/// Small ones, one with every kind of menu.
const BASES: [&str; 2] = ["fedora-cpu0-offline", "ubuntu-hybrid-laptop"];

/// Files that those machines lack and others have, each read by somebody.
const MORE: [&str; 41] = [
    "/boot/grub2/grub.cfg",
    "/boot/grub2/grubenv",
    "/boot/loader/entries/b.conf",
    "/efi/loader/entries/a.conf",
    "/etc/default/grub.d/99-hft.cfg",
    "/etc/default/grub.d/50-site.cfg",
    "/etc/default/irqbalance",
    "/etc/sysconfig/irqbalance",
    "/etc/kernel/cmdline",
    "/usr/lib/kernel/cmdline",
    "/etc/hftune/profile.toml",
    "/etc/libvma.conf",
    "/etc/netplan/1.yaml",
    "/etc/network/interfaces",
    "/etc/NetworkManager/system-connections/a.nmconnection",
    "/etc/security/limits.conf",
    "/etc/security/limits.d/zz.conf",
    "/etc/security/pam_env.conf",
    "/etc/environment",
    "/etc/ld.so.preload",
    "/etc/sysctl.conf",
    "/etc/sysctl.d/50-x.conf",
    "/usr/lib/sysctl.d/10-y.conf",
    "/etc/systemd/network/10-a.link",
    "/etc/systemd/system.conf",
    "/etc/systemd/system/irqbalance.service",
    "/etc/systemd/system/a.service",
    "/etc/tlp.conf",
    "/etc/tuned/active_profile",
    "/etc/tuned/bootcmdline",
    "/etc/tuned/a/tuned.conf",
    "/etc/tuned/tuned-main.conf",
    "/etc/ufw/ufw.conf",
    "/proc/cmdline",
    "/proc/net/route",
    "/run/ostree/staged-deployment",
    "/usr/lib/bootc/kargs.d/10-a.toml",
    "/var/lib/hftune/boot-arguments",
    "/var/lib/hftune/in-force.json",
    "/var/lib/hftune/transactions/20260101T000000Z-1.jsonl",
    "/var/lib/power-profiles-daemon/state.ini",
];

enum Node {
    File(Vec<u8>),
    Link(String),
}

/// What [`tree::make`] fills.
#[derive(Default)]
pub(crate) struct Machine(RefCell<BTreeMap<String, Node>>);

impl Machine {
    pub(crate) fn file(&self, path: &str, text: &str) {
        let node = Node::File(text.as_bytes().to_vec());
        self.0.borrow_mut().insert(path.to_owned(), node);
    }

    pub(crate) fn link(&self, path: &str, target: &str) {
        let node = Node::Link(target.to_owned());
        self.0.borrow_mut().insert(path.to_owned(), node);
    }
}

/// A machine and the paths of the files that may be replaced.
struct Base {
    nodes: BTreeMap<String, Node>,
    paths: Vec<String>,
}

fn bases() -> &'static [Base] {
    static READ: OnceLock<Vec<Base>> = OnceLock::new();
    READ.get_or_init(|| BASES.iter().map(|name| base(name)).collect())
}

fn base(name: &str) -> Base {
    let machine = Machine::default();
    tree::make(&machine, &Path::new(CASES).join(name).join("host.tree"));
    let nodes = machine.0.into_inner();
    let files = nodes
        .iter()
        .filter(|(_, node)| matches!(node, Node::File(_)))
        .map(|(path, _)| path.as_str());
    // New ones go to the end, so that the corpus keeps its meaning.
    let more = MORE.into_iter().filter(|path| !nodes.contains_key(*path));
    let paths = files.chain(more).map(str::to_owned).collect();
    Base { nodes, paths }
}

/// A machine in which some files hold what `bytes` say: its first byte chooses the machine, and parts with a NUL between
/// them are the number of a file, in two bytes, and what it holds.
pub(crate) fn with(bytes: &[u8]) -> Option<Root> {
    let (first, rest) = bytes.split_first()?;
    let bases = bases();
    let base = &bases[usize::from(*first) % bases.len()];
    let mut replaced = BTreeMap::new();
    for part in rest.split(|byte| *byte == 0) {
        let [low, high, content @ ..] = part else {
            continue;
        };
        let number = usize::from(*low) | usize::from(*high) << 8;
        replaced.insert(base.paths[number % base.paths.len()].as_str(), content);
    }
    let mut tar = Builder::new(Vec::new());
    for (path, node) in &base.nodes {
        match node {
            Node::File(_) if replaced.contains_key(path.as_str()) => {}
            Node::File(content) => add(&mut tar, path, content),
            Node::Link(target) => {
                let mut header = header(EntryType::Symlink, 0);
                tar.append_link(&mut header, below(path), target)
                    .expect("in memory");
            }
        }
    }
    for (path, content) in replaced {
        add(&mut tar, path, content);
    }
    let packed = tar.into_inner().expect("in memory");
    Some(Root::archive(Path::new("fuzz.tar"), &packed).expect("a machine"))
}

/// A machine of a few files.
pub(crate) fn of(files: &[(&str, &[u8])]) -> Root {
    let mut tar = Builder::new(Vec::new());
    for (path, content) in files {
        add(&mut tar, path, content);
    }
    let packed = tar.into_inner().expect("in memory");
    Root::archive(Path::new("fuzz.tar"), &packed).expect("a machine")
}

fn add(tar: &mut Builder<Vec<u8>>, path: &str, content: &[u8]) {
    let mut header = header(EntryType::Regular, content.len());
    tar.append_data(&mut header, below(path), content)
        .expect("in memory");
}

fn header(kind: EntryType, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(size as u64);
    header
}

fn below(path: &str) -> &str {
    path.trim_start_matches('/')
}
