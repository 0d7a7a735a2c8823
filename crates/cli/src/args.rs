//! The command line. The doc comments are the help texts.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use hftune_engine::launch::DEFAULT_PRIORITY;
use hftune_model::CpuSet;
use hftune_model::vma::environment;

/// Tune a Linux server for low latency, prove every setting, undo every change
///
/// The usual way: `hftune plan` shows what would be done, `hftune setup` does it, then reboot, and `hftune verify`
/// proves that every setting is saved, live and in effect. `hftune rollback` undoes it.
///
/// Exit codes: 0 as desired, 1 failed, 2 usage, 3 findings or changes, 4 only a reboot is missing, 5 needs root.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Args {
    /// Read and write below DIR instead of on this machine; no process is started
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what this machine is: CPUs, nodes, NICs, interrupts, kernel, boot loader, rivals
    Host(Host),
    /// Show what setup would change, and why (exit 0: nothing, 3: changes)
    Plan {
        #[command(flatten)]
        choices: ChoiceArgs,
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        output: Json,
    },
    /// Change this host as the profile wants it: plan, ask, apply, verify
    Setup {
        #[command(flatten)]
        choices: ChoiceArgs,
        /// Undo it by itself, also after a reboot, unless hftune confirm is run in time: 90s, 10m, 1h
        ///
        /// For a change over the network that may cut off whoever makes it.
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        confirm_within: Option<Duration>,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        output: Json,
    },
    /// Keep a setup that was made with --confirm-within
    Confirm,
    /// Prove every setting: saved, live, in effect
    Verify(Verify),
    /// Watch for drift: a timer that verifies, writes metrics, and tells in the journal what changed
    Drift {
        #[command(subcommand)]
        command: Drift,
    },
    /// Undo the last setup, or everything since a transaction
    Rollback(Rollback),
    /// List what was done when
    History {
        /// Only what is in force: not undone, or not wholly (exit 0: nothing, 3: something)
        #[arg(long)]
        in_force: bool,
        #[command(flatten)]
        output: Json,
    },
    /// Explain a setting: what, why, trade-off, source, how it is read
    Explain {
        /// An id like sysctl/vm.swappiness or irq/ens1f0-rx-3; without one, all are listed
        #[arg(value_name = "ID")]
        id: Option<String>,
        #[command(flatten)]
        output: Json,
    },
    /// Show or move device interrupts
    Irq {
        #[command(subcommand)]
        command: Irq,
    },
    /// Show or tune network ports
    Nic {
        #[command(subcommand)]
        command: Nic,
    },
    /// Start an application on isolated CPUs, with its priority, memory and environment, or check a running one
    Run(Run),
    /// Measure how quiet CPUs are, and name what disturbs them
    Jitter(Jitter),
    /// Count what disturbs isolated CPUs, and name it; nothing is loaded (exit 0: quiet, 3: disturbed)
    Quiet(Quiet),
    /// A live screen: what reaches each CPU, who runs there, huge pages, dropped packets
    Watch(Watch),
    /// Measure round trips between two hosts with sockperf, one way against another in turn
    Netlat(Netlat),
    /// Write one page for a browser: the machine, the proof of every setting, what jitter measured before and after
    Report(Report),
    /// Install, configure and check kernel bypass through libvma
    Vma {
        #[command(subcommand)]
        command: Vma,
    },
    /// Write what the profile wants of this host for another tool: tuned, Ansible, a shell, an image
    Export(Export),
    /// Write the profile of another tool as a profile of hftune
    Import(Import),
    /// Show, check or begin a profile
    Profile {
        #[command(subcommand)]
        command: Profile,
    },
    /// Make the kernel hold the values of some domains now, as the units do at boot; no file is changed
    Live {
        /// Domains, like irq, thp, power, or a part of one, like nic/ens1f0
        #[arg(value_name = "DOMAIN", required = true)]
        domains: Vec<String>,
    },
}

