//! Round trips between two hosts, measured by sockperf: rounds of one way and of another in turn.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use hftune_model::netlat::{Netlat, Round, SCHEMA, Way, compare};
use hftune_model::{CpuSet, Error, Kind, Result};
use hftune_sys::exec::{self, Background};
use hftune_sys::{Root, sched, signals, time};

/// Where packages and administrators put it.
const PROGRAMS: [&str; 2] = ["/usr/bin/sockperf", "/usr/local/bin/sockperf"];

/// `/sbin` is `/usr/sbin` where the two are merged.
const IP: &str = "/sbin/ip";

/// The two ends of the virtual cable, of a network that is for documentation only (RFC 5737).
const ENDS: [&str; 2] = ["192.0.2.1", "192.0.2.2"];

/// A server needs a moment until it listens.
const LISTENS: Duration = Duration::from_millis(500);

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The other end; `None` for one of our own in a namespace.
    pub peer: Option<IpAddr>,
    /// Options of sockperf, for one way or two.
    pub ways: Vec<String>,
    /// Rounds of each way, and how long each takes.
    pub rounds: u32,
    /// As above.
    pub duration: Duration,
    /// Bytes of a message.
    pub size: u32,
    /// TCP instead of UDP.
    pub tcp: bool,
    /// The other end's port.
    pub port: u16,
    /// The CPUs of this end and of the other.
    pub cpus: Vec<u32>,
}

/// Where sockperf is.
///
/// # Errors
/// Where it is not installed.
pub fn program(root: &Root) -> Result<PathBuf> {
    let found = PROGRAMS.iter().find(|path| root.exists(path));
    found.map(PathBuf::from).ok_or_else(|| {
        Error::new(Kind::Missing, "sockperf is not installed")
            .hint("apt-get install sockperf, or dnf install sockperf out of EPEL")
    })
}

/// Runs the server of the other end until it ends or this process is asked to.
pub fn serve(root: &Root, port: u16, tcp: bool, options: &str) -> Result<()> {
    signals::hold();
    let program = program(root)?;
    let port = port.to_string();
    let mut args = vec!["server", "-i", "0.0.0.0", "-p", &port];
    args.extend(tcp.then_some("--tcp"));
    args.extend(options.split_whitespace());
    let mut server = Background::start(&program, &args)?;
    while !signals::asked_to_stop() {
        thread::sleep(Duration::from_millis(200));
        if server.has_ended() {
            return Err(Error::new(
                Kind::Io,
                format!("sockperf ended: is port {port} taken, or an option unknown?"),
            ));
        }
    }
    Ok(())
}

/// Measures.
///
/// # Errors
/// Where the other end does not answer.
pub fn run(root: &Root, wanted: &Wanted, mut say: impl FnMut(&str)) -> Result<Netlat> {
    signals::hold();
    let program = program(root)?;
    let time = time::now();
    let cable = match wanted.peer {
        Some(_) => None,
        None => Some(Cable::make()?),
    };
    let mut ways: Vec<Way> = ["A", "B"]
        .iter()
        .zip(&wanted.ways)
        .map(|(name, options)| Way {
            name: (*name).to_owned(),
            options: options.clone(),
            rounds: Vec::new(),
        })
        .collect();
    for round in 1..=wanted.rounds {
        for way in &mut ways {
            if signals::asked_to_stop() {
                return Err(Error::new(
                    Kind::Io,
                    "it was stopped before all rounds were done",
                ));
            }
            say(&format!(
                "round {round} of {}, way {}",
                wanted.rounds, way.name
            ));
            way.rounds.push(one(&program, wanted, way, cable.as_ref())?);
        }
    }
    let mut notes = vec!["Half of a round trip, in microseconds.".to_owned()];
    if cable.is_some() {
        notes.push("Both ends are on this host, over a virtual cable: that says nothing of a card or its settings.".to_owned());
    }
    let compared = match &ways[..] {
        [a, b] => compare(a, b),
        _ => Vec::new(),
    };
    let protocol = if wanted.tcp { "TCP" } else { "UDP" };
    Ok(Netlat {
        schema: SCHEMA.to_owned(),
        time,
        peer: wanted.peer.map_or_else(
            || "a namespace of this host".to_owned(),
            |peer| peer.to_string(),
        ),
        traffic: format!(
            "{protocol}, {} bytes, {} s a round",
            wanted.size,
            wanted.duration.as_secs()
        ),
        notes,
        ways,
        compared,
    })
}

