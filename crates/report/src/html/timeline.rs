//! When each gap was, how long it was, and what made it.

use hftune_model::jitter::{Cpu, Traced};

use super::histogram::short;
use super::marks::Marks;
use super::svg::{BOTTOM, Decades, LEFT, RIGHT, TOP, axes, decimals, open};

/// The lengths of gaps that charts which stand side by side must hold.
pub(super) fn scale<'c>(cpus: impl Iterator<Item = &'c Cpu>) -> Decades {
    let gaps = cpus
        .filter_map(|cpu| cpu.traced.as_ref())
        .flat_map(|traced| traced.timeline.iter().map(|(_, ns, _)| *ns));
    Decades::around(gaps, BOTTOM, TOP)
}

/// The chart of one CPU.
pub(super) fn chart(title: &str, cpu: &Cpu, traced: &Traced, y: Decades, marks: &Marks) -> String {
    let last = traced
        .timeline
        .iter()
        .map(|(at, ..)| *at)
        .fold(0.0, f64::max);
    let step = step(last);
    let end = (last / step).ceil().max(1.0) * step;
    let x = |at: f64| LEFT + (at / end).clamp(0.0, 1.0) * (RIGHT - LEFT);
    let mut out = String::new();
    open(title, &mut out);
    let labels: Vec<(f64, String)> = (0u8..=10)
        .map(|n| f64::from(n) * step)
        .take_while(|at| *at <= end * 1.0001)
        .map(|at| (x(at), format!("{} s", decimals(at, step))))
        .collect();
    axes(
        &labels,
        y,
        short,
        ["time since the start", "length of the gap"],
        &mut out,
    );
    let points: Vec<(f64, f64, usize)> = traced
        .timeline
        .iter()
        .map(|(at, ns, cause)| (x(*at), y.at(*ns), *cause))
        .collect();
    marks.draw(cpu, &points, &mut out);
    out + "</svg>\n"
}

/// The distance of the labels of time: 1, 2 or 5, so that there are at most six.
fn step(last: f64) -> f64 {
    (-3..=6)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)))
        .find(|step| last / step <= 5.0)
        .unwrap_or_else(|| last.max(1.0) / 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::page::Measured;
    use crate::html::sample;

    #[test]
    fn each_cause_has_its_mark_and_a_wrong_one_does_no_harm() {
        let mut jitter = sample::jitter(3);
        let traced = jitter.cpus[0].traced.as_mut().expect("a trace");
        traced.timeline.push((0.5, 100.0, 99));
        let measured = [Measured {
            name: "a".to_owned(),
            jitter: jitter.clone(),
        }];
        let cpu = &jitter.cpus[0];
        let marks = Marks::of(&measured);
        let html = chart(
            "CPU 3",
            cpu,
            cpu.traced.as_ref().expect("a trace"),
            scale(jitter.cpus.iter()),
            &marks,
        );
        assert!(
            html.contains("<title>thread &lt;evil&gt;: 3</title>"),
            "{html}"
        );
        assert!(html.contains("<title>other causes: 1</title>"), "{html}");
        assert!(marks.legend().contains("thread &lt;evil&gt;"));
    }

    #[test]
    fn labels_of_time_are_round() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(step(2.0), 0.5) && near(step(10.0), 2.0) && near(step(86_400.0), 20_000.0));
        assert!(near(step(0.0), 0.001));
    }
}
