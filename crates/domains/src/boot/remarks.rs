//! What an operator should know of an argument that is set as the profile wants it.

use super::argument::Argument;
use super::{cmdline, tuned};
use crate::Context;

/// Remarks on an argument for this host.
pub fn remarks(argument: &Argument, cx: &Context<'_>) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(remark) = argument.isolates_nothing() {
        remarks.push(remark);
    }
    if let Some(rival) = tuned::rival(argument, &cx.host.boot_loader).filter(|rival| !rival.wins) {
        let why = if !cmdline::first_wins(&argument.name) {
            Some(format!("the last {}= wins", argument.name))
        } else if argument.drops(&rival.argument) {
            let name = &argument.name;
            Some(format!("the kernel drops it, since the first {name}= wins"))
        } else {
            None
        };
        remarks.extend(why.map(|why| {
            format!(
                "tuned adds {} ({}), but {why}; to take it away: {}",
                rival.argument,
                rival.place,
                tuned::FIX
            )
        }));
    }
    if let Some(dropped) = argument.dropped_on(&cx.host.kernel.cmdline) {
        remarks.push(format!(
            "the kernel was booted with {dropped} as well and dropped it, since the first {}= wins",
            argument.name
        ));
    }
    remarks
}