/// Measure how quiet CPUs are, and name what disturbs them
///
/// A loop on each CPU reads the time stamp counter and does nothing else; whatever takes the CPU from it is a gap. A second pass
/// traces the kernel meanwhile and names the gaps: an interrupt, a softirq, a thread, or none of these, which is firmware or
/// the hypervisor. It loads the CPUs that it measures fully; stop the application first. As root; without, causes are not known.
#[derive(Debug, ClapArgs)]
pub(crate) struct Jitter {
    /// CPUs, like 2-7,10; the isolated ones where none are given, or all but the first. One is always left for the rest
    #[arg(long, value_name = "LIST", value_parser = parse_list)]
    pub cpus: Option<CpuSet>,

    /// How long each of the two passes takes: 90s, 10m, 1h
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_length)]
    pub duration: Duration,

    /// What counts as a gap, in nanoseconds; without, four times what a quiet loop takes
    #[arg(long, value_name = "NS")]
    pub threshold: Option<u64>,

    /// Leave the traced pass out
    #[arg(long)]
    pub no_trace: bool,

    #[command(flatten)]
    pub output: Json,
}

/// Count what disturbs isolated CPUs, and name it
///
/// The kernel's counts of interrupts and softirqs are compared over a while, and its trace tells switches between threads and
/// who ran. Nothing is loaded: run it beside the application. As root; without, switches are not known.
#[derive(Debug, ClapArgs)]
pub(crate) struct Quiet {
    /// CPUs, like 2-7,10; the isolated ones where none are given, or all but the first
    #[arg(long, value_name = "LIST", value_parser = parse_list)]
    pub cpus: Option<CpuSet>,

    /// How long: 90s, 10m, 1h
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_length)]
    pub duration: Duration,

    #[command(flatten)]
    pub output: Json,
}

/// A live screen: what reaches each CPU, who runs there, huge pages, dropped packets
///
/// Keys: s sorts, i shows isolated CPUs only, p or space pauses, ? explains, q quits. It runs on the CPUs that serve the OS.
#[derive(Debug, ClapArgs)]
pub(crate) struct Watch {
    /// Seconds between two looks
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub interval: u64,
}

/// Measure round trips between two hosts with sockperf, one way against another in turn
///
/// On the other host: hftune netlat --server. Then here: hftune netlat HOST. Rounds of the ways A and B alternate, so that
/// what changes meanwhile meets both; where their rounds overlap, they cannot be told apart, and it is said so. What is told is
/// half of a round trip. --namespaces has both ends here, over a virtual cable: that proves programs and scheduling, never a card.
#[derive(Debug, ClapArgs)]
pub(crate) struct Netlat {
    /// The address of the other host
    #[arg(value_name = "HOST", required_unless_present_any = ["server", "namespaces"], conflicts_with_all = ["server", "namespaces"])]
    pub host: Option<std::net::IpAddr>,

    /// Be the other end, until it is ended
    #[arg(long, conflicts_with = "namespaces")]
    pub server: bool,

    /// Both ends on this host, in two network namespaces that are made for it and removed again
    #[arg(long)]
    pub namespaces: bool,

    /// Options of sockperf for one way, like "--nonblocked"
    #[arg(
        long,
        value_name = "OPTIONS",
        default_value = "",
        allow_hyphen_values = true
    )]
    pub a: String,

    /// Options of sockperf for another way; without, there is one
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    pub b: Option<String>,

    /// Rounds of each way
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,

    /// How long a round takes: 90s, 10m, 1h
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = parse_length)]
    pub duration: Duration,

    /// Bytes of a message
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = clap::value_parser!(u32).range(14..=65_000))]
    pub size: u32,

    /// TCP instead of UDP
    #[arg(long)]
    pub tcp: bool,

    /// The port of the other end
    #[arg(long, value_name = "N", default_value_t = 11_111)]
    pub port: u16,

    /// The CPU of this end, and with --namespaces the CPU of the other, like 2,3
    #[arg(long, value_name = "LIST", value_parser = parse_list)]
    pub cpus: Option<CpuSet>,

    #[command(flatten)]
    pub output: Json,
}

