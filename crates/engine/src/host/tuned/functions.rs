//! The functions of tuned's own, `${f:NAME:ARGUMENTS}`, as far as they can be worked out from the host's facts
//! (tuned/profiles/functions). Those that start programs are named and left.

use std::collections::BTreeMap;

use hftune_model::CpuSet;
use hftune_model::host::Host;
use regex_lite::Regex;

/// A text with its functions worked out, and why some were not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Evaluated {
    pub(crate) text: String,
    pub(crate) problems: Vec<String>,
}

/// Works out the functions in a text whose variables are put in. The innermost come first.
pub(crate) fn evaluate(text: &str, host: &Host, cpuinfo: Option<&str>) -> Evaluated {
    let mut out = String::with_capacity(text.len());
    let mut problems = Vec::new();
    // Where each open "${" begins in what was put out, and whether it is escaped.
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("${") {
            open.push((out.len(), out.ends_with('\\')));
            out.push_str("${");
            rest = &rest[2..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        let function = (c == '}').then(|| open.pop()).flatten();
        match function.map(|(from, escaped)| (from, escaped, out[from..].strip_prefix("${f:"))) {
            Some((from, false, Some(call))) => match call_of(call, host, cpuinfo) {
                Ok(value) => {
                    out.truncate(from);
                    out.push_str(&value);
                }
                Err(problem) => {
                    problems.push(problem);
                    out.push(c);
                }
            },
            _ => out.push(c),
        }
    }
    Evaluated {
        text: out,
        problems,
    }
}

/// One call: a name and arguments between colons; `\:` is a colon of an argument.
fn call_of(call: &str, host: &Host, cpuinfo: Option<&str>) -> Result<String, String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in call.chars() {
        match words.last_mut() {
            Some(word) if c == ':' && before == '\\' => {
                word.pop();
                word.push(':');
            }
            _ if c == ':' => words.push(String::new()),
            Some(word) => word.push(c),
            None => {}
        }
        before = c;
    }
    let name = words.remove(0);
    if words.iter().any(|word| super::variables::unresolved(word)) {
        return Err(format!("the function {name} is given what is not known"));
    }
    let all = words.join(",");
    let cpus = |text: &str| list(text).ok_or_else(|| format!("{name}: \"{text}\" names no CPUs"));
    let argument = |at: usize| words.get(at).map_or("", String::as_str);
    let value = match name.as_str() {
        "cpulist_unpack" | "cpulist_pack" => unpacked(&cpus(&all)?),
        "cpulist_online" => unpacked(&cpus(&all)?.intersection(&host.cpus.online)),
        "cpulist_present" => unpacked(&cpus(&all)?.intersection(&host.cpus.present)),
        "cpulist_invert" => unpacked(&host.cpus.online.difference(&cpus(&all)?)),
        "cpulist2hex" => hex(&cpus(&all)?),
        "cpulist2hex_invert" => hex(&host.cpus.online.difference(&cpus(&all)?)),
        "hex2cpulist" => {
            let mask = argument(0).trim().trim_start_matches("0x");
            let set = CpuSet::parse_mask(mask);
            unpacked(&set.map_err(|_| format!("hex2cpulist: \"{mask}\" is no mask"))?)
        }
        "calc_isolated_cores" => {
            let reserved = argument(0).trim();
            let reserved = if reserved.is_empty() {
                Ok(1)
            } else {
                reserved.parse()
            };
            let reserved =
                reserved.map_err(|_| format!("calc_isolated_cores: \"{all}\" is no number"))?;
            unpacked(&beyond(host, reserved))
        }
        "strip" => words.join("").trim().to_owned(),
        "regex_search_ternary" => {
            let regex = Regex::new(argument(1)).map_err(|_| {
                format!(
                    "regex_search_ternary: the pattern \"{}\" is not understood",
                    argument(1)
                )
            })?;
            argument(if regex.is_match(argument(0)) { 2 } else { 3 }).to_owned()
        }
        "assertion" if argument(1) == argument(2) => String::new(),
        "assertion_non_equal" if argument(1) != argument(2) => String::new(),
        "assertion" | "assertion_non_equal" => {
            return Err(format!(
                "tuned would refuse the profile here: {}",
                argument(0)
            ));
        }
        "virt_check" => argument(usize::from(host.virtualization.is_none())).to_owned(),
        "cpuinfo_check" => cpuinfo_check(&words, cpuinfo)?,
        "kb2s" => number(&name, argument(0))?.saturating_mul(2).to_string(),
        "s2kb" => (number(&name, argument(0))? / 2).to_string(),
        _ => return Err(format!("the function {name} is not worked out here")),
    };
    Ok(value)
}

fn number(name: &str, text: &str) -> Result<u64, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("{name}: \"{text}\" is no number"))
}

/// CPUs as tuned writes them: lists with ranges, `^2` takes one out, and a mask after `0x`.
pub(crate) fn list(text: &str) -> Option<CpuSet> {
    let mut cpus = CpuSet::new();
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        if let Some(out) = part.strip_prefix(['^', '!']) {
            cpus = cpus.difference(&CpuSet::parse_list(out, None).ok()?);
        } else if let Some(mask) = part.strip_prefix("0x") {
            cpus = cpus.union(&CpuSet::parse_mask(mask).ok()?);
        } else {
            cpus = cpus.union(&CpuSet::parse_list(part, None).ok()?);
        }
    }
    Some(cpus)
}

