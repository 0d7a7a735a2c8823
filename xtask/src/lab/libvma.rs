//! libvma and the launcher on the tuned guest: packages come and go, the unit starts a real program on isolated CPUs, and
//! what cannot work without a card is refused.
//!
//! The packages are small ones of the lab's own, and the guest has no card: the library itself is not tested here.

use super::scenario::Scenario;
use super::steps::hftune;
use crate::progress::say;
use crate::tool::Answer;
use anyhow::Result;
use serde_json::Value;

const UNIT: &str = "vma-app@my-trading-app.service";

/// Variables of the one instance: two CPUs, and the kernel's sockets, since there is no card.
const INSTANCE: &str = "/etc/hftune/vma-app-my-trading-app.env";

/// CAP_NET_RAW, CAP_IPC_LOCK and CAP_SYS_NICE (include/uapi/linux/capability.h).
const CAPABILITIES: &str = "0000000000806000";

/// What the guest's package manager knows of the packages that are to be installed.
const PACKAGES: &str = "dpkg-query -W -f '${Package} ${db:Status-Status}\\n' libvma libvma-utils lab-verbs 2>/dev/null || true";

/// Everything; the rollback that follows takes it away.
pub fn check(scenario: &mut Scenario) -> Result<()> {
    say("libvma and the launcher");
    let script = include_str!("scripts/packages.sh");
    scenario.control().script("packages.sh", script, "")?;
    install(scenario)?;
    unit_file(scenario)?;
    application(scenario)?;
    without_a_card(scenario)?;
    // The stock guest has no such repository.
    scenario
        .control()
        .read("rm /etc/apt/sources.list.d/lab.list")
        .map(drop)
}

fn install(scenario: &mut Scenario) -> Result<()> {
    let answer = hftune(scenario, "vma install --yes --json")?;
    exits(scenario, "vma install", &answer, 0);
    let json: Value = serde_json::from_str(&answer.stdout).unwrap_or_default();
    let changed: Vec<&str> = json["changed"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|change| change["id"].as_str())
        .collect();
    for id in [
        "vma/packages",
        "vma/rules",
        "vma/VMA_RX_POLL",
        "vma/application",
    ] {
        scenario.checks.that(
            format!("vma install changed {id}"),
            changed.contains(&id),
            "it",
            changed.join(", "),
        );
    }
    let installed = scenario.control().read(PACKAGES)?;
    let all = "lab-verbs installed\nlibvma installed\nlibvma-utils installed";
    scenario
        .checks
        .equal("packages after vma install", installed.trim(), all);

    let answer = hftune(scenario, "vma install --yes --json")?;
    exits(scenario, "a second vma install", &answer, 0);
    let json: Value = serde_json::from_str(&answer.stdout).unwrap_or_default();
    scenario.checks.equal(
        "a second vma install: transaction",
        &json["transaction"],
        &Value::Null,
    );
    let answer = hftune(scenario, "verify")?;
    exits(scenario, "verify with libvma", &answer, 0);
    Ok(())
}

fn unit_file(scenario: &mut Scenario) -> Result<()> {
    let answer = scenario
        .control()
        .run("systemd-analyze verify /etc/systemd/system/vma-app@.service")?;
    let said = format!("{}{}", answer.stdout, answer.stderr);
    scenario
        .checks
        .equal("systemd-analyze verify of the unit says", said.trim(), "");
    let exposure = scenario
        .control()
        .read("systemd-analyze security --no-pager vma-app@x.service | tail -n 1")?;
    scenario.checks.note(exposure.trim());
    Ok(())
}

