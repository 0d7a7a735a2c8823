//! The map of interrupts: device and queue, how often and where each fires, where it should.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use hftune_model::CpuSet;
use hftune_model::host::Irqs;
use hftune_model::irq_map::{IrqDevice, IrqMap, IrqQueue, IrqState};
use owo_colors::{OwoColorize as _, Style};
use schemars::JsonSchema;
use serde::Serialize;

use crate::text::wrap;

/// What `hftune irq show --json` prints.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Report<'h> {
    schema: &'static str,
    #[serde(flatten)]
    map: &'h IrqMap,
    irqs: &'h Irqs,
}

/// One JSON object.
pub fn json(irqs: &Irqs, map: &IrqMap) -> String {
    crate::to_json(&Report {
        schema: "hftune/irq/1",
        map,
        irqs,
    })
}

/// The devices with their queues, equal ones in one line, and a summary. No line is longer than `width`.
pub fn human(map: &IrqMap, width: usize) -> String {
    let merged = merged(&map.devices);
    let devices: Vec<(&IrqDevice, Vec<Row>)> =
        merged.iter().map(|device| (device, rows(device))).collect();
    let columns = Columns::fit(devices.iter().flat_map(|(_, rows)| rows), width);
    let mut out = String::new();
    if !devices.is_empty() {
        let head = columns.line([
            "STATE",
            "QUEUES",
            "IRQ",
            columns.rate_head,
            "FIRES ON",
            "SHOULD",
        ]);
        let _ = writeln!(out, "{}", clip(&head, width).bold());
    }
    for (device, rows) in &devices {
        let _ = writeln!(out, "{}", cut(&header(device), width).bold());
        for row in rows {
            let line = columns.line([
                row.state.word(),
                &row.queues,
                &row.irqs,
                &row.rate,
                &row.fires_on,
                &row.should,
            ]);
            // Only a terminal narrower than the columns need loses more than lists.
            let _ = writeln!(out, "{}", paint(row.state).style(clip(&line, width)));
        }
    }
    let mut tell = |text: &str| {
        for line in wrap(text, width) {
            let _ = writeln!(out, "{}", cut(&line, width));
        }
    };
    tell("");
    tell(&summary(map));
    if let Some(booted) = &map.booted {
        tell(&format!(
            "Booted with {}: {} of {} fire on those CPUs.",
            booted.argument, booted.fire_there, map.total
        ));
    }
    out
}

/// Devices with a single interrupt, of which a server has dozens, in one by their driver; it stands where the first stood.
pub(crate) fn merged(devices: &[IrqDevice]) -> Vec<IrqDevice> {
    let alike = |device: &IrqDevice| {
        let single = device.queues.len() == 1 && device.address.as_ref() == Some(&device.name);
        device.driver.clone().filter(|_| single)
    };
    let mut of_driver: BTreeMap<String, Vec<&IrqDevice>> = BTreeMap::new();
    for device in devices {
        if let Some(driver) = alike(device) {
            of_driver.entry(driver).or_default().push(device);
        }
    }
    let mut merged = Vec::new();
    for device in devices {
        match alike(device).filter(|driver| of_driver.get(driver).is_none_or(|all| all.len() > 1)) {
            None => merged.push(device.clone()),
            Some(driver) => merged.extend(of_driver.remove(&driver).map(|all| {
                IrqDevice {
                    name: format!("{} devices of {driver}", all.len()),
                    queues: all
                        .iter()
                        .flat_map(|device| device.queues.clone())
                        .collect(),
                    ..IrqDevice::default()
                }
            })),
        }
    }
    merged
}

