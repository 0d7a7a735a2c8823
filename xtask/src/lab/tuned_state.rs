//! What the kernel must say of itself once the built-in profile is in force on the lab's machine.

use super::checks::Checks;
use super::measure::{MEASURED, Measurement};
use super::scenario::Scenario;
use super::snapshot::Snapshot;
use anyhow::{Context, Result};

/// Timer interrupts that an isolated busy CPU may still take in ten seconds.
const MOST_TIMER_INTERRUPTS: u64 = 10;

const ISOLATED: &str = "2-7";
const HOUSEKEEPING: [u32; 2] = [0, 1];

/// The sysctls of the built-in profile that name one value everywhere.
const SYSCTLS: [(&str, &str); 13] = [
    ("net.core.rmem_max", "134217728"),
    ("net.core.wmem_max", "134217728"),
    ("net.core.netdev_max_backlog", "300000"),
    ("net.ipv4.tcp_timestamps", "0"),
    ("net.ipv4.tcp_sack", "0"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("vm.swappiness", "0"),
    ("vm.min_free_kbytes", "1048576"),
    ("vm.nr_hugepages", "1024"),
    ("kernel.sched_autogroup_enabled", "0"),
    ("kernel.sched_rt_runtime_us", "-1"),
    ("vm.nr_overcommit_hugepages", "0"),
];

/// Services that must be there; one for the CPU's power settings only where the machine has any.
const SERVICES: [&str; 2] = ["disable-thp.service", "irq-affinity.service"];

/// Asserts the whole state; `written` are the services that setup wrote.
pub fn check(scenario: &mut Scenario, written: &[String]) -> Result<()> {
    isolation(scenario)?;
    sysctls(scenario)?;
    memory(scenario)?;
    services(scenario, written)?;

    let measured = scenario.measure("tuned")?;
    for cpu in MEASURED {
        let count = measured.timer(cpu);
        scenario.checks.that(
            format!(
                "tuned: timer interrupts on busy CPU {cpu} in {:.1} s",
                measured.seconds
            ),
            count <= MOST_TIMER_INTERRUPTS,
            format!("{MOST_TIMER_INTERRUPTS} at most"),
            count,
        );
    }
    interrupts(scenario, &measured)
}

/// Asserts that the kernel was given the isolated CPUs, and that it isolates them, from deferred work and received packets
/// too.
pub fn isolation(scenario: &mut Scenario) -> Result<()> {
    let cmdline = scenario.control().read("cat /proc/cmdline")?;
    check_arguments(&mut scenario.checks, "/proc/cmdline", &cmdline);
    for file in ["isolated", "nohz_full"] {
        let path = format!("/sys/devices/system/cpu/{file}");
        let value = scenario.control().read(&format!("cat {path}"))?;
        scenario.checks.equal(path, value.trim(), ISOLATED);
    }
    let work = "/sys/devices/virtual/workqueue/cpumask";
    let mask = scenario.control().read(&format!("cat {work}"))?;
    scenario
        .checks
        .equal(work, mask.trim().trim_start_matches('0'), "3");
    let steered = scenario
        .control()
        .read("cat /sys/class/net/*/queues/rx-*/rps_cpus")?;
    scenario.checks.that(
        "rps_cpus of every receive queue",
        !steered.trim().is_empty() && steered.lines().all(spares_isolated),
        "no isolated CPU",
        steered.split_whitespace().collect::<Vec<_>>().join(" "),
    );
    Ok(())
}

/// Whether a mask of the guest's eight CPUs names housekeeping CPUs at most.
fn spares_isolated(mask: &str) -> bool {
    u8::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & !3 == 0)
}

/// Asserts that a kernel command line isolates the CPUs, by reading it word by word.
pub fn check_arguments(checks: &mut Checks, place: &str, line: &str) {
    for name in ["isolcpus", "nohz_full", "rcu_nocbs"] {
        let value = argument(line, name);
        let cpus = value.map(|value| value.rsplit(',').next().unwrap_or_default());
        checks.that(
            format!("{place}: {name}"),
            cpus == Some(ISOLATED),
            format!("once, and ending in {ISOLATED}"),
            value.unwrap_or("absent or more than once"),
        );
    }
}

