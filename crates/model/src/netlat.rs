//! Latency between two hosts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The schema of [`Netlat`].
pub const SCHEMA: &str = "hftune/netlat/1";

/// Rounds of one way, or of two in turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Netlat {
    /// "hftune/netlat/1".
    pub schema: String,
    /// When it began, UTC.
    pub time: String,
    /// The other end.
    pub peer: String,
    /// What was sent, in words.
    pub traffic: String,
    /// What must be known to read the numbers.
    pub notes: Vec<String>,
    /// The ways.
    pub ways: Vec<Way>,
    /// Whether the second way differs from the first, figure by figure.
    pub compared: Vec<Compared>,
}

/// One way of sending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Way {
    /// "A" or "B".
    pub name: String,
    /// The options of sockperf.
    pub options: String,
    /// Its rounds, in their order.
    pub rounds: Vec<Round>,
}

/// One round: half of a round trip, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Round {
    /// Messages that were answered.
    pub count: u64,
    /// Messages that were lost, or came twice or out of order.
    pub lost: u64,
    /// The latency that half of them do not exceed.
    pub p50_us: f64,
    /// That of 99 %.
    pub p99_us: f64,
    /// That of 99.9 %.
    pub p999_us: f64,
    /// The longest.
    pub max_us: f64,
}

/// A figure of both ways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compared {
    /// "p50", "p99", "p99.9" or "max".
    pub figure: String,
    /// The medians of the rounds.
    pub a_us: f64,
    /// As above.
    pub b_us: f64,
    /// Whether every round of one way is below every round of the other.
    pub apart: bool,
}

/// A figure, and its name.
pub type Figure = (&'static str, fn(&Round) -> f64);

/// The figures that are compared.
pub const FIGURES: [Figure; 4] = [
    ("p50", |round| round.p50_us),
    ("p99", |round| round.p99_us),
    ("p99.9", |round| round.p999_us),
    ("max", |round| round.max_us),
];

impl Way {
    /// The least, the median and the greatest of a figure; zeros without rounds.
    pub fn spread(&self, figure: fn(&Round) -> f64) -> (f64, f64, f64) {
        let mut values: Vec<f64> = self.rounds.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        let at = |i: usize| values.get(i).copied().unwrap_or_default();
        (
            at(0),
            at(values.len() / 2),
            at(values.len().saturating_sub(1)),
        )
    }
}

/// Compares two ways: they are apart where their rounds do not overlap.
pub fn compare(a: &Way, b: &Way) -> Vec<Compared> {
    let compared = |(name, of): Figure| {
        let ((a_least, a_median, a_most), (b_least, b_median, b_most)) =
            (a.spread(of), b.spread(of));
        Compared {
            figure: name.to_owned(),
            a_us: a_median,
            b_us: b_median,
            apart: a_most < b_least || b_most < a_least,
        }
    };
    FIGURES.into_iter().map(compared).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(p50: &[f64]) -> Way {
        let rounds = p50.iter().map(|p50_us| Round {
            p50_us: *p50_us,
            p99_us: 5.0,
            ..Round::default()
        });
        Way {
            name: "A".to_owned(),
            options: String::new(),
            rounds: rounds.collect(),
        }
    }

    #[test]
    fn rounds_that_overlap_cannot_be_told_apart() {
        let told = compare(&way(&[3.0, 3.2, 3.1]), &way(&[3.1, 9.0, 8.0]));
        assert!(!told[0].apart);
        let told = compare(&way(&[3.0, 3.2, 3.1]), &way(&[7.5, 9.0, 8.0]));
        assert!(told[0].apart && !told[1].apart);
        assert!((told[0].a_us - 3.1).abs() < 1e-9 && (told[0].b_us - 8.0).abs() < 1e-9);
    }
}
