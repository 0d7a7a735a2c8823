//! Reading a file of rules as libvma reads it, and saying what libvma does not say.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::{End, Group, Role, Rule, Transport};
use crate::vma::PortAddress;
use crate::vma::check::{self, PREFIX, Problem};

/// A line that does not do what whoever wrote it will have meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    #[serde(flatten)]
    pub problem: Problem,
}

/// What libvma makes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Parsed {
    /// The rules that it has when it is done.
    pub groups: Vec<Group>,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// The line at which it stopped reading.
    pub stopped: Option<usize>,
    /// Rules behind that line, which it never sees.
    pub lost: usize,
}

/// Why a statement is none.
enum Refusal {
    /// Libvma stops here.
    Stops(Problem),
    /// It goes on, with another rule than the one that was written.
    Changes(Problem, Option<Statement>),
}

enum Statement {
    Group(String, String),
    Use(Rule),
    Log,
}

/// Reads a file of rules.
///
/// The first line that is no statement ends the reading: rules before it stay, those after it are lost, and what no rule
/// decides is offloaded.
pub fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    for (at, raw) in text.split('\n').enumerate() {
        let line = at + 1;
        let code = raw.split('#').next().unwrap_or_default();
        let words = code.trim_matches([' ', '\t']);
        if words.is_empty() {
            continue;
        }
        if is_variable(words) {
            variable(&mut parsed, line, words.trim_end_matches('\r'));
            continue;
        }
        if parsed.stopped.is_some() {
            parsed.lost += usize::from(words.starts_with("use"));
            continue;
        }
        match statement(words) {
            Ok(statement) => take(&mut parsed.groups, statement),
            Err(Refusal::Changes(problem, statement)) => {
                parsed.faults.push(Fault { line, problem });
                if let Some(statement) = statement {
                    take(&mut parsed.groups, statement);
                }
            }
            Err(Refusal::Stops(problem)) => {
                parsed.faults.push(Fault { line, problem });
                parsed.stopped = Some(line);
            }
        }
    }
    parsed
}

/// `VMA_RX_POLL=-1`, as people write it here.
fn is_variable(words: &str) -> bool {
    let name = words.strip_prefix("export ").unwrap_or(words).trim_start();
    let (name, rest) = name.split_at(name.find(['=', ' ']).unwrap_or(name.len()));
    name.starts_with(PREFIX) && rest.trim_start().starts_with('=')
}

fn variable(parsed: &mut Parsed, line: usize, words: &str) {
    let (name, value) = words.split_once('=').unwrap_or((words, ""));
    let name = name.trim_start_matches("export ").trim();
    let mut what =
        format!("{name}= has no effect: libvma reads variables from the environment only");
    let first = parsed.stopped.is_none();
    if first {
        what.push_str(", and it reads no rule after this line");
        parsed.stopped = Some(line);
    }
    let value = value.trim().trim_matches(['"', '\'']);
    let in_environment = match (check::name(name), check::param(name)) {
        (Some(problem), _) => Some(problem),
        (None, Some(param)) => check::value(param, value),
        (None, None) => None,
    };
    let remedy = match in_environment {
        // It would do nothing there either.
        Some(problem) => {
            what = format!("{what}; {}", problem.what);
            format!("remove the line; in the profile, {}", problem.remedy)
        }
        None => format!(
            "remove the line; write {name} under [vma.parameters] of the profile, then hftune setup"
        ),
    };
    parsed.faults.push(Fault {
        line,
        problem: Problem::new(what, remedy),
    });
}

fn take(groups: &mut Vec<Group>, statement: Statement) {
    match statement {
        Statement::Group(program, id) => groups.push(Group {
            program,
            id,
            rules: Vec::new(),
        }),
        Statement::Use(rule) => {
            if groups.is_empty() {
                // Rules that no group claims are everybody's.
                groups.push(Group {
                    program: "*".to_owned(),
                    id: "*".to_owned(),
                    rules: Vec::new(),
                });
            }
            if let Some(group) = groups.last_mut() {
                group.rules.push(rule);
            }
        }
        Statement::Log => {}
    }
}