/// The value of an argument that appears exactly once.
fn argument<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let mut values = line
        .split_whitespace()
        .filter_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

fn sysctls(scenario: &mut Scenario) -> Result<()> {
    for (key, expected) in SYSCTLS {
        let value = scenario
            .control()
            .read(&format!("cat /proc/sys/{}", key.replace('.', "/")))?;
        scenario.checks.equal(key, value.trim(), expected);
    }
    for key in ["tcp_rmem", "tcp_wmem"] {
        let value = scenario
            .control()
            .read(&format!("cat /proc/sys/net/ipv4/{key}"))?;
        scenario.checks.equal(
            format!("net.ipv4.{key}, maximum"),
            value.split_whitespace().last().unwrap_or(""),
            "134217728",
        );
    }
    let filters = scenario
        .control()
        .read("grep -H . /proc/sys/net/ipv4/conf/*/rp_filter")?;
    let on: Vec<&str> = filters
        .lines()
        .filter(|line| !line.ends_with(":0"))
        .collect();
    scenario
        .checks
        .equal("interfaces with rp_filter on", &on[..], &[]);

    // Every key of the file, whatever it holds beyond the table above.
    let file = scenario.control().read("cat /etc/sysctl.d/99-hft.conf")?;
    for (key, expected) in sysctl_lines(&file) {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        let value = scenario.control().read(&format!("cat {path}"))?;
        scenario.checks.equal(
            format!("99-hft.conf, live: {key}"),
            &words(&value),
            &words(&expected),
        );
    }
    Ok(())
}

/// The assignments of a sysctl.d file that name one key; a pattern is judged interface by interface above.
fn sysctl_lines(text: &str) -> Vec<(String, String)> {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with(['#', ';']));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(key, value)| {
            (
                key.trim().trim_start_matches('-').to_string(),
                value.trim().to_string(),
            )
        })
        .filter(|(key, _)| !key.contains('*'))
        .collect()
}

fn words(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn memory(scenario: &mut Scenario) -> Result<()> {
    for node in 0..2 {
        for file in ["nr_hugepages", "free_hugepages"] {
            let path =
                format!("/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/{file}");
            let value = scenario.control().read(&format!("cat {path}"))?;
            scenario.checks.equal(
                format!("huge pages on node {node} ({file})"),
                value.trim(),
                "512",
            );
        }
    }
    let thp = scenario
        .control()
        .read("cat /sys/kernel/mm/transparent_hugepage/enabled")?;
    scenario.checks.that(
        "transparent huge pages",
        thp.contains("[never]"),
        "[never]",
        thp.trim(),
    );
    Ok(())
}

fn services(scenario: &mut Scenario, written: &[String]) -> Result<()> {
    for service in SERVICES {
        let there = written.iter().any(|unit| unit == service);
        scenario
            .checks
            .that(format!("{service} was written"), there, "yes", there);
    }
    for service in written {
        let state = scenario
            .control()
            .run(&format!("systemctl is-active {service}"))?;
        scenario
            .checks
            .equal(format!("{service} is"), state.stdout.trim(), "active");
    }
    if !written.iter().any(|unit| unit == "cpu-performance.service") {
        scenario.checks.note(
            "cpu-performance.service was not written: the guest has no cpufreq and no energy bias",
        );
    }
    let state = scenario
        .control()
        .run("systemctl is-active irqbalance.service")?;
    scenario
        .checks
        .equal("irqbalance.service is", state.stdout.trim(), "inactive");
    Ok(())
}

/// The services in `/etc/systemd/system` that were not there before; a template is no service by itself.
pub fn new_services(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let new = after
        .iter()
        .filter(|(path, facts)| !before.contains_key(*path) && facts.starts_with('f'));
    let units = new.filter_map(|(path, _)| path.strip_prefix("/etc/systemd/system/"));
    units
        .filter(|unit| unit.ends_with(".service") && !unit.contains(['/', '@']))
        .map(str::to_string)
        .collect()
}

/// Asserts where every interrupt goes. The kernel moves one only when it next fires, so one that is asked to move and has
/// not fired since is no fault; it is listed.
fn interrupts(scenario: &mut Scenario, measured: &Measurement) -> Result<()> {
    let default = scenario
        .control()
        .read("cat /proc/irq/default_smp_affinity")?;
    scenario.checks.equal(
        "/proc/irq/default_smp_affinity",
        default.trim().trim_start_matches('0'),
        "3",
    );
    let table = scenario
        .control()
        .script("irqs.sh", include_str!("scripts/irqs.sh"), "")?;
    for line in table.lines() {
        let irq = Irq::parse(line).with_context(|| format!("irqs.sh: cannot read {line:?}"))?;
        let what = format!("IRQ {} {}", irq.number, measured.after.name(irq.number));
        let reached: u64 = measured
            .before
            .grown(&measured.after, irq.number)
            .iter()
            .filter(|(cpu, _)| MEASURED.contains(cpu))
            .map(|(_, count)| count)
            .sum();
        let asked = format!(
            "asked {}, effective {}, {reached} on isolated CPUs",
            irq.requested, irq.effective
        );
        if irq.fixed {
            scenario.checks.note(format!(
                "{what} cannot be moved (managed or legacy): {asked}"
            ));
        } else if !on_housekeeping(irq.effective) && on_housekeeping(irq.requested) && reached == 0
        {
            scenario
                .checks
                .note(format!("{what} moves when it next fires: {asked}"));
        } else {
            scenario.checks.that(
                &what,
                on_housekeeping(irq.effective),
                "effective within 0-1",
                asked,
            );
        }
    }
    Ok(())
}

struct Irq<'a> {
    number: &'a str,
    fixed: bool,
    requested: &'a str,
    effective: &'a str,
}