fn one(program: &Path, wanted: &Wanted, way: &Way, cable: Option<&Cable>) -> Result<Round> {
    let (port, size) = (wanted.port.to_string(), wanted.size.to_string());
    let seconds = wanted.duration.as_secs().to_string();
    let options: Vec<&str> = wanted
        .tcp
        .then_some("--tcp")
        .into_iter()
        .chain(way.options.split_whitespace())
        .collect();
    let free = sched::affinity(0)?;
    let pinned = |end: usize| match wanted.cpus.get(end) {
        Some(cpu) => sched::set_affinity(0, &CpuSet::from_iter([*cpu])),
        None => Ok(()),
    };
    let server = cable.map(|cable| {
        pinned(1)?;
        let mut args = vec!["server", "-i", ENDS[1], "-p", &port];
        args.extend(&options);
        let server = cable.start(1, program, &args);
        thread::sleep(LISTENS);
        server
    });
    let server = server.transpose()?;
    let peer = wanted
        .peer
        .map_or_else(|| ENDS[1].to_owned(), |peer| peer.to_string());
    let mut args = vec![
        "ping-pong",
        "-i",
        &peer,
        "-p",
        &port,
        "-t",
        &seconds,
        "-m",
        &size,
    ];
    args.extend(&options);
    pinned(0)?;
    let answer = match cable {
        Some(cable) => cable.run(0, program, &args),
        None => exec::run(program, &args),
    };
    sched::set_affinity(0, &free)?;
    drop(server);
    let answer = answer?;
    parse(&answer.stdout).ok_or_else(|| {
        let said = format!("{}{}", answer.stdout, answer.stderr);
        let last = said
            .lines()
            .map(str::trim)
            .rfind(|line| !line.is_empty())
            .unwrap_or("nothing")
            .to_owned();
        Error::new(
            Kind::Io,
            format!("sockperf measured nothing; it said: {last}"),
        )
        .hint(
            "run hftune netlat --server on the other host, and see that no firewall drops the port",
        )
    })
}

/// Reads what sockperf 3 prints of a ping-pong.
fn parse(text: &str) -> Option<Round> {
    let plain = without_colours(text);
    let after = |words: &str| -> Option<f64> {
        let rest = &plain[plain.find(words)? + words.len()..];
        let rest = rest.trim_start_matches([' ', '=']);
        rest.split(|c: char| !c.is_ascii_digit() && c != '.')
            .next()?
            .parse()
            .ok()
    };
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts"
    )]
    let count = |words: &str| after(words).map(|count| count as u64);
    Some(Round {
        count: count("sockperf: Total ")?,
        lost: count("dropped messages")?
            + count("duplicated messages")?
            + count("out-of-order messages")?,
        p50_us: after("percentile 50.000")?,
        p99_us: after("percentile 99.000")?,
        p999_us: after("percentile 99.900")?,
        max_us: after("<MAX> observation")?,
    })
}

/// Without escape sequences that end with `m`.
fn without_colours(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        out.push_str(&rest[..at]);
        rest = rest[at..].find('m').map_or("", |end| &rest[at + end + 1..]);
    }
    out + rest
}

/// Two network namespaces with a virtual cable between them, removed when this is dropped.
struct Cable {
    names: [String; 2],
}

impl Cable {
    fn make() -> Result<Self> {
        let pid = std::process::id();
        let cable = Self {
            names: [format!("hftune-{pid}-a"), format!("hftune-{pid}-b")],
        };
        let [a, b] = &cable.names;
        for name in [a, b] {
            ip(&["netns", "add", name])?;
        }
        ip(&[
            "link", "add", "hlat0", "netns", a, "type", "veth", "peer", "name", "hlat1", "netns", b,
        ])?;
        for (name, device, address) in [(a, "hlat0", ENDS[0]), (b, "hlat1", ENDS[1])] {
            ip(&[
                "-n",
                name,
                "address",
                "add",
                &format!("{address}/30"),
                "dev",
                device,
            ])?;
            ip(&["-n", name, "link", "set", device, "up"])?;
        }
        Ok(cable)
    }

    fn command<'c>(&'c self, end: usize, program: &'c str, args: &[&'c str]) -> Vec<&'c str> {
        let mut command = vec!["netns", "exec", &self.names[end], program];
        command.extend(args);
        command
    }

    fn run(&self, end: usize, program: &Path, args: &[&str]) -> Result<exec::Output> {
        let program = program.to_string_lossy();
        exec::run(Path::new(IP), &self.command(end, &program, args))
    }

    fn start(&self, end: usize, program: &Path, args: &[&str]) -> Result<Background> {
        let program = program.to_string_lossy();
        Background::start(Path::new(IP), &self.command(end, &program, args))
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = exec::run(Path::new(IP), &["netns", "delete", name]);
        }
    }
}

fn ip(args: &[&str]) -> Result<()> {
    exec::run_ok(Path::new(IP), args).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What sockperf 3.7 prints on Debian 12, shortened.
    const PRINTED: &str = "\
sockperf: \u{1b}[2;35m== version #3.7-no.git == \u{1b}[0m
sockperf: [Total Run] RunTime=1.000 sec; Warm up time=400 msec; SentMessages=165701; ReceivedMessages=165700
sockperf: [Valid Duration] RunTime=0.550 sec; SentMessages=90051; ReceivedMessages=90051
sockperf: \u{1b}[2;35m====> avg-latency=3.039 (std-dev=39.848)\u{1b}[0m
sockperf: # dropped messages = 1; # duplicated messages = 0; # out-of-order messages = 2
sockperf: \u{1b}[2;35mTotal 90051 observations\u{1b}[0m; each percentile contains 900.51 observations
sockperf: ---> <MAX> observation = 2639.277
sockperf: ---> percentile 99.999 = 2521.649
sockperf: ---> percentile 99.900 =   28.805
sockperf: ---> percentile 99.000 =    5.288
sockperf: ---> percentile 50.000 =    1.946
";

    #[test]
    fn reads_what_sockperf_prints() {
        let round = parse(PRINTED).expect("a round");
        assert_eq!(
            round,
            Round {
                count: 90_051,
                lost: 3,
                p50_us: 1.946,
                p99_us: 5.288,
                p999_us: 28.805,
                max_us: 2639.277
            }
        );
        assert_eq!(
            parse("sockperf: No messages were received from the server. Is the server down?"),
            None
        );
    }
}