/// How many interrupts are in each state, and what to do.
fn summary(map: &IrqMap) -> String {
    let all = || map.devices.iter().flat_map(|device| &device.queues);
    let counts = counted(all());
    let of = |state| {
        counts
            .iter()
            .find(|(known, _)| *known == state)
            .map_or(0, |(_, n)| *n)
    };
    let mut text = format!("{} interrupts: {}.", map.total, listed(&counts));
    if !map.housekeeping.is_empty() {
        let _ = write!(text, " They should fire on CPUs {}.", map.housekeeping);
    }
    if of(IrqState::Stray) > 0 {
        text.push_str(" After hftune setup, hftune irq apply moves the strays.");
    }
    if of(IrqState::Managed) > 0 {
        text.push_str(
            " Nobody can move managed ones; hftune verify --only irq says what keeps each off.",
        );
    }
    text
}

/// How many there are in each state that there is.
fn counted<'q>(queues: impl Iterator<Item = &'q IrqQueue>) -> Vec<(IrqState, usize)> {
    let mut counts: BTreeMap<IrqState, usize> = BTreeMap::new();
    for queue in queues {
        *counts.entry(queue.state).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// "75 stray, 6 ok"
fn listed(counts: &[(IrqState, usize)]) -> String {
    let words: Vec<String> = counts
        .iter()
        .map(|(state, n)| format!("{n} {}", state.word()))
        .collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    }
}

/// "ens7f0 (i40e, 0000:86:00.0, node 1): 75 stray, 6 ok, 120 a second"
fn header(device: &IrqDevice) -> String {
    let address = device
        .address
        .as_ref()
        .filter(|address| **address != device.name);
    let known: Vec<String> = [
        device.driver.clone(),
        address.cloned(),
        device.node.map(|node| format!("node {node}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let known = if known.is_empty() {
        String::new()
    } else {
        format!(" ({})", known.join(", "))
    };
    let rates: Vec<u64> = device
        .queues
        .iter()
        .filter_map(|queue| queue.per_second)
        .collect();
    let rate = if rates.is_empty() {
        String::new()
    } else {
        format!(", {} a second", rates.iter().sum::<u64>())
    };
    format!(
        "{}{known}: {}{rate}",
        device.name,
        listed(&counted(device.queues.iter()))
    )
}

/// Interrupts of one device that are in one state and differ in their number only.
struct Row {
    state: IrqState,
    queues: String,
    irqs: String,
    rate: String,
    counted: bool,
    fires_on: String,
    should: String,
}

/// The queues of a device, equal ones folded, those that need a look first.
fn rows(device: &IrqDevice) -> Vec<Row> {
    let mut names: HashMap<&str, usize> = HashMap::new();
    for queue in &device.queues {
        *names.entry(short(&queue.name, device)).or_default() += 1;
    }
    let mut folded: BTreeMap<IrqState, Vec<(&str, Vec<&IrqQueue>)>> = BTreeMap::new();
    for queue in &device.queues {
        // The same name again and again is no number of a queue.
        let name = short(&queue.name, device);
        let again = names.get(name).is_some_and(|n| *n > 1);
        let stem = if again { name } else { split(name).0 };
        let rows = folded.entry(queue.state).or_default();
        // Queues of one name stand together in all but odd tables, so that the last rows are looked at first.
        match rows.iter_mut().rev().find(|(of, _)| *of == stem) {
            Some((_, queues)) => queues.push(queue),
            None => rows.push((stem, vec![queue])),
        }
    }
    folded
        .into_iter()
        .flat_map(|(state, rows)| {
            rows.into_iter()
                .map(move |(stem, queues)| (state, stem, queues))
        })
        .map(|(state, stem, queues)| row(state, stem, &queues, device))
        .collect()
}

fn row(state: IrqState, stem: &str, queues: &[&IrqQueue], device: &IrqDevice) -> Row {
    let numbers: Option<BTreeSet<u32>> = queues
        .iter()
        .map(|queue| split(short(&queue.name, device)).1)
        .collect();
    let name = match (queues, numbers) {
        ([only], _) => short(&only.name, device).to_owned(),
        (_, Some(numbers)) if numbers.len() == queues.len() => {
            format!("{stem}[{}]", list_of(&numbers))
        }
        _ if stem.is_empty() => String::new(),
        _ => format!("{stem} ({})", queues.len()),
    };
    let irqs: BTreeSet<u32> = queues.iter().map(|queue| queue.number).collect();
    let rates: Option<Vec<u64>> = queues.iter().map(|queue| queue.per_second).collect();
    let counted = rates.is_some();
    let rate: u64 = rates.map_or_else(
        || {
            queues
                .iter()
                .fold(0u64, |sum, queue| sum.saturating_add(queue.count))
        },
        |rates| rates.iter().sum(),
    );
    let union = |sets: Vec<Option<&CpuSet>>| {
        sets.into_iter()
            .collect::<Option<Vec<_>>>()
            .map(|sets| sets.iter().fold(CpuSet::new(), |all, some| all.union(some)))
    };
    let shown = |set: Option<CpuSet>, none: &str| match set {
        None => none.to_owned(),
        Some(set) if set.is_empty() => "-".to_owned(),
        Some(set) => set.to_string(),
    };
    Row {
        state,
        queues: if name.is_empty() {
            "-".to_owned()
        } else {
            name
        },
        irqs: list_of(&irqs),
        rate: rate.to_string(),
        counted,
        fires_on: shown(
            union(queues.iter().map(|queue| queue.fires_on.as_ref()).collect()),
            "?",
        ),
        should: shown(
            union(queues.iter().map(|queue| queue.should.as_ref()).collect()),
            "-",
        ),
    }
}

/// Numbers as ranges, as the kernel writes CPUs; numbers of interrupts have no such limit.
fn list_of(numbers: &BTreeSet<u32>) -> String {
    let sorted: Vec<u32> = numbers.iter().copied().collect();
    let runs = sorted.chunk_by(|a, b| a + 1 == *b);
    let runs: Vec<String> = runs
        .filter_map(|run| match (run.first()?, run.last()?) {
            (first, last) if first == last => Some(first.to_string()),
            (first, last) => Some(format!("{first}-{last}")),
        })
        .collect();
    runs.join(",")
}

/// The name of a queue without what the line of its device says already: driver, port, address.
fn short<'q>(name: &'q str, device: &IrqDevice) -> &'q str {
    let mut short = name.split_once("@pci:").map_or(name, |(name, _)| name);
    for known in [
        device.driver.as_deref(),
        Some(device.name.as_str()),
        device.address.as_deref(),
    ] {
        if let Some(known) = known.filter(|known| !known.is_empty())
            && let Some(rest) = short.strip_prefix(known)
            && let Some(rest) = rest.strip_prefix(['-', ':', '_'])
            && !rest.is_empty()
        {
            short = rest;
        }
    }
    short
}

/// "TxRx-12" is the queue 12 of "TxRx-".
fn split(name: &str) -> (&str, Option<u32>) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name[stem.len()..].parse().ok();
    match number {
        Some(number) if !stem.is_empty() => (stem, Some(number)),
        _ => (name, None),
    }
}