fn unpacked(cpus: &CpuSet) -> String {
    let cpus: Vec<String> = cpus.iter().map(|cpu| cpu.to_string()).collect();
    cpus.join(",")
}

/// A mask of whole words of 32 bits.
fn hex(cpus: &CpuSet) -> String {
    let mask = cpus.to_mask();
    let (first, rest) = mask.split_once(',').unwrap_or((&mask, ""));
    let comma = if rest.is_empty() { "" } else { "," };
    format!("{first:0>8}{comma}{rest}")
}

/// The CPUs of each package but for its first ones.
fn beyond(host: &Host, reserved: usize) -> CpuSet {
    let mut packages: BTreeMap<i32, CpuSet> = BTreeMap::new();
    for core in &host.cpus.cores {
        let package = packages.entry(core.package).or_default();
        *package = package.union(&core.cpus);
    }
    let mut isolated = CpuSet::new();
    for cpus in packages.values() {
        for cpu in cpus.iter().skip(reserved) {
            isolated.insert(cpu);
        }
    }
    isolated
}

/// `PATTERN:VALUE:PATTERN:VALUE...:DEFAULT` over `/proc/cpuinfo`.
fn cpuinfo_check(words: &[String], cpuinfo: Option<&str>) -> Result<String, String> {
    let text = cpuinfo.ok_or("cpuinfo_check: /proc/cpuinfo cannot be read")?;
    let pairs = words.chunks_exact(2);
    let default = pairs.remainder().first().cloned().unwrap_or_default();
    for pair in pairs {
        let regex = regex_lite::RegexBuilder::new(&pair[0])
            .multi_line(true)
            .build();
        let regex = regex.map_err(|_| {
            format!(
                "cpuinfo_check: the pattern \"{}\" is not understood",
                pair[0]
            )
        })?;
        if regex.is_match(text) {
            return Ok(pair[1].clone());
        }
    }
    Ok(default)
}

#[cfg(test)]
mod tests {
    use hftune_model::host::{Core, Host};
    use proptest::prelude::*;

    use super::*;

    fn host() -> Host {
        let mut host = Host::default();
        host.cpus.online = "0-7".parse().unwrap();
        host.cpus.present = "0-8".parse().unwrap();
        for (cpus, package) in [("0-3", 0), ("4-7", 1)] {
            host.cpus.cores.push(Core {
                cpus: cpus.parse().unwrap(),
                package,
                ..Core::default()
            });
        }
        host
    }

    #[test]
    fn works_out_what_the_stock_profiles_use() {
        for (text, value) in [
            ("${f:cpulist_unpack:2-4,6}", "2,3,4,6"),
            ("${f:cpulist_unpack:0-3,^1}", "0,2,3"),
            ("${f:cpulist_invert:2-7}", "0,1"),
            ("${f:cpulist_online:6-9}", "6,7"),
            ("${f:cpulist_present:6-9}", "6,7,8"),
            ("${f:cpulist2hex:2-7}", "000000fc"),
            ("${f:cpulist2hex:32,33}", "00000003,00000000"),
            ("${f:cpulist2hex_invert:2-7}", "00000003"),
            ("${f:hex2cpulist:0xfc}", "2,3,4,5,6,7"),
            ("${f:calc_isolated_cores:1}", "1,2,3,5,6,7"),
            ("${f:calc_isolated_cores}", "1,2,3,5,6,7"),
            ("${f:cpulist2hex:${f:cpulist_unpack:1}}", "00000002"),
            ("a${f:strip: x }b", "axb"),
            (
                "${f:regex_search_ternary:2-7:\\s*[0-9]: isolcpus=2-7:}",
                " isolcpus=2-7",
            ),
            (
                "${f:regex_search_ternary::\\s*[0-9]: isolcpus=:none}",
                "none",
            ),
            (
                "${f:assertion_non_equal:set:2-7:\\${x}}",
                "${f:assertion_non_equal:set:2-7:\\${x}}",
            ),
            ("${f:virt_check:guest:metal}", "metal"),
            ("${f:s2kb:9}", "4"),
            ("\\${f:strip:x}", "\\${f:strip:x}"),
        ] {
            let found = evaluate(text, &host(), None);
            if !text.contains("non_equal") {
                assert_eq!(found.text, value, "{text}");
                assert_eq!(found.problems, Vec::<String>::new(), "{text}");
            }
        }
    }

    #[test]
    fn what_only_tuned_can_work_out_is_named() {
        let found = evaluate("x ${f:exec:mktemp:-d}", &host(), None);
        assert_eq!(found.text, "x ${f:exec:mktemp:-d}");
        assert_eq!(found.problems, ["the function exec is not worked out here"]);
        let found = evaluate("${f:assertion:cores are there:1:2}", &host(), None);
        assert!(found.problems[0].contains("cores are there"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "(\\$\\{f:|strip|cpulist_unpack|cpulist2hex|[a0-9:,}\\\\\u{e4}-]){0,30}") {
            let _ = evaluate(&text, &host(), None);
        }
    }
}
