//! How many gaps there are of each length, both axes logarithmic.

use std::fmt::Write as _;

use hftune_model::jitter::Cpu;

use super::escape::Text;
use super::svg::{BOTTOM, Decades, LEFT, RIGHT, TOP, axes, count, open};
use crate::jitter::{duration, rate as per_second};

/// Bins in a decade: finer ones are noise at this size.
const BINS: i32 = 8;

/// What one line of a chart is made of.
pub(super) struct Series<'a> {
    /// "before", "after", or "measured".
    pub word: &'static str,
    /// Its CPUs.
    pub cpus: Vec<&'a Cpu>,
    /// How long it was measured.
    pub seconds: f64,
}

impl Series<'_> {
    /// The lengths of gaps, and how many there are of each in a second of one CPU.
    fn rates(&self) -> impl Iterator<Item = (f64, f64)> {
        #[allow(clippy::cast_precision_loss, reason = "few CPUs")]
        let time = (self.seconds * self.cpus.len() as f64).max(1e-9);
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let of_cpu = move |cpu: &&Cpu| -> Vec<(f64, f64)> {
            cpu.histogram
                .iter()
                .map(|(ns, n)| (*ns, *n as f64 / time))
                .collect()
        };
        self.cpus.iter().flat_map(of_cpu)
    }

    /// Gaps of a length that is longer than `ns`, in a second of one CPU.
    pub(super) fn longer_than(&self, ns: f64) -> f64 {
        self.rates()
            .filter(|(length, _)| *length > ns)
            .fold(0.0, |sum, (_, rate)| sum + rate)
    }

    fn longest(&self) -> f64 {
        self.cpus
            .iter()
            .map(|cpu| cpu.gaps.max_ns)
            .fold(0.0, f64::max)
    }
}