impl<'a> Irq<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split('\t');
        let number = fields.next()?;
        let fixed = fields.next()? == "fixed";
        Some(Self {
            number,
            fixed,
            requested: fields.next()?,
            effective: fields.next()?,
        })
    }
}

/// Whether a kernel CPU list names housekeeping CPUs only. Empty: an interrupt that nobody uses goes nowhere.
pub fn on_housekeeping(list: &str) -> bool {
    let ends = list.split([',', '-']).filter(|word| !word.is_empty());
    ends.into_iter().all(|word| {
        word.parse()
            .is_ok_and(|cpu: u32| HOUSEKEEPING.contains(&cpu))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_given_twice_is_not_one() {
        assert_eq!(
            argument("a=1 isolcpus=managed_irq,domain,2-7 quiet", "isolcpus"),
            Some("managed_irq,domain,2-7")
        );
        assert_eq!(argument("isolcpus=1 isolcpus=2", "isolcpus"), None);
        assert_eq!(argument("xisolcpus=1 isolcpus", "isolcpus"), None);
    }

    #[test]
    fn masks_of_eight_cpus() {
        assert!(spares_isolated("00") && spares_isolated("3\n"));
        assert!(!spares_isolated("7") && !spares_isolated("ff") && !spares_isolated("x"));
    }

    #[test]
    fn housekeeping_lists() {
        assert!(on_housekeeping("0-1") && on_housekeeping("1") && on_housekeeping(""));
        assert!(!on_housekeeping("0-7") && !on_housekeeping("0,2") && !on_housekeeping("x"));
    }

    #[test]
    fn sysctl_lines_without_patterns() {
        let text =
            "# c\n; c\nvm.swappiness = 0\n-net.ipv4.conf.*.rp_filter=0\n-net.x=1 2\nnonsense\n";
        assert_eq!(
            sysctl_lines(text),
            [
                ("vm.swappiness".into(), "0".into()),
                ("net.x".into(), "1 2".into())
            ]
        );
    }

    #[test]
    fn only_new_whole_services_count() {
        let before = Snapshot::from([("/etc/systemd/system/old.service".into(), "f 644".into())]);
        let mut after = before.clone();
        for path in [
            "new.service",
            "vma-app@.service",
            "x.target.wants/new.service",
            "a.timer",
        ] {
            after.insert(format!("/etc/systemd/system/{path}"), "f 644".into());
        }
        assert_eq!(new_services(&before, &after), ["new.service"]);
    }
}
