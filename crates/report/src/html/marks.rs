//! A mark for each cause: a shape and a colour, the same in every chart.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hftune_model::jitter::Cpu;

use super::escape::Text;
use super::page::Measured;
use crate::jitter::causes;

/// How many causes have a mark of their own; the rest share the last.
const MARKS: usize = 7;

/// The shapes, each around the point where its path begins.
const SHAPES: [&str; MARKS + 1] = [
    "m-2.5-2.5h5v5h-5z",
    "m0-3.5l3.5 3.5l-3.5 3.5l-3.5-3.5z",
    "m0-3.2l3.2 5.7h-6.4z",
    "m-3-1h2v-2h2v2h2v2h-2v2h-2v-2h-2z",
    "m0 3.2l3.2-5.7h-6.4z",
    "m-3.5-1h7v2h-7z",
    "m-1-3.5h2v7h-2z",
    "m-1.6-1.6h3.2v3.2h-3.2z",
];

/// Which mark each cause has.
pub(super) struct Marks(Vec<String>);

impl Marks {
    /// Those that took the most time get one.
    pub(super) fn of(measured: &[Measured]) -> Self {
        let mut lost: BTreeMap<String, f64> = BTreeMap::new();
        for one in measured {
            for cause in causes(&one.jitter.cpus) {
                *lost.entry(cause.cause).or_default() +=
                    cause.lost_ns / one.jitter.seconds.max(1e-9);
            }
        }
        let mut lost: Vec<(String, f64)> = lost.into_iter().collect();
        lost.sort_by(|a, b| b.1.total_cmp(&a.1));
        Self(
            lost.into_iter()
                .take(MARKS)
                .map(|(cause, _)| cause)
                .collect(),
        )
    }

    /// The number of the mark of a cause; `None` is one that has no name.
    fn place(&self, cause: Option<&str>) -> usize {
        self.0
            .iter()
            .position(|known| Some(known.as_str()) == cause)
            .unwrap_or(MARKS)
    }

    /// The mark alone, to stand before the name of a cause.
    pub(super) fn sign(&self, cause: &str) -> String {
        sign(self.place(Some(cause)))
    }

    /// The marks of points of one CPU, with what they are called.
    pub(super) fn draw(&self, cpu: &Cpu, points: &[(f64, f64, usize)], out: &mut String) {
        let mut paths: BTreeMap<usize, (String, usize)> = BTreeMap::new();
        for (x, y, cause) in points {
            let mark = self.place(cpu.causes.get(*cause).map(|cause| cause.cause.as_str()));
            let (path, count) = paths.entry(mark).or_default();
            let _ = write!(path, "M{x:.1} {y:.1}{}", SHAPES[mark]);
            *count += 1;
        }
        for (mark, (path, count)) in paths {
            let _ = writeln!(
                out,
                "<path class=\"c{mark}\" d=\"{path}\"><title>{}: {count}</title></path>",
                Text(self.0.get(mark).map_or("other causes", String::as_str))
            );
        }
    }

    /// What each mark means.
    pub(super) fn legend(&self) -> String {
        let mut out = "<ul class=\"legend\">\n".to_owned();
        for (place, cause) in self.0.iter().enumerate() {
            let _ = writeln!(out, "<li>{} {}</li>", sign(place), Text(cause));
        }
        let _ = writeln!(out, "<li>{} other causes</li>\n</ul>", sign(MARKS));
        out
    }
}

fn sign(place: usize) -> String {
    format!(
        "<svg class=\"sign\" viewBox=\"-5 -5 10 10\" aria-hidden=\"true\"><path class=\"c{place}\" d=\"M0 0{}\"/></svg>",
        SHAPES[place]
    )
}
