//! One boot argument that the profile wants, with its CPU lists filled in.

use std::collections::BTreeSet;
use std::fmt;

use hftune_model::CpuSet;
use hftune_model::cpuset::MAX_CPU;
use hftune_model::finding::{Skipped, Verdict};
use hftune_model::profile::BootValue;

use super::cmdline::{find, first_wins, for_kernel, same_name, tokens};
use crate::Context;

/// One boot argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// The name before `=`.
    pub name: String,
    /// The value after `=`; `None` for an argument without one.
    pub value: Option<String>,
}

impl Argument {
    /// An argument.
    pub fn new(name: &str, value: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        }
    }

    /// The id of its setting.
    pub fn id(&self) -> String {
        format!("boot/{}", self.name)
    }

    /// The value as reports show it.
    pub fn shown(&self) -> String {
        shown(self.value.as_deref())
    }

    /// Whether a value that was found means the same to the kernel.
    pub fn is(&self, found: Option<&str>) -> bool {
        let wanted = self.value.as_deref();
        if found == wanted {
            return true;
        }
        let (Some(found), Some(wanted)) = (found, wanted) else {
            return false;
        };
        takes_cpus(&self.name)
            && matches!((Cpus::parse(found), Cpus::parse(wanted)), (Some(a), Some(b)) if a == b)
    }

    /// Whether the kernel gets it from this command line.
    pub fn is_on(&self, command_line: &str) -> bool {
        find(command_line, &self.name).is_some_and(|token| self.is(token.value()))
    }

    /// A later argument of the same name on a command line that has this one first and makes the kernel drop that one.
    pub fn dropped_on(&self, command_line: &str) -> Option<String> {
        if !self.is_on(command_line) {
            return None;
        }
        for_kernel(&tokens(command_line))
            .find(|token| {
                same_name(token.name(), &self.name)
                    && self.drops(&Self::new(token.name(), token.value()))
            })
            .map(|token| token.raw.to_owned())
    }

    /// Whether the kernel drops a later argument of the same name: one that gives other CPUs to a flag that is set
    /// already. One that sets other flags is taken too (kernel/sched/isolation.c).
    pub fn drops(&self, later: &Self) -> bool {
        let same_flag = |ours: &Cpus, theirs: &Cpus| !ours.flags.is_disjoint(&theirs.flags);
        first_wins(&self.name)
            && match (self.cpus(), later.cpus()) {
                (Some(ours), Some(theirs)) => same_flag(&ours, &theirs) && ours.list != theirs.list,
                _ => false,
            }
    }

    /// Why an `isolcpus=` keeps nothing away from its CPUs but managed interrupts, where it is one of that kind: any flag
    /// drops the default flag `domain` (kernel/sched/isolation.c).
    pub fn isolates_nothing(&self) -> Option<String> {
        let cpus = self.cpus().filter(|_| same_name(&self.name, "isolcpus"))?;
        (!cpus.flags.contains("domain"))
            .then(|| "without the flag domain it isolates nothing from the scheduler".to_owned())
    }

    /// The CPUs that it names, where it is an argument that names CPUs.
    pub fn cpus(&self) -> Option<Cpus> {
        self.value
            .as_deref()
            .filter(|_| takes_cpus(&self.name))
            .and_then(Cpus::parse)
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.value {
            Some(value) => write!(f, "={value}"),
            None => Ok(()),
        }
    }
}

/// A value as reports show it; an argument without one is "set".
pub fn shown(value: Option<&str>) -> String {
    value.unwrap_or("set").to_owned()
}

fn takes_cpus(name: &str) -> bool {
    ["isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity"]
        .iter()
        .any(|known| same_name(name, known))
}

/// The value of an argument that names CPUs: flags, which come first, and a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cpus {
    /// `domain`, `managed_irq`, `nohz`.
    pub flags: BTreeSet<String>,
    /// The CPUs.
    pub list: CpuSet,
}

impl Cpus {
    fn parse(value: &str) -> Option<Self> {
        let mut flags = BTreeSet::new();
        let mut rest = value;
        while rest.starts_with(|c: char| c.is_ascii_alphabetic()) && !rest.starts_with("all") {
            let (flag, after) = rest.split_once(',')?;
            flags.insert(flag.to_owned());
            rest = after;
        }
        // `isolcpus=LIST` is `isolcpus=domain,LIST` (kernel/sched/isolation.c).
        if flags.is_empty() {
            flags.insert("domain".to_owned());
        }
        // `N` and `all` are the kernel's words for its last CPU and for every one (lib/bitmap-str.c).
        let list = CpuSet::parse_list(rest, Some(MAX_CPU)).ok()?;
        Some(Self { flags, list })
    }
}

