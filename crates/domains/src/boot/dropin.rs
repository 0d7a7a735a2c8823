//! Debian and Ubuntu: `/etc/default/grub.d/99-hft.cfg`, a file of our own that adds to `GRUB_CMDLINE_LINUX_DEFAULT`.
//!
//! grub-mkconfig reads `/etc/default/grub`, then `/etc/default/grub.d/*.cfg` in order, with `sh`. Recovery entries get
//! `GRUB_CMDLINE_LINUX` only, so adding to the other variable leaves them alone.

use super::argument::Argument;
use super::cmdline;
use super::grub_default;

/// The drop-in.
pub const PATH: &str = "/etc/default/grub.d/99-hft.cfg";

/// The variable for entries that are not for recovery.
pub const VARIABLE: &str = "GRUB_CMDLINE_LINUX_DEFAULT";

/// The text of the drop-in. Arguments are made of characters that mean themselves inside double quotes.
pub fn render(arguments: &[Argument]) -> String {
    let words: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    format!(
        "# Written by hftune, which owns this file: \"hftune setup\" writes it anew, \"hftune rollback\" removes it.\n\
         # Arguments of your own belong in /etc/default/grub.\n\
         {VARIABLE}=\"${VARIABLE} {}\"\n",
        words.join(" ")
    )
}

/// The words that a drop-in adds.
pub fn words(text: &str) -> Vec<String> {
    let found = grub_default::assignments(text, VARIABLE).unwrap_or_default();
    found
        .iter()
        .flat_map(|assigned| cmdline::tokens(&assigned.value))
        .map(|token| token.raw.to_owned())
        .filter(|word| !word.starts_with('$'))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::boot::shell;

    fn argument() -> impl Strategy<Value = Argument> {
        (
            "[a-z_.]{1,10}",
            proptest::option::of("[a-zA-Z0-9_.,:=/+@%-]{0,12}"),
        )
            .prop_map(|(name, value)| Argument::new(&name, value.as_deref()))
    }

    #[test]
    fn adds_to_whatever_was_there() {
        let ours = render(&[
            Argument::new("isolcpus", Some("managed_irq,domain,2-7")),
            Argument::new("nowatchdog", None),
        ]);
        let seen = |first: &str| shell::value(&[first, &ours], VARIABLE);
        assert_eq!(
            seen("GRUB_CMDLINE_LINUX_DEFAULT=\"quiet splash\"\n").unwrap(),
            "quiet splash isolcpus=managed_irq,domain,2-7 nowatchdog"
        );
        assert_eq!(
            seen("GRUB_DEFAULT=0\n").unwrap().trim(),
            "isolcpus=managed_irq,domain,2-7 nowatchdog"
        );
        assert_eq!(
            shell::value(&["GRUB_CMDLINE_LINUX=a\n", &ours], "GRUB_CMDLINE_LINUX").unwrap(),
            "a"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_shell_and_we_read_the_same(arguments in prop::collection::vec(argument(), 1..5)) {
            let text = render(&arguments);
            let wanted: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            prop_assert_eq!(words(&text), wanted.clone());
            let seen = shell::value(&["", &text], VARIABLE).unwrap();
            prop_assert_eq!(seen.split_whitespace().collect::<Vec<_>>(), wanted);
        }
    }
}
