//! `hftune run` against the programs that do the same by hand: `chrt`, `taskset` and `env`, each of which executes the next,
//! and a script of bash.

use super::{Contestant, compile, print_table, ratio, side_by_side};
use crate::skip::skip;
use crate::{static_build, tool, workspace};
use anyhow::Result;
use std::path::Path;
use std::process::ExitCode;

/// Runs of each process.
const ROUNDS: usize = 300;

/// The application: it does nothing, and is statically linked, so that little but its start is measured.
const NOTHING: &str = "fn main() {}\n";

/// What a launcher that looks first does in bash.
const SCRIPT: &str = r#"set -e
cpus=0
read -r isolated < /sys/devices/system/cpu/isolated || true
read -r online < /sys/devices/system/cpu/online
if [ -z "$isolated" ]; then echo "warning: no CPU is isolated" >&2; fi
ulimit -l "$(ulimit -H -l)"
export HFTUNE_BENCH=1
exec chrt -f 10 taskset -c "$cpus" "$@"
"#;

pub fn run() -> Result<ExitCode> {
    for program in ["bash", "chrt", "taskset", "env"] {
        if tool::find(program).is_none() {
            return Err(skip(format!("{program} is not installed")));
        }
    }
    let permitted = tool::command("chrt").args(["-f", "10", "true"]).output()?;
    if !permitted.status.success() {
        return Err(skip("this user may not take a real-time priority"));
    }
    let hftune = static_build::hftune()?;
    let dir = workspace::target_dir()?.join("bench");
    std::fs::create_dir_all(&dir)?;
    let nothing = compile(&dir, "nothing", NOTHING)?;
    let script = dir.join("launch.sh");
    std::fs::write(&script, SCRIPT)?;
    println!(
        "compared: hftune run --cpus 0 --priority 10 --env HFTUNE_BENCH=1 -- NOTHING, the same as chrt, taskset and env one after \
         the other, and as a bash script that looks at the CPUs first. The output of all is thrown away.\n"
    );
    let mut contestants = contestants(&hftune, &nothing, &script);
    side_by_side(&mut contestants, ROUNDS)?;
    print_table(&contestants);
    let [ours, chain, script, alone] = &contestants[..] else {
        unreachable!("four contestants")
    };
    println!(
        "\nof chrt, taskset and env: {:.2} (goal 0.5); of the script: {:.2} (goal 0.3)\n\
         without the application itself, which all of them start: {:.2} and {:.2}",
        ratio(ours, chain),
        ratio(ours, script),
        above(ours, alone) / above(chain, alone),
        above(ours, alone) / above(script, alone),
    );
    Ok(ExitCode::SUCCESS)
}

fn contestants(hftune: &Path, nothing: &Path, script: &Path) -> Vec<Contestant> {
    let mut ours = tool::command(&hftune.to_string_lossy());
    ours.args([
        "run",
        "--cpus",
        "0",
        "--priority",
        "10",
        "--env",
        "HFTUNE_BENCH=1",
        "--",
    ])
    .arg(nothing);
    let mut chain = tool::command("chrt");
    chain
        .args(["-f", "10", "taskset", "-c", "0", "env", "HFTUNE_BENCH=1"])
        .arg(nothing);
    let mut bash = tool::command("bash");
    bash.arg(script).arg(nothing);
    let alone = tool::command(&nothing.to_string_lossy());
    vec![
        Contestant::new("hftune run", ours),
        Contestant::new("chrt, taskset, env", chain),
        Contestant::new("bash script", bash),
        Contestant::new("the application alone", alone),
    ]
}

/// Milliseconds beyond those of the application alone.
fn above(contestant: &Contestant, alone: &Contestant) -> f64 {
    (contestant.median().as_secs_f64() - alone.median().as_secs_f64()) * 1e3
}
