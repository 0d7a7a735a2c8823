//! Latency between two hosts: the rounds, and whether two ways differ.

use std::fmt::Write as _;

use hftune_model::netlat::{Compared, FIGURES, Netlat, Round};
use owo_colors::OwoColorize as _;

use crate::table::Table;
use crate::text::{plural, wrap};

/// One JSON object.
pub fn json(netlat: &Netlat) -> String {
    crate::to_json(netlat)
}

/// The ways, a line a figure, and whether they differ.
pub fn human(netlat: &Netlat, width: usize) -> String {
    let mut out = String::new();
    for way in &netlat.ways {
        let options = match way.options.trim() {
            "" => "no options",
            options => options,
        };
        let sum = |of: fn(&Round) -> u64| way.rounds.iter().map(of).sum::<u64>();
        let (messages, lost) = (sum(|round| round.count), sum(|round| round.lost));
        let _ = writeln!(
            out,
            "{}  {options}: {}, {messages} messages, {lost} lost",
            way.name.bold(),
            plural(way.rounds.len(), "round")
        );
    }
    out.push('\n');
    let mut heads = vec!["us".to_owned()];
    for way in &netlat.ways {
        heads.extend([way.name.clone(), "ROUNDS".to_owned()]);
    }
    heads.push(String::new());
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    for (name, of) in FIGURES {
        let mut cells = vec![name.to_owned()];
        for way in &netlat.ways {
            let (least, median, most) = way.spread(of);
            cells.extend([format!("{median:.1}"), format!("{least:.1}-{most:.1}")]);
        }
        let compared = netlat
            .compared
            .iter()
            .find(|compared| compared.figure == name);
        cells.push(compared.map(verdict).unwrap_or_default());
        table.push(cells);
    }
    out += &table.render(width);
    let notes = format!(
        "{}; {}. The median of the rounds, and the least and the greatest of them. {}",
        netlat.peer,
        netlat.traffic,
        netlat.notes.join(" ")
    );
    let _ = writeln!(out, "\n{}", wrap(&notes, width).join("\n"));
    out
}

fn verdict(compared: &Compared) -> String {
    let (a, b) = (compared.a_us, compared.b_us);
    if !compared.apart {
        "cannot be told apart".to_owned()
    } else if b < a {
        format!("B is {:.2} times quicker", a / b)
    } else {
        format!("B is {:.2} times slower", b / a)
    }
}

#[cfg(test)]
mod tests {
    use hftune_model::netlat::{SCHEMA, Way, compare};

    use super::*;

    #[test]
    fn what_overlaps_is_said_not_to_differ() {
        let way = |name: &str, p50: [f64; 2]| Way {
            name: name.to_owned(),
            options: "--nonblocked".to_owned(),
            rounds: p50
                .map(|p50_us| Round {
                    count: 1000,
                    p50_us,
                    p99_us: 9.0,
                    ..Round::default()
                })
                .into(),
        };
        let (a, b) = (way("A", [30.0, 32.0]), way("B", [4.0, 3.8]));
        let netlat = Netlat {
            schema: SCHEMA.to_owned(),
            time: String::new(),
            peer: "10.0.0.2".to_owned(),
            traffic: "UDP".to_owned(),
            notes: Vec::new(),
            compared: compare(&a, &b),
            ways: vec![a, b],
        };
        let text = anstream::adapter::strip_str(&human(&netlat, 80)).to_string();
        assert!(text.contains("B is 8.00 times quicker"), "{text}");
        assert!(text.contains("cannot be told apart"), "{text}");
        assert!(text.contains("2 rounds, 2000 messages, 0 lost"), "{text}");
    }
}