/// The unit starts a program, and the kernel says where and how it runs.
fn application(scenario: &mut Scenario) -> Result<()> {
    scenario.control().read(&format!(
        "mkdir -p /opt/hft-apps && printf '#!/bin/sh\\nexec sleep \"$1\"\\n' > /opt/hft-apps/my-trading-app && \
         chmod 755 /opt/hft-apps/my-trading-app && \
         printf 'HFT_CPUS=2-3\\nHFT_VMA=\\nHFT_ARGS=3600\\n' > {INSTANCE} && systemctl start {UNIT}"
    ))?;
    let pid = scenario
        .control()
        .read(&format!("systemctl show -P MainPID {UNIT}"))?;
    let pid = pid.trim().to_owned();
    let mut equal = |what: &str, line: &str, expected: &str| -> Result<()> {
        let value = scenario.control().run(line)?.stdout;
        scenario.checks.equal(
            format!("the unit's application: {what}"),
            value.trim(),
            expected,
        );
        Ok(())
    };
    let status = |field: &str| format!("sed -n 's/^{field}:[[:space:]]*//p' /proc/{pid}/status");
    let limit =
        |name: &str| format!("sed -n 's/^{name} *[^ ]* *\\([^ ]*\\).*/\\1/p' /proc/{pid}/limits");
    equal("program", &format!("cat /proc/{pid}/comm"), "sleep")?;
    equal("CPUs", &status("Cpus_allowed_list"), "2-3")?;
    equal("capabilities", &status("CapEff"), CAPABILITIES)?;
    equal(
        "is not root",
        &format!("test $(stat -c %u /proc/{pid}) != 0 && echo yes"),
        "yes",
    )?;
    equal("lockable memory", &limit("Max locked memory"), "unlimited")?;
    equal("open files", &limit("Max open files"), "65536")?;
    equal(
        "policy and priority",
        &format!("chrt -p {pid} | sed 's/.*: //' | tr '\\n' ' '"),
        "SCHED_FIFO 49",
    )?;
    equal(
        "processes of the unit",
        &format!("cat /sys/fs/cgroup/system.slice/system-vma*/{UNIT}/cgroup.procs | wc -l"),
        "1",
    )?;
    let answer = hftune(scenario, &format!("run --check {pid}"))?;
    exits(
        scenario,
        "run --check of the unit's application",
        &answer,
        0,
    );
    scenario.checks.note(answer.stdout.trim_end());
    scenario.control().read(&format!(
        "systemctl stop {UNIT} && rm -r {INSTANCE} /opt/hft-apps /var/lib/vma-app /var/lib/private/vma-app \
         /var/log/vma-app /var/log/private/vma-app"
    ))?;
    Ok(())
}

fn without_a_card(scenario: &mut Scenario) -> Result<()> {
    let answer = scenario
        .control()
        .run("VMA_CORES=2 run-with-vma.sh /bin/sleep 1")?;
    refuses(scenario, "run-with-vma.sh", &answer, 1, "no RDMA device");
    let answer = hftune(scenario, "vma configure ens1 --yes")?;
    let code = answer.code.unwrap_or_default();
    let said = answer.stderr.trim().to_owned();
    scenario.checks.that(
        "vma configure of a port that is no ConnectX",
        code == 1 && (said.contains("ConnectX") || said.contains("no port")),
        "exit 1 with the reason",
        format!("exit {code}: {said}"),
    );
    let answer = hftune(scenario, "vma check")?;
    exits(scenario, "vma check without a card", &answer, 3);
    scenario.checks.note(answer.stdout.trim_end());
    Ok(())
}

fn exits(scenario: &mut Scenario, what: &str, answer: &Answer, code: i32) {
    scenario.checks.that(
        format!("{what} exits with {code}"),
        answer.code == Some(code),
        code,
        format!(
            "{:?} {}",
            answer.code,
            if answer.code == Some(code) {
                ""
            } else {
                answer.stderr.trim()
            }
        ),
    );
}

fn refuses(scenario: &mut Scenario, what: &str, answer: &Answer, code: i32, words: &str) {
    scenario.checks.that(
        format!("{what} is refused"),
        answer.code == Some(code) && answer.stderr.contains(words),
        format!("exit {code}, {words}"),
        format!("{:?}: {}", answer.code, answer.stderr.trim()),
    );
}
