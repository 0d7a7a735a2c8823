//! Scenario `quiet`: how often the isolated CPUs of the same guest are disturbed, stock, under the settings of others, and under
//! the profiles of hftune. Instructions drive the guest's clock, so that rates are real; one boot a row.

mod counts;
mod newer_kernel;
mod table;
pub mod tuned;

use super::control::Control;
use super::guest::{Guest, Options, SHUTDOWN};
use super::image::Image;
use super::machine::Clock;
use super::measure::MEASURED;
use super::ports::Ports;
use crate::progress::say;
use anyhow::{Result, ensure};
use counts::Window;
use std::fs;
use std::path::Path;

/// Windows with a loop on each CPU, and how long each is in guest seconds.
const WINDOWS: u32 = 3;
const SECONDS: u32 = 20;

/// Guest time after a boot in which services come to rest.
const SETTLE: u32 = 30;

/// The kernel that the guests boot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// That of the release.
    Release,
    /// That of its backports.
    Backports,
}

/// How a guest is prepared.
#[derive(Clone, Copy)]
enum How {
    Stock,
    Classic,
    Tuned(&'static str),
    /// `hftune setup` with a profile.
    Hftune(&'static str),
    /// The same with hft and these lines of a profile.
    HftAnd(&'static str),
}

/// A row of the table.
struct Row {
    name: &'static str,
    how: How,
}

const ROWS: &[Row] = &[
    Row {
        name: "stock",
        how: How::Stock,
    },
    Row {
        name: "classic scripts",
        how: How::Classic,
    },
    Row {
        name: "tuned network-latency",
        how: How::Tuned("network-latency"),
    },
    Row {
        name: "tuned realtime",
        how: How::Tuned("realtime"),
    },
    Row {
        name: "tuned cpu-partitioning",
        how: How::Tuned("cpu-partitioning"),
    },
    Row {
        name: "hftune hft",
        how: How::Hftune("hft"),
    },
    Row {
        name: "hftune hft-max",
        how: How::Hftune("hft-max"),
    },
];

/// What hft-max adds to hft, one by one; and hft without what matters most on newer kernels.
const EACH: &[Row] = &[
    Row {
        name: "hft and skew_tick",
        how: How::HftAnd("[boot]\nskew_tick = \"1\"\n"),
    },
    Row {
        name: "hft and nowatchdog",
        how: How::HftAnd("[boot]\nnowatchdog = true\n"),
    },
    Row {
        name: "hft and nohz_full_patience_delay",
        how: How::HftAnd("[boot]\n\"rcutree.nohz_full_patience_delay\" = \"1000\"\n"),
    },
    Row {
        name: "hft and timer_migration",
        how: How::HftAnd("[sysctl]\n\"kernel.timer_migration\" = 0\n"),
    },
    Row {
        name: "hft and check_interval",
        how: How::HftAnd("[kernel]\ncheck_interval = 0\n"),
    },
    Row {
        name: "hft and ksm_run",
        how: How::HftAnd("[kernel]\nksm_run = 0\n"),
    },
    Row {
        name: "hft without fair_server_runtime",
        how: How::HftAnd("[kernel]\nfair_server_runtime = -1\n"),
    },
];

/// Which rows are measured, and how.
pub struct Wanted<'a> {
    /// The kernel that the guests boot.
    pub kernel: Kernel,
    /// Only the rows whose names hold one of these words.
    pub only: &'a [String],
    /// What hft-max adds, one by one, in place of whole profiles.
    pub each: bool,
}

/// What was measured of a row.
pub struct Measured {
    /// Its name.
    pub name: &'static str,
    /// Its windows.
    pub windows: Vec<Window>,
}

/// Runs the rows whose names hold one of the words, or all; true where the goals are met.
pub fn run(image: &Image, asked: &Wanted<'_>, binary: &Path, logs: &Path) -> Result<bool> {
    let newer = match asked.kernel {
        Kernel::Release => None,
        Kernel::Backports => Some(newer_kernel::image(image, logs)?),
    };
    let image = newer.as_ref().unwrap_or(image);
    let wanted = |row: &&Row| {
        asked.only.is_empty()
            || asked
                .only
                .iter()
                .any(|word| row.name.contains(word.as_str()))
    };
    let rows = if asked.each { EACH } else { ROWS };
    let mut measured = Vec::new();
    let mut with_tuned: Option<Image> = None;
    for row in rows.iter().filter(wanted) {
        say(format!("quiet: {}", row.name));
        let folder = logs.join(row.name.replace(' ', "-"));
        fs::create_dir_all(&folder)?;
        let copy = match (row.how, &with_tuned) {
            (How::Tuned(_), Some(base)) => base.copied(&folder)?,
            (How::Tuned(_), None) => with_tuned
                .insert(tuned::image(image, logs)?)
                .copied(&folder)?,
            _ => image.copied(&folder)?,
        };
        prepare(row.how, &copy, binary, &folder)?;
        let windows = measure(&copy, &folder)?;
        fs::remove_file(&copy.disk)?;
        measured.push(Measured {
            name: row.name,
            windows,
        });
        // After each row: a run of an hour may be cut off.
        fs::write(logs.join("quiet.md"), table::markdown(&measured))?;
        fs::write(logs.join("quiet.svg"), table::picture(&measured))?;
    }
    for base in [with_tuned, newer].into_iter().flatten() {
        fs::remove_file(base.disk)?;
    }
    print!("{}", table::markdown(&measured));
    println!("\npicture: {}", logs.join("quiet.svg").display());
    Ok(table::goals_met(&measured))
}

fn options(clock: Clock) -> Options {
    Options {
        keep_changes: true,
        clock,
        ports: Ports::OfEveryScenario,
    }
}

/// Prepares the disk in a guest whose clock is the host's, which is quicker.
fn prepare(how: How, image: &Image, binary: &Path, logs: &Path) -> Result<()> {
    if matches!(how, How::Stock) {
        return Ok(());
    }
    let guest = Guest::boot(image, logs, options(Clock::Host))?;
    let control = guest.control();
    match how {
        How::Stock => {}
        How::Classic => {
            control.script("classic.sh", include_str!("scripts/classic.sh"), "")?;
        }
        How::Tuned(profile) => {
            control.script("tuned.sh", include_str!("scripts/tuned.sh"), profile)?;
        }
        How::Hftune(profile) => set_up(control, binary, profile)?,
        How::HftAnd(lines) => {
            control.read("mkdir -p /etc/hftune")?;
            let profile = format!("extends = \"hft\"\n{lines}");
            control.put_text(&profile, "/etc/hftune/profile.toml")?;
            set_up(control, binary, "/etc/hftune/profile.toml")?;
        }
    }
    guest.power_off(SHUTDOWN)
}

fn set_up(control: &Control, binary: &Path, profile: &str) -> Result<()> {
    control.put(binary, "/usr/local/bin/hftune", 0o755)?;
    let answer = control.run(&format!("hftune setup --yes --profile {profile}"))?;
    ensure!(
        matches!(answer.code, Some(0 | 4)),
        "setup exits with {:?}: {}{}",
        answer.code,
        answer.stdout,
        answer.stderr
    );
    Ok(())
}

fn measure(image: &Image, logs: &Path) -> Result<Vec<Window>> {
    let guest = Guest::boot(image, logs, options(Clock::Instructions))?;
    let control = guest.control();
    say("settling, then measuring");
    control.read(&format!("sleep {SETTLE}"))?;
    let text = windows(control)?;
    fs::write(logs.join("samples.txt"), &text)?;
    let cmdline = control.read("cat /proc/cmdline")?;
    fs::write(logs.join("cmdline.txt"), cmdline)?;
    drop(guest);
    counts::windows(&text)
}

/// Runs the script on the CPUs that are not measured.
fn windows(control: &Control) -> Result<String> {
    let cpus = MEASURED.map(|cpu| cpu.to_string()).join(" ");
    control.put_text(include_str!("scripts/quiet.sh"), "/run/quiet.sh")?;
    control.put_text(include_str!("scripts/disturb.sh"), "/run/disturb.sh")?;
    control.read_slowly(&format!(
        "exec taskset -c 0,1 sh /run/quiet.sh {SECONDS} {WINDOWS} 0,1 {cpus}"
    ))
}
