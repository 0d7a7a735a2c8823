//! The emulator's monitor: what a hand at the machine does. Cables are pulled, cards come and go.

use anyhow::{Context, Result, bail};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// What the monitor prints when it waits for a command.
const PROMPT: &str = "(qemu) ";

/// It answers at once, on a busy machine a little later.
const CAP: Duration = Duration::from_secs(30);

/// Gives `command` to the monitor and waits for its prompt. `log` takes all that it prints; a command that works prints
/// nothing.
pub fn run(input: &mut impl Write, log: &Path, command: &str) -> Result<()> {
    let before = prompts(&read(log)?);
    writeln!(input, "{command}").context("the emulator's monitor")?;
    input.flush()?;
    let deadline = Instant::now() + CAP;
    while Instant::now() < deadline {
        let text = read(log)?;
        // One stands there since the last command, or since the start.
        if prompts(&text) > before.max(1) {
            return match answer(&text) {
                "" => Ok(()),
                said => bail!("the emulator's monitor, of `{command}`: {said}"),
            };
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!(
        "no answer of the emulator's monitor to `{command}` in {} s",
        CAP.as_secs()
    )
}

fn read(log: &Path) -> Result<String> {
    let bytes = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn prompts(text: &str) -> usize {
    text.matches(PROMPT).count()
}

/// What stands between the last two prompts, but for the echo of the command, which ends its line.
fn answer(text: &str) -> &str {
    let between = text.rsplit(PROMPT).nth(1).unwrap_or_default();
    between
        .split_once('\n')
        .map_or("", |(_, answer)| answer)
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_echo_is_no_answer() {
        let fine = "QEMU 10.0 monitor - type 'help'\r\n(qemu) s\u{1b}[Kse\u{1b}[Kset_link nic0 off\r\n(qemu) ";
        assert_eq!(answer(fine), "");
        assert_eq!(prompts(fine), 2);
        let refused = "(qemu) device_del x\r\nError: Device 'x' not found\r\n(qemu) ";
        assert_eq!(answer(refused), "Error: Device 'x' not found");
    }
}
