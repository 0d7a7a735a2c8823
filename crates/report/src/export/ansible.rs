//! A playbook of Ansible, of modules that ansible-core brings along.
//!
//! Files, links and services are tasks of their own, which show their difference before they change anything. What a kernel
//! holds, and files of the boot loader that are edited, are set by the shell script, which the playbook installs: it is asked
//! first what differs, so that a second run changes nothing.

use std::fmt::Write as _;
use std::path::Path;

use hftune_model::export::{Output, Written};

use super::pieces::{Pieces, Place, SYSCTL_FILE, UNITS, What};
use super::{header, shell, sysctl, unsaid_comments};

/// The drop-in of GRUB's that is hftune's own.
const GRUB_DROP_IN: &str = "/etc/default/grub.d/99-hft.cfg";

/// The format `ansible`.
pub(super) fn write(pieces: &Pieces<'_>) -> Written {
    let mut tasks = String::new();
    let present = pieces.export.layout.first();
    if let Some((path, value)) = present {
        let _ = write!(
            tasks,
            "    - name: Read which CPUs there are\n      ansible.builtin.slurp:\n        src: {}\n      register: hft_present\n\n    \
             - name: The CPUs are those that this was made for\n      ansible.builtin.assert:\n        that: \
             (hft_present.content | b64decode | trim) == hft_cpus\n        \
             fail_msg: \"made for CPUs {{{{ hft_cpus }}}}; export anew on this machine\"\n        quiet: true\n      vars:\n        \
             hft_cpus: {}\n\n",
            text(path),
            text(value)
        );
    }
    for (id, unit) in &pieces.off {
        let _ = write!(
            tasks,
            "    - name: Stop and mask {unit}  # {id}\n      ansible.builtin.systemd_service:\n        name: {}\n        \
             state: stopped\n        enabled: false\n        masked: true\n\n",
            text(unit)
        );
    }
    if let Some(file) = sysctl::place(pieces) {
        tasks.push_str(&copy(
            "sysctl and hugepages at boot",
            SYSCTL_FILE,
            &file.content,
            0o644,
            "",
        ));
    }
    for place in pieces.files.iter().filter(|place| !is_mask(place, pieces)) {
        tasks.push_str(&task(place, ""));
    }

    // What is edited needs to be what it was when it was edited: the script looks at that.
    let own_boot = pieces
        .boot
        .iter()
        .all(|place| place.path == Path::new(GRUB_DROP_IN))
        && pieces.variables.is_empty()
        && pieces.kargs.is_empty();
    let mut script = pieces.clone();
    script.sysctl.clear();
    script.files.clear();
    script.off.clear();
    if own_boot {
        script.without_boot();
        for place in &pieces.boot {
            tasks.push_str(&task(
                place,
                "      notify: Make the menu of the boot loader anew\n",
            ));
        }
    }
    let has_script =
        !script.values.is_empty() || script.needs_boot_script() || !script.boot.is_empty();
    if has_script {
        let usage = shell::Use {
            format: "ansible",
            name: "hft-export",
            start: shell::INSTALLED,
            installs: None,
        };
        tasks.push_str(&copy(
            "Kernel values: the script",
            shell::INSTALLED,
            &shell::script(&script, &[], usage),
            0o755,
            "",
        ));
        let unit = format!("{UNITS}/{}", shell::UNIT);
        tasks.push_str(&copy(
            "Kernel values: the unit",
            &unit,
            &shell::unit(pieces, shell::INSTALLED),
            0o644,
            "",
        ));
        tasks.push_str(&copy(
            "Kernel values: devices that appear later",
            "/etc/udev/rules.d/99-hft-export.rules",
            &shell::udev_rules(),
            0o644,
            "",
        ));
        let _ = write!(
            tasks,
            "    - name: Ask which kernel values differ\n      ansible.builtin.command:\n        argv: [{0}, --check]\n        \
             removes: {0}\n      register: hft_differs\n      changed_when: false\n      \
             failed_when: (hft_differs.rc | default(0)) not in [0, 3, 4]\n      check_mode: false\n\n    \
             - name: Set the kernel values that differ\n      ansible.builtin.command:\n        argv: [{0}]\n      \
             when: (hft_differs.rc | default(0)) == 3\n      changed_when: true\n\n    \
             - name: Set them at every boot\n      ansible.builtin.systemd_service:\n        name: {1}\n        \
             enabled: true\n        state: started\n        daemon_reload: true\n      when: not ansible_check_mode\n\n",
            shell::INSTALLED,
            shell::UNIT
        );
    }
    let mut handlers = String::new();
    if own_boot && !pieces.boot.is_empty() {
        for made in &pieces.made {
            let _ = write!(
                handlers,
                "    - name: Make the menu of the boot loader anew\n      ansible.builtin.command:\n        argv: [{}]\n      \
                 changed_when: true\n",
                std::iter::once(made.program.display().to_string())
                    .chain(made.args.iter().cloned())
                    .map(|word| text(&word))
                    .collect::<Vec<_>>()
                    .join(", ")
            );
        }
    }
    let mut ids = String::new();
    if own_boot {
        for (id, _) in &pieces.arguments {
            let _ = writeln!(ids, "# {id}");
        }
    }
    let mut content = format!(
        "---\n{}# Run it: ansible-playbook -i HOST, hft-export.yml. Boot arguments wait for a reboot, which is yours to choose.\n\
         # In the drop-in of the boot loader are:\n{ids}{}\n\
         - name: What hftune wants of one machine\n  hosts: all\n  become: true\n  gather_facts: false\n  tasks:\n{tasks}",
        header(pieces, "ansible"),
        unsaid_comments(&pieces.unsaid),
    );
    if ids.is_empty() {
        content = content.replace("# In the drop-in of the boot loader are:\n", "");
    }
    while content.ends_with("\n\n") {
        content.pop();
    }
    if !handlers.is_empty() {
        let _ = write!(content, "\n  handlers:\n{handlers}");
    }
    Written {
        files: vec![Output {
            path: "hft-export.yml".into(),
            content,
            mode: 0o644,
        }],
        unsaid: pieces.unsaid.clone(),
    }
}

