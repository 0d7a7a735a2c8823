//! Reports: text and JSON out of the model. Nothing here touches the machine.
pub mod capture;
pub mod drift;
pub mod explain;
pub mod export;
pub mod host;
pub mod html;
pub mod irq;
pub mod jitter;
pub mod netlat;
pub mod nic;
pub mod nic_tune;
pub mod plan;
pub mod profile;
pub mod quiet;
pub mod run_check;
pub mod schema;
pub mod table;
pub mod text;
pub mod transactions;
pub mod verify;
pub mod vma_check;
pub mod vma_params;
pub mod vma_stats;

/// One JSON object with a newline after it.
pub fn to_json(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value)
        .expect("reports are maps with text keys, lists and scalars");
    text.push('\n');
    text
}