fn stops(what: impl Into<String>, remedy: impl Into<String>) -> Refusal {
    let what: String = what.into();
    Refusal::Stops(Problem::new(
        format!("{what}: libvma reads no rule after this line"),
        remedy,
    ))
}

const FORM: &str = "write it like \"use vma tcp_server 192.0.2.2:*\"";

fn statement(words: &str) -> Result<Statement, Refusal> {
    if words.ends_with('\r') {
        return Err(stops(
            "the line ends as on Windows (CR LF)",
            "write lines that end with LF alone",
        ));
    }
    let mut parts = words.split([' ', '\t']).filter(|word| !word.is_empty());
    match parts.next() {
        Some("application-id") => match (parts.next(), parts.next(), parts.next()) {
            (Some(program), Some(id), None) => {
                Ok(Statement::Group(program.to_owned(), id.to_owned()))
            }
            _ => Err(stops(
                "application-id takes a program and an id",
                "write \"application-id * *\" for every program",
            )),
        },
        Some("log") => Err(log(&parts.collect::<Vec<_>>())),
        Some("use") => rule(parts.next(), parts.next(), &parts.collect::<String>()),
        Some(word) if ["use", "application-id", "log"].contains(&word.to_lowercase().as_str()) => {
            Err(stops(format!("{word:?} is not in lower case"), FORM))
        }
        _ => Err(stops(format!("{words:?} is no rule"), FORM)),
    }
}

fn log(words: &[&str]) -> Refusal {
    let remedy = "remove the line; VMA_LOG_FILE and VMA_TRACELEVEL in the environment set the log";
    match words {
        ["min-level", level] if level.parse::<i64>().is_ok() => Refusal::Changes(
            Problem::new(
                "log min-level does nothing but print rules on standard output",
                remedy,
            ),
            Some(Statement::Log),
        ),
        ["destination", "ystderr" | "syslog"] | ["destination", "yfile", _] => Refusal::Changes(
            Problem::new(
                "log destination does nothing: libvma has no code behind it",
                remedy,
            ),
            Some(Statement::Log),
        ),
        _ => stops(
            format!("\"log {}\" is no statement", words.join(" ")),
            remedy,
        ),
    }
}

fn rule(transport: Option<&str>, role: Option<&str>, tuple: &str) -> Result<Statement, Refusal> {
    let known = match transport {
        Some("vma") => Transport::Vma,
        Some("os") => Transport::Os,
        Some("sdp") => Transport::Sdp,
        Some("sa") => Transport::Sa,
        Some("*") => Transport::Any,
        other => {
            let other = other.unwrap_or_default();
            return Err(stops(
                format!("{other:?} is no transport"),
                "write vma or os",
            ));
        }
    };
    let Some(role) = Role::ALL.into_iter().find(|r| Some(r.word()) == role) else {
        let words: Vec<&str> = Role::ALL.iter().map(|role| role.word()).collect();
        let other = role.unwrap_or_default();
        return Err(stops(
            format!("{other:?} is nothing that a socket does"),
            format!("write one of {}", words.join(", ")),
        ));
    };
    let mut changed = match known {
        Transport::Sdp | Transport::Sa => Some(Problem::new(
            "there is no such transport any more: the rule matches nothing",
            "write vma or os",
        )),
        Transport::Any => Some(Problem::new(
            "\"*\" is libvma for listeners and the kernel for those who connect",
            "write vma or os",
        )),
        _ => None,
    };
    let mut text = tuple;
    let first = end(&mut text, &mut changed)?;
    let second = match text.strip_prefix(':') {
        Some(rest) => {
            text = rest;
            Some(end(&mut text, &mut changed)?)
        }
        None => None,
    };
    let made = Statement::Use(Rule {
        transport: known,
        role,
        first,
        second,
    });
    if text.starts_with("use") || text.starts_with("application-id") || text.starts_with("log") {
        let problem = Problem::new("two statements are on one line", "write one on each line");
        return Err(Refusal::Changes(problem, Some(made)));
    }
    if !text.is_empty() {
        return Err(stops(format!("{text:?} does not belong to a rule"), FORM));
    }
    if second.is_some() != role.has_two_ends() && changed.is_none() {
        changed = Some(if second.is_some() {
            Problem::new(
                format!("{} looks at one end only", role.word()),
                "write one address and its ports",
            )
        } else {
            Problem::new(
                format!(
                    "{} without a local end matches the remote end only",
                    role.word()
                ),
                "write REMOTE:PORTS:LOCAL:PORTS",
            )
        });
    }
    match changed {
        Some(problem) => Err(Refusal::Changes(problem, Some(made))),
        None => Ok(made),
    }
}

