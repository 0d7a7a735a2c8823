//! The page: its head, its sections, its foot.

use std::fmt::Write as _;

use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::{Finding, Skipped};
use hftune_model::host::Host;
use hftune_model::irq_map::IrqMap;
use hftune_model::jitter::Jitter;

use super::escape::Text;
use super::{compare, gaps, irqs, machine, verify};

/// The look of the page: light and dark, wide and narrow, screen and paper.
const STYLE: &str = include_str!("style.css");

/// Begins what scrolls sideways where it has no room, also by keys.
pub(super) const SCROLL: &str = "<div class=\"scroll\" role=\"region\" aria-label=\"Table that scrolls sideways\" tabindex=\"0\">";

/// What the page is made of.
#[derive(Debug)]
pub struct Page<'a> {
    /// The name of the machine, or of where it was read.
    pub name: &'a str,
    /// When it was made, UTC.
    pub time: &'a str,
    /// Where the machine was read, like "this machine", or the name of a capture.
    pub read_from: &'a str,
    /// The machine.
    pub host: &'a Host,
    /// Who gets which CPU.
    pub cpus: &'a CpuPlan,
    /// Why the profile's split of the CPUs is not made, where it is refused.
    pub refused: Option<&'a Skipped>,
    /// Where interrupts fire.
    pub irqs: &'a IrqMap,
    /// The name of the profile.
    pub profile: &'a str,
    /// Its settings, judged.
    pub findings: &'a [Finding],
    /// What other tools do that is no finding.
    pub notes: &'a [String],
    /// No measurement, one, or two: before and after.
    pub measured: &'a [Measured],
}

/// A measurement of gaps.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// What it is called: the name of its file.
    pub name: String,
    /// What was found.
    pub jitter: Jitter,
}

impl Measured {
    /// Its word among `count` measurements.
    pub(super) fn word(place: usize, count: usize) -> &'static str {
        match (place, count) {
            (_, 1) => "measured",
            (0, _) => "before",
            _ => "after",
        }
    }
}

/// The whole page.
pub fn page(page: &Page<'_>) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>hftune report: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        Text(page.name)
    );
    let _ = writeln!(
        out,
        "<header>\n<h1>hftune report: {}</h1>\n<p class=\"sub\">Made {}, read from {}; profile {}</p>\n\
         <nav aria-label=\"Sections\"><a href=\"#machine\">Machine</a> <a href=\"#irqs\">Interrupts</a> \
         {}<a href=\"#verify\">Settings</a></nav>\n</header>\n<main>",
        Text(page.name),
        Text(page.time),
        Text(page.read_from),
        Text(page.profile),
        if page.measured.is_empty() {
            ""
        } else {
            "<a href=\"#gaps\">Gaps</a> "
        },
    );
    glance(page, &mut out);
    out += &machine::section(page.host, page.cpus, page.irqs, page.refused);
    out += &irqs::section(page.host, page.irqs);
    if !page.measured.is_empty() {
        out += &gaps::section(page.measured, page.findings, &page.host.kernel.release);
    }
    out += &verify::section(page.profile, page.findings, page.notes);
    let _ = writeln!(
        out,
        "</main>\n<footer>hftune {}. hftune explain ID tells what a setting does, what it costs and how it is proved.</footer>\n\
         </body>\n</html>",
        env!("CARGO_PKG_VERSION")
    );
    out
}

/// What matters most, before everything else.
fn glance(page: &Page<'_>, out: &mut String) {
    out.push_str("<section id=\"glance\" aria-label=\"At a glance\">\n");
    out.push_str(&verify::tiles(page.findings));
    if !page.measured.is_empty() {
        out.push_str(&compare::tiles(page.measured));
    }
    out.push_str("</section>\n");
}

/// A list of lines that want to be read, or nothing.
pub(super) fn warnings(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut out = "<ul class=\"notes\">\n".to_owned();
    for line in lines {
        let _ = writeln!(out, "<li>{}</li>", Text(line));
    }
    out + "</ul>\n"
}

#[cfg(test)]
mod tests {
    use crate::html::sample;

    /// Elements that have no end.
    const VOID: [&str; 2] = ["meta", "wbr"];

    /// Every element that begins ends, in the right order; SVG elements may end themselves.
    #[track_caller]
    fn balanced(html: &str) {
        let mut open: Vec<&str> = Vec::new();
        let body = &html[html.find("</style>").expect("a style") + 8..];
        open.extend(["html", "head"]);
        for tag in body.split('<').skip(1) {
            let (tag, _) = tag.split_once('>').expect("a tag ends");
            let name = tag
                .split([' ', '\n', '/'])
                .find(|word| !word.is_empty())
                .expect("a name");
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "</{name}>");
            } else if !tag.ends_with('/') && !VOID.contains(&name) {
                open.push(name);
            }
            assert_eq!(tag.matches('"').count() % 2, 0, "quotes of <{tag}>");
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn the_page_is_well_formed_and_asks_for_nothing() {
        for count in 0..=2 {
            let html = sample::page(count);
            balanced(&html);
            for request in [
                "<script", "<link", "<img", "@import", "url(", "http:", "https:", "src=",
            ] {
                assert!(!html.contains(request), "{request}");
            }
            assert_eq!(html.contains("id=\"gaps\""), count > 0);
            assert!(html.contains("name=\"viewport\"") && html.contains("prefers-color-scheme"));
            assert!(!html.contains("NaN") && !html.contains("inf "), "{html}");
        }
    }

    #[test]
    fn every_id_is_there_once_and_every_link_leads_to_one() {
        let html = sample::page(2);
        let all = |before: &str| -> Vec<String> {
            let parts = html.split(before).skip(1);
            parts
                .map(|part| part.split('"').next().expect("text").to_owned())
                .collect()
        };
        let mut ids = all(" id=\"");
        ids.sort();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count, "an id twice");
        for link in all(" href=\"#") {
            assert!(ids.contains(&link), "#{link}");
        }
    }

    #[test]
    fn nothing_from_outside_is_markup() {
        let html = sample::page(2);
        assert!(html.contains("&lt;evil&gt;"));
        assert!(!html.contains("<evil"), "unescaped");
        assert!(!html.contains("\"evil"), "unescaped");
    }
}