/// Write one page for a browser: the machine, the proof of every setting, what jitter measured before and after
///
/// The page is one file that needs no other: no script, no request. It can be mailed, archived and printed. Names of ports,
/// drivers and threads are in it.
#[derive(Debug, ClapArgs)]
pub(crate) struct Report {
    /// Where to write the page; it is made readable for everybody
    #[arg(long, short, value_name = "FILE.html")]
    pub output: PathBuf,
    /// Replace an existing FILE.html
    #[arg(long)]
    pub replace: bool,
    /// What hftune jitter --json printed: one measurement, or two, before and after
    #[arg(value_name = "BEFORE.json AFTER.json", num_args = 0..=2)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub choices: ChoiceArgs,
    #[command(flatten)]
    pub from: From,
}

/// Write what the profile wants of this host for another tool: tuned, Ansible, a shell, an image
///
/// All settings of this host, not only what differs, for those who may not install a binary. What a format has no words for
/// is a comment in the output and a line on standard error. docs/export.md tells what each can do.
#[derive(Debug, ClapArgs)]
pub(crate) struct Export {
    /// For which tool
    #[arg(long, value_enum)]
    pub format: ExportFormat,
    /// Where to write it: a file, or a directory where the format has several files
    #[arg(long, short, value_name = "FILE|DIR")]
    pub output: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long, requires = "output")]
    pub replace: bool,
    #[command(flatten)]
    pub choices: ChoiceArgs,
    #[command(flatten)]
    pub from: From,
}

/// Write the profile of another tool as a profile of hftune
///
/// What that profile includes, its variables and the functions of tuned that can be worked out are put in. A line without a
/// counterpart is a comment in the new profile and a line on standard error, with the reason. Nothing of the host is changed.
#[derive(Debug, ClapArgs)]
pub(crate) struct Import {
    /// A profile of tuned: its name, as tuned-adm list shows it, or its folder
    #[arg(long, value_name = "NAME|DIR")]
    pub tuned: String,
    /// Where to write it; an existing file is left alone
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// A profile folder of tuned
    Tuned,
    /// A playbook of Ansible
    Ansible,
    /// A POSIX shell script with its own undo
    Shell,
    /// Part of a kickstart file
    Kickstart,
    /// Files of an image of bootc, and a part of its Containerfile
    Bootc,
    /// A file for /etc/sysctl.d
    Sysctl,
}

impl Args {
    /// The command line of this process. `run` is parsed by its own parser alone: an application waits for it to start.
    pub(crate) fn from_command_line() -> Result<Self, clap::Error> {
        #[derive(Debug, Parser)]
        #[command(name = "hftune run", max_term_width = 100)]
        struct OnlyRun {
            #[command(flatten)]
            run: Run,
        }
        let mut words = std::env::args_os().skip(1);
        if words.next().is_none_or(|word| word != "run") {
            return Self::try_parse();
        }
        let words = std::iter::once("hftune run".into()).chain(words);
        OnlyRun::try_parse_from(words).map(|OnlyRun { run }| Self {
            root: None,
            command: Command::Run(run),
        })
    }
}