/// Whether a link only masks a unit, which is a task of its own.
fn is_mask(place: &Place<'_>, pieces: &Pieces<'_>) -> bool {
    let of = |unit: &str| Path::new(UNITS).join(unit) == place.path;
    matches!(place.what, What::Link("/dev/null")) && pieces.off.iter().any(|(_, unit)| of(unit))
}

fn task(place: &Place<'_>, tail: &str) -> String {
    let path = place.path.display().to_string();
    match place.what {
        What::File(content, mode) => copy(place.id, &path, content, mode, tail),
        What::Link(target) => format!(
            "    - name: {}\n      ansible.builtin.file:\n        src: {}\n        dest: {}\n        state: link\n        \
             force: true\n{tail}\n",
            text(place.id),
            text(target),
            text(&path)
        ),
        What::Nothing => format!(
            "    - name: {}\n      ansible.builtin.file:\n        path: {}\n        state: absent\n{tail}\n",
            text(place.id),
            text(&path)
        ),
    }
}

/// A task that writes a file, whose folder there may not be.
fn copy(name: &str, path: &str, content: &str, mode: u32, tail: &str) -> String {
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
    format!(
        "    - name: {}\n      ansible.builtin.file:\n        path: {}\n        state: directory\n        mode: \"0755\"\n\n    \
         - name: {}\n      ansible.builtin.copy:\n        dest: {}\n        mode: \"{mode:04o}\"\n        content: {}\n{tail}\n",
        text(&format!("{name}: the folder")),
        text(folder),
        text(name),
        text(path),
        unsafe_text(content),
    )
}

/// A text as YAML has it, in double quotes, which are those of JSON (YAML 1.2, 1.3 "Relation to JSON").
fn text(text: &str) -> String {
    serde_json::to_string(text).expect("a text")
}

/// A text in which Ansible looks for no variables: block style, so that it can be read, where YAML allows that.
fn unsafe_text(content: &str) -> String {
    let plain = |c: char| c == '\n' || c == '\t' || (!c.is_control() && c != '\u{feff}');
    let blockable = content.ends_with('\n')
        && !content.ends_with("\n\n")
        && !content.starts_with([' ', '\n', '\t'])
        && content.chars().all(plain);
    if !blockable {
        return format!("!unsafe {}", text(content));
    }
    let mut block = "!unsafe |\n".to_owned();
    for line in content.lines() {
        if !line.is_empty() {
            block.push_str("          ");
            block.push_str(line);
        }
        block.push('\n');
    }
    block.pop();
    block
}
