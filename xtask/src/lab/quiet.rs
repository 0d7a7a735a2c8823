//! Scenario `quiet`: how often the isolated CPUs of the same guest are disturbed, stock, under the settings of others, and under
//! the profiles of hftune. Instructions drive the guest's clock, so that rates are real; one boot a row.

mod counts;
mod table;
pub mod tuned;

use super::control::Control;
use super::guest::{Guest, Options};
use super::image::Image;
use super::machine::Clock;
use super::measure::MEASURED;
use super::ports::Ports;
use crate::progress::say;
use anyhow::{Context, Result, ensure};
use counts::Window;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Windows with a loop on each CPU, and how long each is in guest seconds.
const WINDOWS: u32 = 3;
const SECONDS: u32 = 20;

/// Guest time after a boot in which services come to rest.
const SETTLE: u32 = 30;

/// Nothing that prepares a guest takes longer.
const SHUTDOWN: Duration = Duration::from_secs(120);

/// How a guest is prepared.
#[derive(Clone, Copy)]
enum How {
    Stock,
    Classic,
    Tuned(&'static str),
    /// `hftune setup` with a profile.
    Hftune(&'static str),
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

/// What was measured of a row.
pub struct Measured {
    /// Its name.
    pub name: &'static str,
    /// With a loop on each CPU.
    pub busy: Vec<Window>,
    /// With nothing to do.
    pub idle: Vec<Window>,
}

/// Runs the rows whose names hold one of the words, or all; true where the goals are met.
pub fn run(image: &Image, binary: &Path, logs: &Path, only: &[String]) -> Result<bool> {
    let wanted =
        |row: &&Row| only.is_empty() || only.iter().any(|word| row.name.contains(word.as_str()));
    let mut measured = Vec::new();
    let mut with_tuned: Option<Image> = None;
    for row in ROWS.iter().filter(wanted) {
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
        let (busy, idle) = measure(&copy, &folder)?;
        fs::remove_file(&copy.disk)?;
        measured.push(Measured {
            name: row.name,
            busy,
            idle,
        });
        // After each row: a run of an hour may be cut off.
        fs::write(logs.join("quiet.md"), table::markdown(&measured))?;
        fs::write(logs.join("quiet.svg"), table::picture(&measured))?;
    }
    if let Some(base) = with_tuned {
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
        How::Hftune(profile) => {
            control.put(binary, "/usr/local/bin/hftune", 0o755)?;
            let answer = control.run(&format!("hftune setup --yes --profile {profile}"))?;
            ensure!(
                matches!(answer.code, Some(0 | 4)),
                "setup exits with {:?}: {}{}",
                answer.code,
                answer.stdout,
                answer.stderr
            );
        }
    }
    guest.power_off(SHUTDOWN)
}

fn measure(image: &Image, logs: &Path) -> Result<(Vec<Window>, Vec<Window>)> {
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

/// Runs the script in the background and waits: it takes longer than one command may. In memory, so that no disk disturbs a CPU.
fn windows(control: &Control) -> Result<String> {
    let cpus = MEASURED.map(|cpu| cpu.to_string()).join(" ");
    control.put_text(include_str!("scripts/quiet.sh"), "/run/quiet.sh")?;
    control.read(&format!(
        "nohup taskset -c 0,1 sh -c 'sh /run/quiet.sh {SECONDS} {WINDOWS} {cpus} > /run/samples 2> /run/errors; \
         echo $? > /run/done' > /dev/null 2>&1 < /dev/null & echo"
    ))?;
    loop {
        std::thread::sleep(Duration::from_secs(20));
        let done = control.read("cat /run/done 2> /dev/null || :")?;
        match done.trim() {
            "" => {}
            "0" => return control.read("cat /run/samples"),
            code => {
                let errors = control.read("cat /run/errors")?;
                return Err(anyhow::anyhow!("quiet.sh exits with {code}: {errors}"))
                    .context("measuring");
            }
        }
    }
}