/// The widths of the columns.
struct Columns {
    widths: [usize; 6],
    rate_head: &'static str,
}

impl Columns {
    /// Space between two columns, and before the first.
    const GAP: usize = 2;

    /// The most of each column; the place where interrupts fire gets what is left.
    const MOST: [usize; 6] = [7, 28, 9, 12, 0, 9];

    /// The least of the place where interrupts fire, and of the queues.
    const LEAST: [usize; 2] = [14, 8];

    fn fit<'r>(rows: impl Iterator<Item = &'r Row>, width: usize) -> Self {
        let mut counted = true;
        let mut longest = [5, 6, 3, 5, 8, 6];
        for row in rows {
            counted &= row.counted;
            let cells = [
                row.state.word(),
                &row.queues,
                &row.irqs,
                &row.rate,
                &row.fires_on,
                &row.should,
            ];
            for (longest, cell) in longest.iter_mut().zip(cells) {
                *longest = (*longest).max(cell.chars().count());
            }
        }
        let mut widths = [0; 6];
        for (column, width) in widths.iter_mut().enumerate() {
            *width = longest[column].min(Self::MOST[column]);
        }
        let room = width.saturating_sub(Self::GAP * 6);
        let others: usize = widths.iter().sum();
        // A terminal too narrow for all takes it from the names of the queues.
        let lacking = (others + Self::LEAST[0]).saturating_sub(room);
        widths[1] = widths[1].saturating_sub(lacking).max(Self::LEAST[1]);
        let others: usize = widths.iter().sum();
        widths[4] = room
            .saturating_sub(others)
            .clamp(Self::LEAST[0], longest[4].max(Self::LEAST[0]));
        Self {
            widths,
            rate_head: if counted { "PER S" } else { "COUNT" },
        }
    }

    fn line(&self, cells: [&str; 6]) -> String {
        let mut line = String::new();
        for (column, (cell, width)) in cells.into_iter().zip(self.widths).enumerate() {
            let cell = cut(cell, width);
            // Numbers to the right.
            let _ = if column == 3 {
                write!(line, "  {cell:>width$}")
            } else {
                write!(line, "  {cell:<width$}")
            };
        }
        line.trim_end().to_owned()
    }
}

