//! Scales and frames of charts.

use std::fmt::Write as _;

use super::escape::Text;

/// The size of a chart in its own units, and the room around what is drawn.
pub(super) const WIDTH: f64 = 640.0;
pub(super) const HEIGHT: f64 = 300.0;
pub(super) const LEFT: f64 = 72.0;
pub(super) const RIGHT: f64 = WIDTH - 32.0;
pub(super) const TOP: f64 = 36.0;
pub(super) const BOTTOM: f64 = HEIGHT - 52.0;

/// A logarithmic scale: whole decades between two places of a chart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decades {
    first: i32,
    last: i32,
    from: f64,
    to: f64,
}

impl Decades {
    /// The decades that hold these values, at least one; values that have no logarithm count for nothing.
    pub(super) fn around(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite() && *value > 0.0) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = (1.0, 10.0);
        }
        #[allow(clippy::cast_possible_truncation, reason = "an f64 has 617 decades")]
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        Self {
            first,
            last: last.max(first + 1),
            from,
            to,
        }
    }

    /// Where a value is; the ends for what lies beyond them.
    pub(super) fn at(self, value: f64) -> f64 {
        let (first, last) = (f64::from(self.first), f64::from(self.last));
        let decade = if value > 0.0 { value.log10() } else { first };
        self.from + (decade.clamp(first, last) - first) / (last - first) * (self.to - self.from)
    }

    /// The powers of ten.
    pub(super) fn powers(self) -> impl Iterator<Item = f64> {
        (self.first..=self.last).map(|power| 10f64.powi(power))
    }

    /// The powers of ten that get a label: so few that they do not touch.
    pub(super) fn labels(self, most: usize) -> impl Iterator<Item = f64> {
        let count = usize::try_from(self.last - self.first).unwrap_or(0) + 1;
        self.powers().step_by(count.div_ceil(most).max(1))
    }

    /// The place of the first decade.
    pub(super) fn start(self) -> f64 {
        self.from
    }

    /// The bounds of bins, so many in each decade.
    pub(super) fn bins(self, in_decade: i32) -> impl Iterator<Item = (f64, f64)> {
        let bound = move |n: i32| 10f64.powf(f64::from(n) / f64::from(in_decade));
        (self.first * in_decade..self.last * in_decade).map(move |n| (bound(n), bound(n + 1)))
    }
}

/// Opens a chart that tells what it is to those who do not see it.
pub(super) fn open(title: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{0}\">\n<title>{0}</title>",
        Text(title)
    );
}

/// Lines at the decades of both axes, or at `xs` of the horizontal one, with labels, and the names of the axes.
pub(super) fn axes(
    xs: &[(f64, String)],
    vertical: Decades,
    label: impl Fn(f64) -> String,
    names: [&str; 2],
    out: &mut String,
) {
    let mut grid = String::new();
    for (x, text) in xs {
        let _ = write!(grid, "M{x:.1} {TOP}V{BOTTOM}");
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{text}</text>",
            BOTTOM + 20.0
        );
    }
    for value in vertical.powers() {
        let _ = write!(grid, "M{LEFT} {:.1}H{RIGHT}", vertical.at(value));
    }
    for value in vertical.labels(7) {
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            vertical.at(value) + 4.0,
            label(value)
        );
    }
    let _ = writeln!(
        out,
        "<path class=\"grid\" d=\"{grid}\"/>\n<text class=\"axis\" x=\"{RIGHT}\" y=\"{}\" text-anchor=\"end\">{}</text>\n\
         <text class=\"axis\" x=\"4\" y=\"16\">{}</text>",
        HEIGHT - 8.0,
        names[0],
        names[1]
    );
}

/// A power of ten for people: 0.01, 100, 10k, 1M.
pub(super) fn count(value: f64) -> String {
    if value >= 1e6 {
        format!("{:.0}M", value / 1e6)
    } else if value >= 1e4 {
        format!("{:.0}k", value / 1e3)
    } else {
        decimals(value, value)
    }
}

/// A number with as many decimals as `step` has, which is a power of ten or a few of it.
pub(super) fn decimals(value: f64, step: f64) -> String {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 9"
    )]
    let places = (-(step.max(1e-9).log10() + 1e-9).floor()).clamp(0.0, 9.0) as usize;
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_holds_what_it_is_made_of() {
        let scale = Decades::around([30.0, 0.0, f64::NAN, 2e6].into_iter(), 0.0, 60.0);
        assert_eq!(scale.powers().count(), 7, "10 to 10^7");
        assert!((scale.at(1e4) - 30.0).abs() < 1e-9);
        assert!((scale.at(0.0)).abs() < 1e-9 && (scale.at(1e99) - 60.0).abs() < 1e-9);
        assert_eq!(scale.labels(4).count(), 4);
        assert_eq!(scale.bins(2).count(), 12);
        assert_eq!(
            Decades::around(std::iter::empty(), 0.0, 1.0)
                .powers()
                .count(),
            2
        );
    }

    #[test]
    fn labels_are_short() {
        assert_eq!(
            [0.01, 1000.0, 1e4, 1e7].map(count),
            ["0.01", "1000", "10k", "10M"]
        );
    }
}