/// The arguments of the profile for this host, and those that it does not get.
pub fn wanted(cx: &Context<'_>) -> (Vec<Argument>, Vec<Skipped>) {
    let mut wanted = Vec::new();
    let mut skipped = Vec::new();
    for (name, value) in &cx.profile.boot {
        let argument = match value {
            BootValue::Flag(false) => continue,
            BootValue::Flag(true) => Argument::new(name, None),
            BootValue::Text(template) => {
                let of_the_split =
                    template.contains("{isolated}") || template.contains("{housekeeping}");
                if of_the_split && cx.cpus.isolated.is_empty() {
                    let reason = format!("no CPU is isolated on this host: {}", cx.cpus.why);
                    skipped.push(skip(name, Verdict::NotApplicable, reason, None));
                    continue;
                }
                let value = template
                    .replace("{isolated}", &cx.cpus.isolated.to_string())
                    .replace("{housekeeping}", &cx.cpus.housekeeping.to_string());
                Argument::new(name, Some(&value))
            }
        };
        if let Some(option) = missing_option(name, cx) {
            let reason = format!(
                "this kernel was built without CONFIG_{option}, so it would ignore the argument"
            );
            skipped.push(skip(name, Verdict::NotApplicable, reason, None));
        } else if let Some(bad) = argument.to_string().chars().find(|c| !is_safe(*c)) {
            let reason = format!(
                "\"{argument}\" holds '{bad}', which the shell, GRUB and the kernel each read in their own way; hftune \
                 writes only letters, digits and _-.,:=/+@%"
            );
            let fix = format!(
                "add it to the boot loader by hand, and set boot.\"{name}\" = false in the profile"
            );
            skipped.push(skip(name, Verdict::NotPermitted, reason, Some(fix)));
        } else {
            wanted.push(argument);
        }
    }
    (wanted, skipped)
}

/// The kernel option without which the argument does nothing, where this kernel is known to lack it.
fn missing_option(name: &str, cx: &Context<'_>) -> Option<&'static str> {
    let option = match name {
        name if same_name(name, "nohz_full") => "NO_HZ_FULL",
        name if same_name(name, "rcu_nocbs") => "RCU_NOCB_CPU",
        _ => return None,
    };
    (cx.host.kernel.config.get(option) == Some(&false)).then_some(option)
}

/// Characters that mean themselves to sh, to GRUB and to the kernel alike.
fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.,:=/+@%".contains(c)
}

/// A setting that this host does not get.
pub fn skip(name: &str, verdict: Verdict, reason: String, fix: Option<String>) -> Skipped {
    Skipped {
        id: format!("boot/{name}"),
        verdict,
        reason,
        fix,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_cpus_are_the_same_value() {
        let argument = Argument::new("isolcpus", Some("managed_irq,domain,2-7"));
        assert!(argument.is(Some("domain,managed_irq,2,3-7")));
        assert!(!argument.is(Some("managed_irq,2-7")));
        assert!(!argument.is(Some("2-7")));
        assert!(Argument::new("isolcpus", Some("2-7")).is(Some("domain,2-7")));
        assert!(Argument::new("nohz_full", Some("2-7")).is(Some("2-4,5-7")));
        assert!(!Argument::new("nohz_full", Some("2-7")).is(Some("rubbish")));
        assert!(!Argument::new("nohz_full", Some("2-7")).is(None));
        assert!(Argument::new("nowatchdog", None).is(None));
        assert!(!Argument::new("skew_tick", Some("1")).is(Some("1,0")));
    }

    #[test]
    fn a_later_list_is_dropped_where_it_is_another_for_the_same_flag() {
        let isolcpus = |value: &str| Argument::new("isolcpus", Some(value));
        assert!(isolcpus("managed_irq,domain,2-7").drops(&isolcpus("4-7")));
        assert!(isolcpus("managed_irq,domain,2-7").drops(&isolcpus("managed_irq,4-7")));
        assert!(!isolcpus("managed_irq,domain,2-7").drops(&isolcpus("2-7")));
        assert!(!isolcpus("managed_irq,2-7").drops(&isolcpus("4-7")));
        let nohz_full = |value: &str| Argument::new("nohz_full", Some(value));
        assert!(nohz_full("2-7").drops(&nohz_full("4-7")));
        assert!(!nohz_full("2-7").drops(&nohz_full("2,3-7")));
        let line = "isolcpus=2-7 -- isolcpus=4-7";
        assert_eq!(isolcpus("2-7").dropped_on(line), None);
        let line = "isolcpus=2-7 a isolcpus=4-7";
        assert_eq!(
            isolcpus("2-7").dropped_on(line).as_deref(),
            Some("isolcpus=4-7")
        );
        assert_eq!(isolcpus("4-7").dropped_on(line), None);
    }
}
