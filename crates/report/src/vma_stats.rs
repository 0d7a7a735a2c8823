//! The report of `vma stats`.

use std::fmt::Write as _;

use hftune_model::vma::sockets::Socket;
use owo_colors::OwoColorize as _;
use schemars::JsonSchema;
use serde::Serialize;

use crate::table::Table;

/// A running application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Application {
    /// Its process.
    pub pid: u32,
    /// Its name; empty where it is gone.
    pub name: String,
    /// Its sockets.
    pub sockets: Vec<Socket>,
}

/// A table of sockets for each application.
pub fn human(applications: &[Application], width: usize) -> String {
    if applications.is_empty() {
        return "No running application has statistics of libvma.\n".to_owned();
    }
    let mut out = String::new();
    for application in applications {
        if !out.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(
            out,
            "{}",
            format!("{} ({})", application.name, application.pid).bold()
        );
        if application.sockets.is_empty() {
            out.push_str("  It has no sockets that libvma knows.\n");
            continue;
        }
        let mut table = Table::new(&[
            "FD",
            "TYPE",
            "LOCAL",
            "REMOTE",
            "CARD",
            "KERNEL",
            "POLL HITS",
            "DROPPED",
        ])
        .indent(2);
        for socket in &application.sockets {
            table.push([
                socket.fd.to_string(),
                socket.kind.clone(),
                socket.local.clone().unwrap_or_else(|| "-".to_owned()),
                socket.remote.clone().unwrap_or_else(|| "-".to_owned()),
                socket.offloaded().to_string(),
                socket.kernel().to_string(),
                socket
                    .hits_percent()
                    .map_or_else(|| "-".to_owned(), |hits| format!("{hits} %")),
                socket.rx_dropped.to_string(),
            ]);
        }
        out.push_str(&table.render(width));
        let kernel: u64 = application.sockets.iter().map(Socket::kernel).sum();
        if kernel > 0 {
            let _ = writeln!(
                out,
                "  {kernel} packets went through the kernel: those sockets are not offloaded."
            );
        }
    }
    out
}

/// What `hftune vma stats --json` prints.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Report<'a> {
    schema: &'static str,
    applications: &'a [Application],
}

/// One JSON object.
pub fn json(applications: &[Application]) -> String {
    crate::to_json(&Report {
        schema: "hftune/vma-stats/1",
        applications,
    })
}