impl Command {
    /// The captured machine that it is to read.
    pub(crate) fn from(&self) -> Option<&Path> {
        let (Self::Host(Host { from, .. })
        | Self::Plan { from, .. }
        | Self::Verify(Verify { from, .. })
        | Self::Export(Export { from, .. })
        | Self::Report(Report { from, .. })
        | Self::Profile {
            command: Profile::New { from, .. },
        }
        | Self::Irq {
            command: Irq::Show { from, .. },
        }
        | Self::Nic {
            command: Nic::List { from, .. } | Nic::Show { from, .. },
        }) = self
        else {
            return None;
        };
        from.from.as_deref()
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Host {
    /// Write what hftune reads on this machine to FILE, for plan, verify, host, irq show, nic and report --from
    ///
    /// FILE is a gzip'd tar of exactly the files that host, plan and verify read: CPUs, nodes, interrupts, ports, memory
    /// and kernel values of /proc and /sys; boot loader files, sysctl and limits files, names of units, and hftune's
    /// profile. Names and CPUs of processes, MAC addresses and the machine-id in names of boot entries are in it. Not in
    /// it: what files held before hftune changed them, command lines and environments of processes, users' files. Blanked:
    /// passwords of GRUB, arguments and settings whose names say password, secret, key or token, credentials in
    /// addresses. It is made readable for its owner only. docs/capture.md tells all of it.
    #[arg(long, value_name = "FILE.tgz", conflicts_with = "from")]
    pub capture: Option<PathBuf>,
    /// Replace an existing FILE
    #[arg(long, requires = "capture")]
    pub force: bool,
    #[command(flatten)]
    pub from: From,
    #[command(flatten)]
    pub output: Json,
}

/// A machine in place of this one.
#[derive(Debug, ClapArgs)]
pub(crate) struct From {
    /// Read a captured machine instead of this one: a file of hftune host --capture, or an archive (tar, gzip'd or plain)
    /// or a directory with another's /proc and /sys
    #[arg(long, value_name = "FILE.tgz|DIR")]
    pub from: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub choices: ChoiceArgs,
    #[command(flatten)]
    pub from: From,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Human, conflicts_with = "json")]
    pub format: Format,
    /// The same as --format json
    #[arg(long)]
    pub json: bool,
    /// Only settings whose id begins so, like sysctl or irq/ens1f0; may be given several times
    ///
    /// The rest is not counted either, and does not decide the exit code.
    #[arg(long, value_name = "ID")]
    pub only: Vec<String>,
    /// List only what is not as desired; everything is counted
    #[arg(long)]
    pub failed: bool,
    /// Write the result to FILE instead, readable for everybody; FILE is replaced in one go
    ///
    /// A reader finds the old file or the new one whole, as the textfile directory of node_exporter wants it. Its name ends in
    /// .prom there.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table, and the reason and the remedy of what is not as desired
    Human,
    /// One JSON object, "hftune/verify/1"
    Json,
    /// JUnit XML: a test case a setting; a finding is a failure, what could not be read an error
    Junit,
    /// TAP version 14, with YAML; what waits for a reboot is TODO
    Tap,
    /// Metrics for the textfile directory of node_exporter
    Prometheus,
    /// One line with performance data, and the exit codes of plugins in place of hftune's: 0 as desired, 1 only a reboot is
    /// missing, 2 findings, 3 a setting could not be read or verify failed
    Nagios,
    /// Tables for a ticket or a merge request
    Markdown,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Rollback {
    /// Undo this transaction and all after it
    #[arg(value_name = "ID", conflicts_with = "all")]
    pub id: Option<String>,
    /// Undo everything that hftune ever changed here
    #[arg(long)]
    pub all: bool,
    /// Put files back that someone else changed since, and use what stands before the damage of a damaged journal
    #[arg(long)]
    pub force: bool,
    /// Undo a setup that waits to be confirmed, as its timer does
    #[arg(long, hide = true, conflicts_with_all = ["id", "all"])]
    pub unconfirmed: bool,
    #[command(flatten)]
    pub consent: Consent,
    #[command(flatten)]
    pub output: Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Drift {
    /// Enable hftune-verify.timer: verify every 15 minutes on the CPUs that serve the OS, metrics, and journal entries
    ///
    /// A journal entry tells which setting changed, from what to what, and the likely author as far as it is known:
    /// journalctl -u hftune-verify. The interval is every_minutes in the profile's [drift]. hftune rollback undoes it.
    Enable {
        /// Where the metrics go; without it the textfile directory of node_exporter where there is one, else
        /// /var/lib/hftune/metrics
        #[arg(long, value_name = "DIR")]
        textfile_dir: Option<String>,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        output: Json,
    },
    /// Disable it, and remove its metrics
    Disable {
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        output: Json,
    },
    /// Tell whether it is enabled, when it ran last, and what it found
    Status {
        #[command(flatten)]
        output: Json,
    },
    /// Verify, write the metrics, and tell what changed since the last run: what hftune-verify.service runs
    Check {
        /// Where the metrics go
        #[arg(long, value_name = "DIR")]
        textfile_dir: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Irq {
    /// Show where each interrupt fires and where it should
    Show {
        #[command(flatten)]
        choices: ChoiceArgs,
        /// Count interrupts for so many seconds; 0 shows the counts since boot
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=3600))]
        seconds: u64,
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        output: Json,
    },
    /// Move every movable interrupt to the housekeeping CPUs, now
    Apply,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Nic {
    /// List the ports: state, speed, node, driver, device, rings with their maxima
    List {
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        output: Json,
    },
    /// Tune ports now and whenever they appear: rings, offloads, coalescing and what else the profile wants
    ///
    /// The ports are remembered: setup, plan and verify include them, and a unit of each, tune-nic-IF.service, sets the
    /// values again at boot, when the device is plugged in, when its link comes back, and when somebody changes them. Only
    /// what differs is written. A change of rings or channels takes the link of most ports down for some seconds.
    Tune {
        /// Names of ports
        #[arg(value_name = "IF", required_unless_present = "all")]
        ports: Vec<String>,
        /// Every port of this host
        #[arg(long, conflicts_with = "ports")]
        all: bool,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        output: Json,
    },
    /// Wait for links that come back and for values that somebody changes, and have the units of the ports run again
    ///
    /// This is what nic-watch.service does. It sleeps until the kernel reports something.
    Watch,
    /// Show what ports are set to: link, rings, channels, coalescing, offloads, pause frames, time stamps
    Show {
        /// Names of ports; without one, all are shown
        #[arg(value_name = "IF")]
        ports: Vec<String>,
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        output: Json,
    },
}

/// Start an application on isolated CPUs, with its priority, memory and environment, or check a running one
///
/// hftune looks whether the CPUs are isolated, the priority is sane, and, with --vma, whether libvma can work; then it
/// becomes the application: one execve, no shell, and no process in between.
#[derive(Debug, ClapArgs)]
pub(crate) struct Run {
    /// CPUs like 2-5, or auto: the isolated ones of this host
    #[arg(long, value_name = "LIST|auto", default_value = "auto", value_parser = parse_cpus)]
    pub cpus: Cpus,
    /// Give each thread a CPU of its own, in the order in which they are made
    ///
    /// Isolated CPUs have no load balancing: threads that choose no CPU all stay on one. A small process on the other
    /// CPUs watches for new threads until the application ends. Threads that chose a CPU themselves keep it.
    #[arg(long)]
    pub cpu_per_thread: bool,
    /// Real-time priority (SCHED_FIFO), 1 to 99; 0 is the usual scheduling
    ///
    /// The kernel's interrupt threads have 50, its migration threads 99: a loop that never sleeps should stay below.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_PRIORITY, value_parser = clap::value_parser!(u8).range(0..=99))]
    pub priority: u8,
    /// Load libvma into it, with the parameters of the profile
    #[arg(long)]
    pub vma: bool,
    /// Set a variable; may be given several times
    #[arg(long, value_name = "K=V", value_parser = parse_variable)]
    pub env: Vec<(String, String)>,
    /// Check every thread of a running process instead: CPUs, scheduling, limits, libvma
    #[arg(long, value_name = "PID|NAME", conflicts_with = "command")]
    pub check: Option<String>,
    /// With --check: print one JSON object
    #[arg(long, requires = "check")]
    pub json: bool,
    /// The program and its arguments, after --
    #[arg(value_name = "APP", last = true, required_unless_present = "check")]
    pub command: Vec<OsString>,
}

/// The CPUs of an application.
#[derive(Debug, Clone)]
pub(crate) enum Cpus {
    Auto,
    List(CpuSet),
}

fn parse_cpus(text: &str) -> Result<Cpus, String> {
    if text == "auto" {
        return Ok(Cpus::Auto);
    }
    parse_list(text).map(Cpus::List)
}

fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if environment::is_name(name) => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("expected a variable and its value, like VMA_TRACELEVEL=info".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Vma {
    /// Install libvma and what it needs, out of the repositories of this host
    ///
    /// Packages, kernel modules, the limits of logins, a first /etc/libvma.conf, the parameters of the profile, the launcher
    /// and vma-app@.service, as one transaction: hftune rollback takes away what it added. The kernel's own drivers are used,
    /// and nothing is compiled.
    Install {
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        output: Json,
    },
    /// Have libvma take exactly the sockets on the addresses of these ports
    ///
    /// The ports are remembered: setup, plan and verify include them, and an address that changes is found by verify. Ports
    /// that are not named here are served no longer.
    Configure {
        /// Names of ports that mlx5 or mlx4 drive
        #[arg(value_name = "IF", required = true)]
        ports: Vec<String>,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        output: Json,
    },
    /// Tell what of a set-up of libvma does nothing, and compare what it is asked for with what it does
    ///
    /// Looks at the rules, at variables in environment files and units, at limits, devices, huge pages and places where the
    /// library is loaded into every program. Where it is installed, it is loaded into a program that does nothing, and the
    /// values that it prints are compared with those that are set. HFTUNE_LIBVMA names a library elsewhere.
    Check {
        #[command(flatten)]
        output: Json,
    },
    /// Show the parameters of libvma, or tell all about one
    Params {
        /// A parameter, like VMA_RX_POLL
        #[arg(value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        output: Json,
    },
    /// Show how many packets of running applications go through the card, and how many through the kernel
    Stats {
        /// A process, by its id or its name; without one, all are shown
        #[arg(value_name = "PID|NAME")]
        process: Option<String>,
        #[command(flatten)]
        output: Json,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Profile {
    /// Print the resolved profile, and where each value comes from
    Show {
        #[command(flatten)]
        choices: ChoiceArgs,
        #[command(flatten)]
        output: Json,
    },
    /// Print the JSON Schema of a profile's file, for editors
    Schema,
    /// Check a profile
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print a commented profile to begin with, or write it to FILE
    New {
        /// Where to write it; an existing file is left alone
        file: Option<PathBuf>,
        /// Take the values of this host where they differ from the built-in profile
        #[arg(long)]
        from_host: bool,
        #[command(flatten)]
        from: From,
    },
}

/// What decides the desired settings. Options that are not given are those of the last setup.
#[derive(Debug, ClapArgs)]
pub(crate) struct ChoiceArgs {
    /// Profile: a file, or hft or hft-max, which are built in; without it /etc/hftune/profile.toml where it exists, else hft
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// CPUs that serve the OS, like 0-1; overrides the rule and the profile
    #[arg(long, value_name = "LIST", value_parser = parse_list)]
    pub housekeeping: Option<CpuSet>,
    /// Set what a guard advises against
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Json {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Consent {
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// The least and the most time that a setup may wait: a reboot takes minutes, and nobody waits longer than a night.
const WAITS: RangeInclusive<u64> = 30..=86_400;

fn parse_time(text: &str) -> Result<Duration, String> {
    time_within(text, WAITS, "30s")
}

/// Reads the length of a measurement.
fn parse_length(text: &str) -> Result<Duration, String> {
    time_within(text, 1..=*WAITS.end(), "1s")
}

fn time_within(text: &str, range: RangeInclusive<u64>, least: &str) -> Result<Duration, String> {
    let expected = || format!("expected a time like 90s, 10m or 1h, from {least} to 24h");
    let at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(expected()),
    };
    let number: u64 = number.parse().map_err(|_| expected())?;
    let seconds = number.saturating_mul(seconds);
    if range.contains(&seconds) {
        Ok(Duration::from_secs(seconds))
    } else {
        Err(expected())
    }
}

fn parse_list(text: &str) -> Result<CpuSet, String> {
    let set: CpuSet = text
        .parse()
        .map_err(|e: hftune_model::Error| e.in_one_line())?;
    if set.is_empty() {
        return Err("the list is empty; write CPUs like 0-1".to_owned());
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
