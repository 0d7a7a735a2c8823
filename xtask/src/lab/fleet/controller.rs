//! Ansible on this machine: an inventory of the guests, and the playbooks of the collection.

use crate::lab::apt_private::apt_install;
use crate::lab::checks::Checks;
use crate::lab::control::Address;
use crate::lab::guest::free_port;
use crate::progress::say;
use crate::skip::skip;
use crate::tool::{self, Answer};
use crate::workspace;
use anyhow::Result;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

const PROGRAM: &str = "ansible-playbook";

/// Debian's package of it.
const PACKAGE: &str = "ansible-core";

/// The longest run reboots one guest twice: two minutes, and many times that on a machine with much other work.
const RUN_CAP: Duration = Duration::from_secs(3600);

/// `systemctl reboot` asks systemd-logind first, which the guests have masked.
const REBOOT: &str = "systemctl start --no-block --job-mode=replace-irreversibly reboot.target";

/// A profile of the operator's own.
const PROFILE: &str = "extends = \"hft\"\n\n[sysctl]\n\"vm.swappiness\" = 1\n";

/// Ansible with the project's collection and an inventory of its own; nothing of the developer's has a say.
pub struct Controller {
    folder: PathBuf,
    /// A socket's path has 108 bytes at most, and a workspace may lie deeper.
    sockets: PathBuf,
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.sockets);
    }
}

/// What a playbook printed and did.
pub struct Run {
    /// Exit code.
    pub code: Option<i32>,
    text: String,
}

/// Installs Ansible where it is missing.
pub fn ensure(logs: &Path) -> Result<()> {
    if tool::find(PROGRAM).is_some() {
        return Ok(());
    }
    if tool::find("apt-get").is_none() || !rustix::process::geteuid().is_root() {
        return Err(skip(format!(
            "the fleet needs {PROGRAM}, which is not installed; install {PACKAGE}"
        )));
    }
    say(format!("installing {PACKAGE} with apt"));
    apt_install(&[PACKAGE], &logs.join("packages.log"))
}

impl Controller {
    /// Writes the inventory: `hosts` are the group `fleet`, at `gone` nobody listens.
    pub fn new(logs: &Path, hosts: &[(&str, &Address)], gone: &str) -> Result<Self> {
        let folder = logs.join("controller");
        let collections = folder.join("collections/ansible_collections/hftune");
        fs::create_dir_all(&collections)?;
        std::os::unix::fs::symlink(
            workspace::root().join("packaging/ansible"),
            collections.join("hftune"),
        )?;
        let profile = folder.join("profile.toml");
        fs::write(&profile, PROFILE)?;
        let mut inventory = "[fleet]\n".to_owned();
        for (host, address) in hosts {
            let key = address.key.display();
            let port = address.port;
            let _ = writeln!(
                inventory,
                "{host} ansible_port={port} ansible_ssh_private_key_file='{key}'"
            );
        }
        let _ = write!(
            inventory,
            "[elsewhere]\n{gone} ansible_port={}\n\
             [all:vars]\nansible_host=127.0.0.1\nansible_user=root\nhftune_reboot_timeout=900\nhftune_connect_timeout=60\n\
             hftune_reboot_command='{REBOOT}'\nhftune_profile_src='{}'\n",
            free_port()?,
            profile.display(),
        );
        fs::write(folder.join("inventory"), inventory)?;
        fs::write(
            folder.join("ansible.cfg"),
            "[defaults]\ninventory = inventory\ncollections_paths = collections\ncollections_path = collections\n\
             host_key_checking = false\ninterpreter_python = /usr/bin/python3\nlocal_tmp = tmp\nretry_files_enabled = false\n\
             [ssh_connection]\npipelining = true\n\
             ssh_args = -F none -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=/dev/null \
             -o LogLevel=ERROR -o ConnectTimeout=30 -o ServerAliveInterval=10\n",
        )?;
        let sockets = env::temp_dir().join(format!("hftune-lab-{}", process::id()));
        Ok(Self { folder, sockets })
    }

    /// Runs a playbook of the collection on the group `fleet`, both hosts at once. `variables` are those of the command line.
    pub fn play(&self, playbook: &str, variables: &[&str]) -> Result<Run> {
        let mut ansible = tool::command(PROGRAM);
        ansible
            .current_dir(&self.folder)
            .env("ANSIBLE_CONFIG", self.folder.join("ansible.cfg"))
            .env("ANSIBLE_NOCOLOR", "1")
            .env("ANSIBLE_SSH_CONTROL_PATH_DIR", &self.sockets)
            .env("ANSIBLE_HOME", &self.folder)
            .arg(format!("hftune.hftune.{playbook}"));
        let usual = [
            "hftune_hosts=fleet",
            "{\"hftune_serial\": 2}",
            "hftune_max_fail_percentage=50",
        ];
        for variable in usual.iter().chain(variables) {
            ansible.args(["-e", variable]);
        }
        let began = Instant::now();
        let Answer {
            code,
            stdout,
            stderr,
        } = tool::converse(&mut ansible, b"", RUN_CAP)?;
        let text = format!("{stdout}\n{stderr}");
        say(format!("{playbook}: {} s", began.elapsed().as_secs()));
        let number = fs::read_dir(&self.folder)?.count();
        fs::write(
            self.folder.join(format!("run-{number}-{playbook}.txt")),
            &text,
        )?;
        Ok(Run { code, text })
    }
}

impl Run {
    /// A count of the recap, like `changed`; `None` where the host is not in it.
    pub fn count(&self, host: &str, word: &str) -> Option<u32> {
        let (_, recap) = self.text.split_once("PLAY RECAP")?;
        let line = recap
            .lines()
            .find(|line| line.split_whitespace().next() == Some(host))?;
        let count = line
            .split_whitespace()
            .find_map(|field| field.strip_prefix(word)?.strip_prefix('='))?;
        count.parse().ok()
    }

    /// Asserts that one line has all of these words.
    pub fn says(&self, checks: &mut Checks, when: &str, words: &[&str]) {
        let said = self
            .text
            .lines()
            .find(|line| words.iter().all(|word| line.contains(word)));
        checks.that(
            format!("{when}: a line says {}", words.join(", ")),
            said.is_some(),
            "one",
            said.map_or("none", str::trim),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recap_is_read() {
        let run = Run {
            code: Some(0),
            text: "ok: [a]\nPLAY RECAP ****\na-1  : ok=1  changed=7 unreachable=0\na    : ok=12   changed=3    unreachable=0\n".into(),
        };
        assert_eq!(run.count("a", "changed"), Some(3));
        assert_eq!(run.count("b", "changed"), None);
        assert_eq!(run.count("a", "rescued"), None);
    }
}