/// The text in at most `width` columns, a list cut behind one of its parts.
fn cut(text: &str, width: usize) -> String {
    let clipped = clip(text, width);
    let part = clipped.strip_suffix('…').and_then(|kept| kept.rfind(','));
    match part {
        Some(at) => format!("{}…", &clipped[..=at]),
        None => clipped,
    }
}

/// The text in at most `width` columns, without control characters: names come from outside and must not steer the terminal.
fn clip(text: &str, width: usize) -> String {
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    if text.chars().count() <= width {
        return text.chars().map(printable).collect();
    }
    let kept = text.chars().take(width.saturating_sub(1)).map(printable);
    kept.chain(['…']).collect()
}

fn paint(state: IrqState) -> Style {
    match state {
        IrqState::Stray => Style::new().red(),
        IrqState::Pending | IrqState::Unknown => Style::new().yellow(),
        IrqState::Idle => Style::new().dimmed(),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn set(list: &str) -> CpuSet {
        CpuSet::parse_list(list, None).unwrap()
    }

    fn queue(number: u32, name: &str, state: IrqState, fires: &str) -> IrqQueue {
        IrqQueue {
            id: Some(format!("irq/{name}")),
            number,
            name: name.to_owned(),
            state,
            count: 1000,
            per_second: Some(u64::from(number)),
            fires_on: Some(set(fires)),
            should: (state == IrqState::Stray).then(|| set("0-1")),
        }
    }

    fn sample() -> IrqMap {
        let mut port: Vec<IrqQueue> = (0..40)
            .map(|n| {
                queue(
                    100 + n,
                    &format!("i40e-ens7f0-TxRx-{n}"),
                    IrqState::Stray,
                    &(n % 70 * 3 % 80).to_string(),
                )
            })
            .collect();
        port[7].state = IrqState::Ok;
        port.push(queue(150, "i40e-0000:86:00.0:misc", IrqState::Pending, "1"));
        let nvme = (0..9).map(|n| {
            let state = if n == 0 {
                IrqState::Ok
            } else {
                IrqState::Managed
            };
            queue(160 + n, &format!("nvme0q{n}"), state, &n.to_string())
        });
        IrqMap {
            housekeeping: set("0-1"),
            booted: Some(hftune_model::irq_map::BootedIsolation {
                argument: "isolcpus=managed_irq,2-79".to_owned(),
                cpus: set("2-79"),
                fire_there: 46,
            }),
            total: 50,
            devices: vec![
                IrqDevice {
                    name: "ens7f0".to_owned(),
                    address: Some("0000:86:00.0".to_owned()),
                    driver: Some("i40e".to_owned()),
                    node: Some(1),
                    queues: port,
                },
                IrqDevice {
                    name: "0000:3e:00.0".to_owned(),
                    address: Some("0000:3e:00.0".to_owned()),
                    driver: Some("nvme".to_owned()),
                    node: None,
                    queues: nvme.collect(),
                },
            ],
        }
    }

    fn plain(map: &IrqMap, width: usize) -> String {
        anstream::adapter::strip_str(&human(map, width)).to_string()
    }

    #[test]
    fn folds_equal_queues_and_shows_strays_first() {
        assert_snapshot!(plain(&sample(), 80), @r"
          STATE    QUEUES           IRQ        PER S  FIRES ON                    SHOULD
        ens7f0 (i40e, 0000:86:00.0, node 1): 39 stray, 1 pending, 1 ok, 4930 a second
          stray    TxRx-[0-6,8-39]  100-106,…   4673  0-1,3-4,6-7,9-10,12-13,…    0-1
          pending  misc             150          150  1                           -
          ok       TxRx-7           107          107  21                          0-1
        0000:3e:00.0 (nvme): 8 managed, 1 ok, 1476 a second
          managed  nvme0q[1-8]      161-168     1316  1-8                         -
          ok       nvme0q0          160          160  0                           -

        50 interrupts: 39 stray, 1 pending, 8 managed, 2 ok. They should fire on CPUs
        0-1. After hftune setup, hftune irq apply moves the strays. Nobody can move
        managed ones; hftune verify --only irq says what keeps each off.
        Booted with isolcpus=managed_irq,2-79: 46 of 50 fire on those CPUs.
        ");
    }

    #[test]
    fn devices_with_one_interrupt_stand_together() {
        let device = |address: &str, driver: &str, number, state| IrqDevice {
            name: address.to_owned(),
            address: Some(address.to_owned()),
            driver: Some(driver.to_owned()),
            node: None,
            queues: vec![queue(number, "PCIe PME", state, "5")],
        };
        let map = IrqMap {
            total: 4,
            devices: vec![
                device("0000:00:1c.0", "pcieport", 30, IrqState::Stray),
                device("0000:00:1c.1", "pcieport", 31, IrqState::Stray),
                device("0000:00:14.0", "xhci_hcd", 32, IrqState::Ok),
                device("0000:00:1c.2", "pcieport", 33, IrqState::Ok),
            ],
            ..IrqMap::default()
        };
        assert_snapshot!(plain(&map, 80), @r"
          STATE  QUEUES        IRQ    PER S  FIRES ON        SHOULD
        3 devices of pcieport: 2 stray, 1 ok, 94 a second
          stray  PCIe PME (2)  30-31     61  5               0-1
          ok     PCIe PME      33        33  5               -
        0000:00:14.0 (xhci_hcd): 1 ok, 32 a second
          ok     PCIe PME      32        32  5               -

        4 interrupts: 2 stray, 2 ok. After hftune setup, hftune irq apply moves the
        strays.
        ");
    }

    #[test]
    fn no_line_is_longer_than_the_terminal() {
        let mut map = sample();
        map.devices[0].queues[3].name =
            "a driver's idea of a name that is much longer than any".to_owned();
        map.devices[1].name =
            "a\u{1b}[2Jvery long name of a device that nobody would give to anything".to_owned();
        for width in 40..160 {
            let text = plain(&map, width);
            assert!(
                text.lines().all(|line| line.chars().count() <= width),
                "{width}\n{text}"
            );
            assert!(!text.contains('\u{1b}'));
        }
    }

    #[test]
    fn without_a_second_reading_the_counts_are_shown() {
        let mut map = sample();
        map.devices[0].queues[0].per_second = None;
        let text = plain(&map, 80);
        assert!(text.contains("COUNT") && !text.contains("PER S"), "{text}");
        assert!(plain(&IrqMap::default(), 80).contains("0 interrupts: none."));
    }

    #[test]
    fn the_fields_of_the_json_stay() {
        let value: serde_json::Value =
            serde_json::from_str(&json(&Irqs::default(), &sample())).unwrap();
        assert_eq!(value["schema"], "hftune/irq/1");
        assert_eq!(value["housekeeping"], "0-1");
        assert!(value["irqs"]["list"].is_array());
        assert_eq!(value["devices"][1]["queues"][1]["state"], "managed");
        assert_eq!(value["booted"]["fire_there"], 46);
    }
}
