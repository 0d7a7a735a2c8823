//! The file that `hftune profile new` writes: the built-in profile with every value commented out.

use super::load::BUILT_IN;

const INTRO: &str = "\
# A profile for hftune: what this host is to be. Install it as /etc/hftune/profile.toml.
#
# Every value below is that of the built-in profile, commented out. Remove the # in front of a key to change its value;
# what stays commented out follows the built-in profile, also after an update. To check the file:
#   hftune profile check FILE
#   hftune plan --profile FILE

# The profile that this one starts from: a built-in one, or the path of a file, relative to this one.
extends = \"hft\"
";

/// The text of a commented profile that changes nothing yet.
pub fn starter() -> String {
    let (_, text) = BUILT_IN[0];
    // The built-in profile's own introduction ends at the first empty line.
    let body = text.split_once("\n\n").map_or(text, |(_, body)| body);
    let mut starter = format!("{INTRO}\n");
    for line in body.lines() {
        if !(line.is_empty() || line.starts_with(['#', '['])) {
            starter.push('#');
        }
        starter.push_str(line);
        starter.push('\n');
    }
    starter
}
