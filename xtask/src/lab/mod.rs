//! `cargo xtask lab`: a virtual machine in which hftune does its whole job for real.
//!
//! No KVM, no loop device, no mount and no network for the guest are needed; root only to install tools and to build
//! the image, which is cached.

mod apt_private;
mod apt_sources;
mod bls_grub;
mod boot_entries;
mod boot_sectors;
mod cache;
mod checks;
mod control;
mod fleet;
mod guest;
mod guest_packages;
mod image;
mod interrupts;
mod kept_guest;
mod libvma;
mod machine;
mod measure;
mod monitor;
mod nic;
mod packages;
mod ports;
mod power;
mod quiet;
mod recipe;
mod scenario;
mod scenario_bls;
mod scenario_export;
mod scenario_main;
mod scenario_package;
mod scenario_report;
mod scenario_stock;
mod snapshot;
mod steps;
mod tap;
mod tree;
mod tree_files;
mod tuned_state;

use crate::skip::skip;
use crate::{dist, static_build, workspace};
use anyhow::{Context, Result};
pub use apt_private::{PrivateApt, apt_get, apt_install};
pub use checks::Checks;
use clap::Subcommand;
pub use guest::free_port;
use image::{Image, Menu};
use machine::Clock;
pub use snapshot::Snapshot;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Options of `cargo xtask lab`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Run the main job: stock, plan, setup, reboot, verify, rollback, reboot, stock
    Main {
        /// Only prove the lab itself: a stock guest, measured, rebooted, and compared
        #[arg(long, conflicts_with = "binary")]
        stock_only: bool,
        #[command(flatten)]
        binary: Binary,
    },
    /// Run the main job where GRUB reads /boot/loader/entries, a new kernel's entry included
    Bls {
        #[command(flatten)]
        binary: Binary,
    },
    /// Install the deb, do the main job, refuse removal, upgrade in the middle of a setup, purge: nothing is left
    Package {
        #[command(flatten)]
        binary: Binary,
    },
    /// Tune network ports of four drivers; wreck, rename and unplug them; give them back
    Nic {
        #[command(flatten)]
        binary: Binary,
    },
    /// Bring two guests to verified state with the Ansible collection, one of them broken on purpose
    Fleet {
        #[command(flatten)]
        binary: Binary,
    },
    /// Cut the power at random moments of a setup, and let a setup wait for its confirmation
    Power {
        /// How often
        #[arg(long, default_value_t = 20)]
        cuts: u32,
        #[command(flatten)]
        binary: Binary,
    },
    /// Count what disturbs isolated CPUs: stock, scripts, profiles of tuned, profiles of hftune. Takes most of an hour
    Quiet {
        /// Only the rows whose names hold one of these words
        rows: Vec<String>,
        /// Boot the kernel of the release's backports
        #[arg(long)]
        newer_kernel: bool,
        /// Measure what hft-max adds to hft, one by one
        #[arg(long)]
        each: bool,
        #[command(flatten)]
        binary: Binary,
    },
    /// Measure jitter on a stock guest and on one that is set up, and put both on one page
    Report {
        #[command(flatten)]
        binary: Binary,
    },
    /// Run what export wrote, in a shell and in Debian's tuned, against what setup makes
    Export {
        #[command(flatten)]
        binary: Binary,
    },
    /// Build the guests' images and cache them
    Image,
    /// Start a guest that stays, with hftune in it
    Up {
        /// Let guest time follow instructions: slower, but rates are real
        #[arg(long)]
        icount: bool,
        /// Leave hftune out
        #[arg(long, conflicts_with = "binary")]
        stock: bool,
        #[command(flatten)]
        binary: Binary,
    },
    /// Open a shell in the guest that stays, or run a command there
    Shell {
        /// The command
        #[arg(trailing_var_arg = true)]
        command: Vec<String>,
    },
    /// End the guest that stays
    Down,
}

