//! One line for Nagios, Icinga, Sensu and others that run plugins (Monitoring Plugins Development Guidelines): the status,
//! what is not as desired, and a count of each verdict as performance data.

use std::fmt::Write as _;

use hftune_model::finding::{Finding, Verdict};

use super::{Verified, counts};

/// How many settings are named in the line; the rest are counted.
const NAMED: usize = 5;

/// The exit codes of plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 0: as desired.
    Ok,
    /// 1: only a reboot is missing.
    Warning,
    /// 2: a setting is wrong, overridden or not permitted.
    Critical,
    /// 3: nothing is known to be wrong, but a setting could not be read, or verify failed.
    Unknown,
}

impl Status {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    fn of(verified: &Verified<'_>) -> Self {
        let any = |wanted: &[Verdict]| verified.all.iter().any(|f| wanted.contains(&f.verdict));
        if any(&[Verdict::Wrong, Verdict::Overridden, Verdict::NotPermitted]) {
            Self::Critical
        } else if any(&[Verdict::Unknown]) {
            Self::Unknown
        } else if any(&[Verdict::RebootPending]) {
            Self::Warning
        } else {
            Self::Ok
        }
    }
}

/// The line, and its status. The status is of all settings, whichever are listed elsewhere.
pub fn nagios(verified: &Verified<'_>) -> (String, Status) {
    let status = Status::of(verified);
    let all = verified.all;
    let mut line = format!("HFTUNE {} - ", status.word());
    let open: Vec<_> = all
        .iter()
        .filter(|f| f.verdict.is_finding() || f.verdict == Verdict::RebootPending)
        .collect();
    if open.is_empty() {
        let _ = write!(line, "as profile {} wants it", plain(verified.profile));
    } else {
        let _ = write!(
            line,
            "{} of {} settings not as profile {} wants them: ",
            open.len(),
            all.len(),
            plain(verified.profile)
        );
        // Findings before what only waits for a reboot.
        let (findings, waiting): (Vec<&Finding>, Vec<&Finding>) =
            open.iter().partition(|f| f.verdict.is_finding());
        let named: Vec<String> = findings
            .into_iter()
            .chain(waiting)
            .take(NAMED)
            .map(|f| format!("{} ({})", plain(&f.id), f.verdict))
            .collect();
        line.push_str(&named.join(", "));
        if open.len() > NAMED {
            let _ = write!(line, " and {} more", open.len() - NAMED);
        }
    }
    line.push_str(" |");
    for (verdict, n) in counts(all) {
        let (warning, critical) = match verdict {
            Verdict::RebootPending => ("0", ""),
            Verdict::Wrong | Verdict::Overridden | Verdict::NotPermitted => ("", "0"),
            _ => ("", ""),
        };
        let _ = write!(line, " {verdict}={n};{warning};{critical};0;{}", all.len());
    }
    line.push('\n');
    (line, status)
}

/// The line where verify itself failed.
pub fn nagios_failed(error: &str) -> (String, Status) {
    let status = Status::Unknown;
    let line = format!("HFTUNE {} - {}\n", status.word(), plain(error));
    (line, status)
}

/// Text in the line: a bar begins the performance data, and a line end the rest that few show.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '|' => '/',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn of(all: &[Finding]) -> (String, Status) {
        nagios(&Verified {
            profile: "hft",
            all,
            shown: &[],
            notes: &[],
        })
    }

    #[test]
    fn the_gravest_verdict_is_the_status() {
        let all = samples::findings();
        let (line, status) = of(&all);
        assert_eq!(status, Status::Critical);
        assert_eq!(
            line,
            "HFTUNE CRITICAL - 5 of 8 settings not as profile hft wants them: sysctl/vm.b (wrong), thp/enabled (overridden), \
             cpus/split (not-permitted), irq/a \"#\\/`<b>&amp; (unknown), boot/isolcpus (reboot-pending) | ok=1;;;0;8 \
             wrong=1;;0;0;8 overridden=1;;0;0;8 reboot-pending=1;0;;0;8 not-applicable=1;;;0;8 not-permitted=1;;0;0;8 \
             rounded=1;;;0;8 unknown=1;;;0;8\n"
        );
        assert_eq!(of(&all[7..]).1, Status::Unknown);
        assert_eq!(of(&all[3..5]).1, Status::Warning);
        let (line, status) = of(&all[..1]);
        assert_eq!(status, Status::Ok);
        assert!(line.starts_with("HFTUNE OK - as profile hft wants it | ok=1;;;0;1"));
    }

    #[test]
    fn a_failure_is_one_line_too() {
        assert_eq!(
            nagios_failed("a:\n b | c"),
            ("HFTUNE UNKNOWN - a:  b / c\n".to_owned(), Status::Unknown)
        );
    }
}
