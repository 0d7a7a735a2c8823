//! Who else sets a value of a port: each value has one owner, and where it is not hftune it is named.

use hftune_model::host::Nic as Device;
use hftune_model::knob::Knob;
use hftune_model::others::PortSetting;
use hftune_model::profile::nic::Wanted;

use super::features;
use crate::{Context, conflicts};

/// Another tool that sets a value.
#[derive(Debug)]
pub(super) struct Owner {
    /// Whether it sets the wanted one.
    pub agrees: bool,
    /// Who it is and what it sets, with file and line.
    pub told: String,
    /// What makes hftune the owner.
    pub remedy: String,
}

/// The other owner of a value, where there is one for sure.
///
/// A file that may not be for this port is told as a note of plan and verify, and hftune sets the value.
pub(super) fn of(knob: &Knob, wanted: Wanted, device: &Device, cx: &Context<'_>) -> Option<Owner> {
    let others = cx.host.port_settings.iter();
    let claim = others
        .filter(|claim| !claim.uncertain && claim.port.as_deref() == Some(device.name.as_str()))
        .filter(|claim| is_about(claim, knob))
        .find(|claim| conflicts::sets_ports(claim.owner, cx))?;
    let agrees = agrees(&claim.value, wanted);
    let (who, when) = conflicts::writer(claim.owner);
    let sets = format!(
        "{who} sets {}={} ({}:{}) {when}",
        claim.knob, claim.value, claim.file, claim.line
    );
    let told = if agrees {
        format!("{sets}, so that hftune leaves it to it")
    } else {
        format!("{sets}; one of the two has to own it, and hftune leaves it alone")
    };
    Some(Owner {
        agrees,
        told,
        remedy: format!("{} && hftune setup", conflicts::remedy(&[claim])),
    })
}

/// Whether a claim is about a knob: by the same word, or by a feature that a word of several has in it.
pub(super) fn is_about(claim: &PortSetting, knob: &Knob) -> bool {
    if claim.knob == knob.to_string() {
        return true;
    }
    let (Knob::Feature(word), Some(name)) = (knob, claim.knob.strip_prefix("feature-")) else {
        return false;
    };
    features::members(word).contains(&name)
}

/// Whether a value of another tool's is the wanted one, as far as its text tells.
fn agrees(value: &str, wanted: Wanted) -> bool {
    let value = value.trim();
    match wanted {
        Wanted::Switch(on) => {
            let words: &[&str] = if on {
                &["on", "true", "yes", "1"]
            } else {
                &["off", "false", "no", "0"]
            };
            words.iter().any(|word| value.eq_ignore_ascii_case(word))
        }
        // A time span of systemd without a unit is in seconds, and 0 is the same in all units.
        Wanted::Number(number) => {
            value.strip_suffix("us").unwrap_or(value).trim() == number.to_string()
        }
        Wanted::Most => value == "max",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_in_the_words_of_each_tool() {
        for (value, wanted, same) in [
            ("off", Wanted::Switch(false), true),
            ("No", Wanted::Switch(false), true),
            ("true", Wanted::Switch(false), false),
            ("1", Wanted::Switch(true), true),
            ("4096", Wanted::Number(4096), true),
            ("50us", Wanted::Number(50), true),
            ("0", Wanted::Number(0), true),
            ("512", Wanted::Number(4096), false),
            ("max", Wanted::Most, true),
            ("max", Wanted::Number(4096), false),
        ] {
            assert_eq!(agrees(value, wanted), same, "{value} {wanted}");
        }
    }
}