#[derive(clap::Args)]
struct Binary {
    /// Test this static binary instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

impl Binary {
    fn get(self) -> Result<PathBuf> {
        self.binary.map_or_else(static_build::hftune, Ok)
    }
}

/// Runs the main scenario with a freshly built hftune, as `cargo xtask test` does.
pub fn run_main() -> Result<ExitCode> {
    run(Args {
        job: Job::Main {
            stock_only: false,
            binary: Binary { binary: None },
        },
    })
}

/// Runs the scenario of the boot entries with a freshly built hftune, as `cargo xtask test` does.
pub fn run_bls() -> Result<ExitCode> {
    run(Args {
        job: Job::Bls {
            binary: Binary { binary: None },
        },
    })
}

/// Runs the scenario of the network ports with a freshly built hftune, as `cargo xtask test` does.
pub fn run_nic() -> Result<ExitCode> {
    run(Args {
        job: Job::Nic {
            binary: Binary { binary: None },
        },
    })
}

/// Runs the lab.
pub fn run(args: Args) -> Result<ExitCode> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(skip(
            "the lab runs on Linux on x86-64 only: its guest is one, and its tools are installed with apt",
        ));
    }
    let root = workspace::target_dir()?.join("lab");
    fs::create_dir_all(&root)?;
    let kept = root.join("up");
    match args.job {
        Job::Main {
            stock_only: true, ..
        } => scenario(&root, "stock", Menu::GrubCfg, scenario_stock::run),
        Job::Main { binary, .. } => {
            let binary = binary.get()?;
            scenario(&root, "main", Menu::GrubCfg, |image, logs| {
                scenario_main::run(image, &binary, logs)
            })
        }
        Job::Bls { binary } => {
            let binary = binary.get()?;
            scenario(&root, "bls", Menu::Entries, |image, logs| {
                scenario_bls::run(image, &binary, logs)
            })
        }
        Job::Package { binary } => {
            let binary = binary.get()?;
            let (deb, newer) = debs(&binary, &root.join("debs"))?;
            let packages = scenario_package::Packages {
                deb: &deb,
                newer: &newer,
                newer_version: NEWER,
            };
            scenario(&root, "package", Menu::GrubCfg, |image, logs| {
                scenario_package::run(image, &packages, logs)
            })
        }
        Job::Nic { binary } => {
            let binary = binary.get()?;
            scenario(&root, "nic", Menu::GrubCfg, |image, logs| {
                nic::run(image, &binary, logs)
            })
        }
        Job::Fleet { binary } => {
            let binary = fs::canonicalize(binary.get()?)?;
            scenario(&root, "fleet", Menu::GrubCfg, |image, logs| {
                fleet::run(image, &binary, logs)
            })
        }
        Job::Power { cuts, binary } => {
            let binary = binary.get()?;
            scenario(&root, "power", Menu::GrubCfg, |image, logs| {
                power::run(image, &binary, logs, cuts)
            })
        }
        Job::Quiet {
            rows,
            newer_kernel,
            each,
            binary,
        } => {
            let binary = binary.get()?;
            let (kernel, of_kernel) = if newer_kernel {
                (quiet::Kernel::Backports, "-newer-kernel")
            } else {
                (quiet::Kernel::Release, "")
            };
            let name = format!("quiet{of_kernel}{}", if each { "-each" } else { "" });
            let asked = quiet::Wanted {
                kernel,
                only: &rows,
                each,
            };
            scenario(&root, &name, Menu::GrubCfg, |image, logs| {
                quiet::run(image, &asked, &binary, logs)
            })
        }
        Job::Report { binary } => {
            let binary = binary.get()?;
            scenario(&root, "report", Menu::GrubCfg, |image, logs| {
                scenario_report::run(image, &binary, logs)
            })
        }
        Job::Export { binary } => {
            let binary = binary.get()?;
            scenario(&root, "export", Menu::GrubCfg, |image, logs| {
                scenario_export::run(image, &binary, logs)
            })
        }
        Job::Image => {
            prepare(Menu::GrubCfg, &root)?;
            prepare(Menu::Entries, &root)?;
            Ok(ExitCode::SUCCESS)
        }
        Job::Up {
            icount,
            stock,
            binary,
        } => {
            let binary = if stock { None } else { Some(binary.get()?) };
            let clock = if icount {
                Clock::Instructions
            } else {
                Clock::Host
            };
            let image = prepare(Menu::GrubCfg, &root)?;
            kept_guest::up(&image, binary.as_deref(), &kept, clock).map(|()| ExitCode::SUCCESS)
        }
        Job::Shell { command } => kept_guest::shell(&kept, &command).map(|()| ExitCode::SUCCESS),
        Job::Down => kept_guest::down(&kept).map(|()| ExitCode::SUCCESS),
    }
}

/// A version that is higher than every real one.
const NEWER: &str = "99.0.0";

/// The deb of this binary, and one with a higher version.
fn debs(binary: &Path, out: &Path) -> Result<(PathBuf, PathBuf)> {
    let formats = ["deb".to_owned()];
    let mut made = Vec::new();
    for version in [None, Some(NEWER)] {
        made.extend(dist::make(&dist::Request {
            binary,
            out,
            formats: &formats,
            version,
        })?);
    }
    let newer = made.pop().context("no deb was made")?;
    let deb = made.pop().context("one deb was made, not two")?;
    Ok((deb, newer))
}

/// Installs what is missing on this machine and builds the image if it is not cached.
fn prepare(menu: Menu, logs: &Path) -> Result<Image> {
    packages::ensure(logs)?;
    image::ensure(menu, logs)
}

/// Runs a scenario in a folder of its own, once more where a boot stalls; it succeeds where all that was asserted held.
fn scenario(
    root: &Path,
    name: &str,
    menu: Menu,
    mut run: impl FnMut(&Image, &Path) -> Result<bool>,
) -> Result<ExitCode> {
    let image = prepare(menu, root)?;
    let logs = root.join(name);
    let all_held = guest::with_one_retry(&logs, || run(&image, &logs))?;
    Ok(if all_held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