/// One end at the beginning of `text`, which is shortened by it.
fn end(text: &mut &str, changed: &mut Option<Problem>) -> Result<End, Refusal> {
    let cut = text.find(':').ok_or_else(|| {
        stops(
            format!("{:?} has no ports", *text),
            "write ADDRESS:*, or ADDRESS:PORT",
        )
    })?;
    let net = address(&text[..cut], changed)?;
    *text = &text[cut + 1..];
    let cut = text
        .find(|c: char| !(c.is_ascii_digit() || c == '-' || c == '*'))
        .unwrap_or(text.len());
    let ports = ports(&text[..cut], changed)?;
    *text = &text[cut..];
    Ok(End { net, ports })
}

fn address(text: &str, changed: &mut Option<Problem>) -> Result<Option<PortAddress>, Refusal> {
    if text == "*" {
        return Ok(None);
    }
    let no = || {
        stops(
            format!("{text:?} is no IPv4 address"),
            "write four numbers from 0 to 255, without zeros in front, or *",
        )
    };
    let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
    let octets: Vec<u64> = address
        .split('.')
        .map(number)
        .collect::<Option<_>>()
        .ok_or_else(no)?;
    let prefix = number(prefix).ok_or_else(no)?;
    let [a, b, c, d] = octets[..] else {
        return Err(no());
    };
    let address = if octets.iter().all(|octet| *octet <= 255) {
        let octet = |n: u64| u8::try_from(n).unwrap_or(u8::MAX);
        Ipv4Addr::new(octet(a), octet(b), octet(c), octet(d))
    } else {
        changed.get_or_insert(Problem::new(
            format!("{text}: libvma complains, and takes the rule for one of 0.0.0.0"),
            "write numbers up to 255",
        ));
        Ipv4Addr::UNSPECIFIED
    };
    let taken = match prefix {
        0..=32 => prefix,
        // It is kept in a byte.
        more => {
            let taken = if more % 256 > 32 { 32 } else { more % 256 };
            changed.get_or_insert(Problem::new(
                format!("/{more}: libvma takes /{taken} in silence"),
                "write a prefix from 0 to 32",
            ));
            taken
        }
    };
    Ok(Some(PortAddress {
        address,
        prefix: u8::try_from(taken).unwrap_or(32),
    }))
}

fn ports(text: &str, changed: &mut Option<Problem>) -> Result<Option<(u16, u16)>, Refusal> {
    if text == "*" {
        return Ok(None);
    }
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (Some(low), Some(high)) = (number(low), number(high)) else {
        return Err(stops(
            format!("{text:?} is no port"),
            "write a port, a range like 7000-7010, or *",
        ));
    };
    // Ports are kept in 16 bits.
    let taken = |port: u64| u16::try_from(port % 65536).unwrap_or_default();
    let range = (taken(low), taken(high));
    if low > 65535 || high > 65535 {
        changed.get_or_insert(Problem::new(
            format!(
                "port {}: libvma takes {} in silence",
                low.max(high),
                taken(low.max(high))
            ),
            "write a port from 1 to 65535",
        ));
    } else if low > high {
        changed.get_or_insert(Problem::new(
            format!("{low}-{high} runs backwards and matches nothing"),
            format!("write {high}-{low}"),
        ));
    } else if low == 0 {
        changed.get_or_insert(Problem::new(
            "there is no port 0",
            "write a port from 1 to 65535, or *",
        ));
    }
    Ok(Some(range))
}

/// A number without zeros in front, which libvma's grammar does not know.
fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty()
        && text.len() <= 9
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    plain.then(|| text.parse().ok())?
}