/// The chart; nothing where there is no gap to show. With `hover`, each bin tells what it holds.
pub(super) fn chart(title: &str, all: &[Series<'_>], hover: bool) -> String {
    let lengths = || all.iter().flat_map(Series::rates).map(|(ns, _)| ns);
    if lengths().next().is_none() {
        return String::new();
    }
    let x = Decades::around(lengths(), LEFT, RIGHT);
    let binned: Vec<Vec<f64>> = all.iter().map(|series| bins(series, x)).collect();
    // Half of the least, so that a single gap stands above the axis.
    let rates = binned.iter().flatten().map(|rate| rate * 0.5);
    let y = Decades::around(rates.chain(binned.iter().flatten().copied()), BOTTOM, TOP);
    let mut out = String::new();
    open(title, &mut out);
    let labels: Vec<(f64, String)> = x.powers().map(|ns| (x.at(ns), short(ns))).collect();
    axes(
        &labels,
        y,
        count,
        ["length of the gap", "gaps a second"],
        &mut out,
    );
    for (series, binned) in all.iter().zip(&binned) {
        out += &line(series, binned, x, y);
        if hover {
            out += &bins_told(series, binned, x, y);
        }
    }
    for (row, series) in (0u8..).zip(all) {
        longest(series, x, TOP + 14.0 + 20.0 * f64::from(row), &mut out);
    }
    out + "</svg>\n"
}

/// Gaps in a second of one CPU, bin by bin.
fn bins(series: &Series<'_>, x: Decades) -> Vec<f64> {
    let bounds: Vec<(f64, f64)> = x.bins(BINS).collect();
    let mut bins = vec![0.0; bounds.len()];
    for (ns, rate) in series.rates() {
        let place = bounds
            .partition_point(|(_, to)| *to <= ns)
            .min(bins.len() - 1);
        bins[place] += rate;
    }
    bins
}

/// Where the top of a bin is; an empty one has none.
fn top(rate: f64, y: Decades) -> f64 {
    if rate > 0.0 { y.at(rate) } else { y.start() }
}

/// The outline of the bins.
fn line(series: &Series<'_>, binned: &[f64], x: Decades, y: Decades) -> String {
    let base = y.start();
    let mut path = format!("M{:.1} {base:.1}", x.start());
    for ((_, to), rate) in x.bins(BINS).zip(binned) {
        let _ = write!(path, "V{:.1}H{:.1}", top(*rate, y), x.at(to));
    }
    format!(
        "<path class=\"series {}\" d=\"{path}V{base:.1}z\"/>\n",
        series.word
    )
}

/// What each bin holds, for a pointer that rests on it.
fn bins_told(series: &Series<'_>, binned: &[f64], x: Decades, y: Decades) -> String {
    let mut out = String::new();
    for ((from, to), rate) in x.bins(BINS).zip(binned).filter(|(_, rate)| **rate > 0.0) {
        let (left, top) = (x.at(from), top(*rate, y));
        let _ = writeln!(
            out,
            "<rect class=\"hover\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\">\
             <title>{}, {} to {}: {} a second</title></rect>",
            x.at(to) - left,
            y.start() - top,
            series.word,
            duration(from),
            duration(to),
            per_second(*rate)
        );
    }
    out
}

/// A mark at the longest gap.
fn longest(series: &Series<'_>, x: Decades, top: f64, out: &mut String) {
    let max = series.longest();
    if max <= 0.0 {
        return;
    }
    let at = x.at(max);
    // The text stands where it has room.
    let (anchor, text) = if at > f64::midpoint(LEFT, RIGHT) {
        ("end", at - 5.0)
    } else {
        ("start", at + 5.0)
    };
    let _ = writeln!(
        out,
        "<path class=\"longest {0}\" d=\"M{at:.1} {1:.1}V{BOTTOM}\"/>\n\
         <text class=\"halo\" x=\"{text:.1}\" y=\"{top:.1}\" text-anchor=\"{anchor}\">{2} max {3}</text>",
        series.word,
        top - 14.0,
        Text(series.word),
        duration(max)
    );
}

/// What the lines of a chart are.
pub(super) fn legend(all: &[Series<'_>]) -> String {
    let mut out = "<ul class=\"legend\">\n".to_owned();
    for series in all {
        let _ = writeln!(
            out,
            "<li><svg class=\"key\" viewBox=\"0 0 40 14\" aria-hidden=\"true\"><path class=\"series {0}\" d=\"M1 12V3H39V12z\"/></svg> {0}</li>",
            series.word
        );
    }
    out + "</ul>\n"
}

/// A power of ten of nanoseconds.
pub(super) fn short(ns: f64) -> String {
    if ns < 1e3 {
        format!("{ns:.0} ns")
    } else if ns < 1e6 {
        format!("{:.0} us", ns / 1e3)
    } else if ns < 1e9 {
        format!("{:.0} ms", ns / 1e6)
    } else {
        format!("{:.0} s", ns / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::sample;

    #[test]
    fn both_lines_are_in_one_chart() {
        let (before, after) = (sample::jitter(10), sample::jitter(1));
        let both = [("before", &before), ("after", &after)].map(|(word, jitter)| Series {
            word,
            cpus: jitter.cpus.iter().collect(),
            seconds: jitter.seconds,
        });
        let html = chart("Gaps", &both, true);
        assert_eq!(html.matches("<svg").count(), 1);
        assert!(
            html.contains("class=\"series before\"") && html.contains("class=\"series after\"")
        );
        assert!(html.contains("before max 40.0 us"), "{html}");
        assert!(
            (both[0].longer_than(1000.0) - 5.0).abs() < 1e-9,
            "10 gaps in 2 s"
        );
    }

    #[test]
    fn without_a_gap_there_is_no_chart() {
        let mut jitter = sample::jitter(1);
        jitter.cpus[0].histogram.clear();
        let series = Series {
            word: "measured",
            cpus: jitter.cpus.iter().collect(),
            seconds: 0.0,
        };
        assert_eq!(chart("Gaps", &[series], true), "");
    }
}
