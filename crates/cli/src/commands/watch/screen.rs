//! What is on the screen, and what keys change of it.

use std::cmp::Reverse;

use hftune_measure::watch::{Row, View};
use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row as Shown, Table, Wrap};

/// From so many columns on, who ran there has room for several names.
const WIDE: u16 = 120;

/// What a key explains.
const HELP: &str = "\
TIMER   interrupts of the CPU's own timer in a second: boot/nohz_full stops the tick
IPI     interrupts that other CPUs sent: page tables, wake-ups, code that is patched
DEVICE  interrupts of devices: irq/* moves them to the CPUs that serve the OS
SOFTIRQ deferred work of the kernel: timers, RCU, packets
BUSY    the share of the time that something ran; STOLEN: that the hypervisor took
WHO     threads that ran there, with their share of the CPU

An isolated CPU whose line is yellow sees more than 0.1 of one kind in a second.
hftune quiet names each cause, hftune explain ID says what a setting does.";

/// How lines are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Order {
    #[default]
    Cpu,
    Interrupts,
    Busy,
}

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Screen {
    order: Order,
    isolated_only: bool,
    /// Whether it stands still.
    pub paused: bool,
    help: bool,
    first: usize,
}

impl Screen {
    /// A key was pressed.
    pub(super) fn key(&mut self, key: KeyCode) {
        match key {
            KeyCode::Char('s') => {
                self.order = match self.order {
                    Order::Cpu => Order::Interrupts,
                    Order::Interrupts => Order::Busy,
                    Order::Busy => Order::Cpu,
                }
            }
            KeyCode::Char('i') => self.isolated_only = !self.isolated_only,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('?' | 'h') => self.help = !self.help,
            KeyCode::Down | KeyCode::Char('j') => self.first = self.first.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.first = self.first.saturating_sub(1),
            _ => {}
        }
    }

    /// Draws everything.
    pub(super) fn draw(&mut self, frame: &mut Frame<'_>, view: Option<&View>) {
        let [head, body, foot] = Layout::vertical([
            Constraint::Length(2),
            Constraint::Min(3),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let state = if self.paused { "  PAUSED" } else { "" };
        let keys = Line::from(vec![
            Span::raw(" s sort  i isolated only  p pause  ? explain  q quit"),
            Span::styled(state, Style::new().add_modifier(Modifier::BOLD)),
        ]);
        frame.render_widget(keys.style(Style::new().add_modifier(Modifier::DIM)), foot);
        let Some(view) = view else {
            frame.render_widget(Line::raw(" looking for a moment ..."), head);
            return;
        };
        frame.render_widget(Paragraph::new(summary(view)), head);
        if self.help {
            let help = Paragraph::new(HELP)
                .wrap(Wrap { trim: false })
                .block(Block::bordered().title(" What it means "));
            frame.render_widget(help, body);
            return;
        }
        let rows = self.rows(view);
        let room = usize::from(body.height.saturating_sub(1));
        self.first = self.first.min(rows.len().saturating_sub(room));
        let wide = body.width >= WIDE;
        let shown = rows[self.first..].iter().map(|row| line(row, wide));
        let widths = [4, 4, 7, 6, 8, 9, 5, 6, 5].map(Constraint::Length);
        let widths = widths.into_iter().chain([Constraint::Min(8)]);
        let heads = [
            "CPU",
            "",
            "TIMER/s",
            "IPI/s",
            "DEVICE/s",
            "SOFTIRQ/s",
            "BUSY",
            "STOLEN",
            "MHz",
            "WHO",
        ];
        let table = Table::new(shown, widths)
            .header(Shown::new(heads).style(Style::new().add_modifier(Modifier::BOLD)))
            .column_spacing(1);
        frame.render_widget(table, body);
    }

    fn rows<'v>(&self, view: &'v View) -> Vec<&'v Row> {
        let mut rows: Vec<&Row> = view
            .rows
            .iter()
            .filter(|row| row.isolated || !self.isolated_only)
            .collect();
        #[allow(clippy::cast_possible_truncation, reason = "an order of rates")]
        let key = |value: f64| Reverse((value * 1000.0) as i64);
        match self.order {
            Order::Cpu => {}
            Order::Interrupts => {
                rows.sort_by_key(|row| key(row.rates.timer + row.rates.ipi + row.rates.device));
            }
            Order::Busy => rows.sort_by_key(|row| key(row.busy)),
        }
        rows
    }
}

fn summary(view: &View) -> Vec<Line<'static>> {
    let isolated = view.rows.iter().filter(|row| row.isolated).count();
    let loud = view
        .rows
        .iter()
        .filter(|row| row.isolated && is_loud(row))
        .count();
    let mut first = vec![Span::raw(format!(
        " {} CPUs, {isolated} isolated",
        view.rows.len()
    ))];
    if isolated > 0 {
        let (text, colour) = if loud == 0 {
            (", all of them quiet".to_owned(), Color::Green)
        } else {
            (format!(", {loud} of them disturbed"), Color::Yellow)
        };
        first.push(Span::styled(text, Style::new().fg(colour)));
    }
    if let Some((total, free)) = view.huge_pages {
        first.push(Span::raw(format!(
            "; huge pages {} of {total} in use",
            total - free
        )));
    }
    let drops: Vec<String> = view
        .drops
        .iter()
        .map(|(port, total, now)| format!("{port} {total} (+{now})"))
        .collect();
    let drops = if drops.is_empty() {
        Line::raw(" no port has dropped a packet")
    } else {
        Line::raw(format!(" dropped packets: {}", drops.join(", ")))
    };
    vec![Line::from(first), drops]
}

fn is_loud(row: &Row) -> bool {
    !row.rates.are_quiet()
}

fn line(row: &Row, wide: bool) -> Shown<'static> {
    let names = if wide { 6 } else { 2 };
    let who: Vec<String> = row
        .who
        .iter()
        .take(names)
        .map(|(name, share)| format!("{name} {:.0}%", share * 100.0))
        .collect();
    let rates = row.rates;
    let number = |rate: f64| {
        Cell::from(if rate < 10.0 && rate > 0.0 {
            format!("{rate:6.1}")
        } else {
            format!("{rate:6.0}")
        })
    };
    let style = if row.isolated && is_loud(row) {
        Style::new().fg(Color::Yellow)
    } else {
        Style::new()
    };
    Shown::new([
        Cell::from(format!("{:4}", row.cpu)),
        Cell::from(if row.isolated { "app" } else { "os" }),
        number(rates.timer),
        number(rates.ipi),
        number(rates.device),
        number(rates.softirq),
        Cell::from(format!("{:4.0}%", row.busy * 100.0)),
        Cell::from(format!("{:4.0}%", row.stolen * 100.0)),
        Cell::from(
            row.megahertz
                .map_or_else(|| "-".to_owned(), |mhz| format!("{mhz:.0}")),
        ),
        Cell::from(who.join(", ")),
    ])
    .style(style)
}

#[cfg(test)]
mod tests {
    use hftune_measure::quiet::Rates;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn view() -> View {
        let row = |cpu, isolated, timer, busy| Row {
            cpu,
            isolated,
            rates: Rates {
                timer,
                ..Rates::default()
            },
            busy,
            stolen: 0.0,
            megahertz: Some(3500.0),
            who: vec![
                ("trader".to_owned(), busy),
                ("kworker/2:1".to_owned(), 0.01),
                ("third".to_owned(), 0.01),
            ],
        };
        View {
            rows: vec![
                row(0, false, 250.0, 0.1),
                row(1, true, 0.0, 1.0),
                row(2, true, 4.5, 0.5),
            ],
            huge_pages: Some((1024, 1000)),
            drops: vec![("ens1f0".to_owned(), 7, 2)],
        }
    }

    fn drawn(screen: &mut Screen, width: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, 12)).expect("a terminal");
        terminal
            .draw(|frame| screen.draw(frame, Some(&view())))
            .expect("drawn");
        let buffer = terminal.backend().buffer().clone();
        let cells: Vec<&str> = buffer
            .content()
            .iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect();
        cells
            .chunks(usize::from(width))
            .map(|line| line.concat() + "\n")
            .collect()
    }

    #[test]
    fn it_tells_what_matters_at_80_and_at_200_columns() {
        for (width, names) in [(80, 2), (200, 3)] {
            let text = drawn(&mut Screen::default(), width);
            for word in [
                "3 CPUs, 2 isolated, 1 of them disturbed",
                "24 of 1024 in use",
                "ens1f0 7 (+2)",
                "trader",
            ] {
                assert!(text.contains(word), "{width}: {word}\n{text}");
            }
            assert_eq!(text.contains("third"), names == 3, "{text}");
        }
    }

    #[test]
    fn keys_sort_filter_pause_and_explain() {
        let mut screen = Screen::default();
        screen.key(KeyCode::Char('i'));
        assert!(!drawn(&mut screen, 80).contains(" os "));
        screen.key(KeyCode::Char('s'));
        let text = drawn(&mut screen, 80);
        assert!(
            text.find("   2 ").expect("CPU 2") < text.find("   1 ").expect("CPU 1"),
            "{text}"
        );
        screen.key(KeyCode::Char('p'));
        assert!(screen.paused && drawn(&mut screen, 80).contains("PAUSED"));
        screen.key(KeyCode::Char('?'));
        assert!(drawn(&mut screen, 80).contains("What it means"));
    }
}
