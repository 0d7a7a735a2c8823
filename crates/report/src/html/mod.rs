//! One self-contained page: the machine, what was proved of it, and what was measured. No script, nothing from elsewhere.

mod compare;
mod gaps;
mod machine;
mod proofs;
mod style;
mod svg;
mod timeline;

use hftune_model::cpu_plan::CpuPlan;
use hftune_model::finding::Finding;
use hftune_model::host::Host;
use hftune_model::irq_map::IrqMap;
use hftune_model::jitter::Jitter;

use svg::escape;

/// What a page tells.
#[derive(Debug, Clone, Copy)]
pub struct Page<'p> {
    /// The name of the machine.
    pub title: &'p str,
    /// The facts.
    pub host: &'p Host,
    /// Who gets which CPU.
    pub cpus: &'p CpuPlan,
    /// Where interrupts fire.
    pub irqs: &'p IrqMap,
    /// The profile, and what was proved of it.
    pub profile: &'p str,
    /// As above.
    pub findings: &'p [Finding],
    /// What else was noticed.
    pub notes: &'p [String],
    /// What was measured: none, one, or before and after.
    pub measured: &'p [Jitter],
}

/// The page.
pub fn page(page: &Page<'_>) -> String {
    let mut body = String::new();
    if let [before, after] = page.measured {
        body += &compare::section(before, after);
    }
    body += &machine::section(page.host, page.cpus, page.irqs);
    if !page.measured.is_empty() {
        body += &gaps::section(page.measured);
        body += &timeline::section(page.measured);
    }
    body += &proofs::section(page.profile, page.findings, page.notes);
    let host = page.host;
    let model = host.cpus.model.as_deref().unwrap_or("unknown CPU");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>hftune: {title}</title>\n<style>{style}</style>\n</head>\n<body>\n\
         <header><h1>{title}</h1><p>{distribution}, Linux {release}, {model}, {online} CPUs online, {memory}</p></header>\n\
         <main>\n{body}</main>\n<footer>hftune {version}</footer>\n</body>\n</html>\n",
        title = escape(page.title),
        style = style::SHEET,
        distribution = escape(&host.distribution.name),
        release = escape(&host.kernel.release),
        model = escape(model),
        online = host.cpus.online.len(),
        memory = host.memory.total,
        version = env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests;
