//! `hftune watch`

mod screen;

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use hftune_measure::watch::{Sample, View};
use hftune_model::{CpuSet, Error, Kind, Result};
use hftune_sys::{Root, sched};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::need_this_machine;
use crate::Answer;
use crate::args::Watch;
use screen::Screen;

/// How long a key may wait for its answer.
const KEYS: Duration = Duration::from_millis(100);

pub(super) fn run(root: &Root, args: &Watch) -> Result<Answer> {
    need_this_machine(root, "watch shows")?;
    if !std::io::stdout().is_terminal() {
        return Err(Error::new(Kind::Usage, "watch needs a terminal")
            .hint("hftune quiet tells the same for a while"));
    }
    let isolated = list(root, "/sys/devices/system/cpu/isolated")?;
    let others = list(root, "/sys/devices/system/cpu/online")?.difference(&isolated);
    if !others.is_empty() {
        sched::set_affinity(0, &others)?;
    }
    // It puts the terminal back where something panics, too.
    let mut terminal = ratatui::try_init().map_err(|e| failed(&e))?;
    let ended = show(
        root,
        &isolated,
        Duration::from_secs(args.interval),
        &mut terminal,
    );
    ratatui::restore();
    ended.map(|()| Answer::ok(String::new()))
}

fn list(root: &Root, path: &str) -> Result<CpuSet> {
    CpuSet::parse_list(&root.read_text(path)?, None)
}

fn failed(error: &std::io::Error) -> Error {
    Error::new(Kind::Io, format!("the terminal does not answer: {error}"))
}

fn show(
    root: &Root,
    isolated: &CpuSet,
    interval: Duration,
    terminal: &mut ratatui::DefaultTerminal,
) -> Result<()> {
    let mut before = Sample::read(root)?;
    let mut next = Instant::now() + Duration::from_millis(300);
    let mut view: Option<View> = None;
    let mut screen = Screen::default();
    loop {
        terminal
            .draw(|frame| screen.draw(frame, view.as_ref()))
            .map_err(|e| failed(&e))?;
        // Until a key is pressed or it is time to look again.
        loop {
            if event::poll(KEYS.min(next.saturating_duration_since(Instant::now())))
                .map_err(|e| failed(&e))?
            {
                match event::read().map_err(|e| failed(&e))? {
                    Event::Key(key) if key.kind == KeyEventKind::Press => {
                        if ends(key) {
                            return Ok(());
                        }
                        screen.key(key.code);
                        break;
                    }
                    Event::Resize(..) => break,
                    _ => {}
                }
            }
            if Instant::now() < next {
                continue;
            }
            next = Instant::now() + interval;
            if screen.paused {
                continue;
            }
            let now = Sample::read(root)?;
            view = Some(now.since(&before, isolated));
            before = now;
            break;
        }
    }
}

fn ends(key: KeyEvent) -> bool {
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}
