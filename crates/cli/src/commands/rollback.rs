//! `hftune rollback`

use hftune_engine::{confirm, journal, rollback};
use hftune_model::Result;
use hftune_report::transactions::{NotDone, Rollback, rollback as report};
use hftune_sys::Root;

use crate::args::Rollback as Args;
use crate::terminal::{self, Progress};
use crate::{Answer, commands};

pub(super) fn run(root: &Root, args: &Args) -> Result<Answer> {
    commands::need_root(root, "rollback")?;
    let _lock = if args.unconfirmed {
        commands::wait_for_lock(root, "rollback")?
    } else {
        commands::lock(root, "rollback")?
    };
    let transactions = if args.force {
        let (transactions, warnings) = journal::read_before_damage(root)?;
        terminal::warn(&warnings);
        transactions
    } else {
        journal::read_all(root)?
    };
    let chosen = if args.unconfirmed {
        confirm::unconfirmed(root, transactions)?
    } else {
        rollback::choose(transactions, args.id.as_deref(), args.all)?
    };
    let steps = chosen.iter().map(|t| t.steps.len()).sum();
    if !chosen.is_empty() && !args.consent.yes {
        for transaction in &chosen {
            terminal::show(&format!(
                "Transaction {} ({}): {} steps\n",
                transaction.id,
                transaction.profile,
                transaction.steps.len()
            ));
        }
        if !terminal::consent("Undo this?")? {
            return Ok(Answer::ok("Nothing was changed.\n").code(3));
        }
    }
    let boot_id = root.read_text_if_present("/proc/sys/kernel/random/boot_id")?;
    let undone = {
        let progress = Progress::new(steps);
        let mut number = 0;
        rollback::rollback(
            root,
            &chosen,
            boot_id.as_deref().map(str::trim),
            args.force,
            |what| {
                progress.step(number, what);
                number += 1;
            },
        )?
    };
    let complete = undone.transactions.len() == chosen.len();
    let result = Rollback {
        schema: "hftune/rollback/1",
        transactions: undone.transactions,
        restored: undone.restored,
        taken_out: undone.taken_out,
        not_restored: undone
            .not_restored
            .into_iter()
            .map(|(id, reason)| NotDone { id, reason })
            .collect(),
        conflicts: undone.conflicts,
        reboot_required: undone.reboot_required,
    };
    let text = if args.output.json {
        hftune_report::to_json(&result)
    } else if chosen.is_empty() {
        "There is nothing to undo.\n".to_owned()
    } else {
        report(&result, terminal::width())
    };
    let code = match (complete, result.reboot_required) {
        (false, _) => 1,
        (true, true) => 4,
        (true, false) => 0,
    };
    Ok(Answer::ok(text).code(code))
}
