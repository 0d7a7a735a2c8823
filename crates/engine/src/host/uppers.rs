//! The interfaces above and below one: the links `upper_NAME` and `lower_NAME` in its directory
//! (`netdev_adjacent_sysfs_add()`, net/core/dev.c).

use super::facts::Facts;

const NET: &str = "/sys/class/net";

/// What is above an interface, the nearest first: a bond, then a VLAN on it.
pub(super) fn above(facts: &Facts<'_>, name: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut next = vec![name.to_owned()];
    while !next.is_empty() {
        let mut nearest: Vec<String> = Vec::new();
        for upper in next.iter().flat_map(|name| linked(facts, name, "upper_")) {
            // One may be above two of these, and a tree may lie.
            if upper != name && !found.contains(&upper) {
                found.push(upper.clone());
                nearest.push(upper);
            }
        }
        next = nearest;
    }
    found
}

/// The interfaces to which links of this kind in the directory of an interface lead.
fn linked(facts: &Facts<'_>, name: &str, kind: &str) -> Vec<String> {
    let names = facts.list(&format!("{NET}/{name}"));
    names
        .iter()
        .filter_map(|file| file.strip_prefix(kind))
        .map(str::to_owned)
        .collect()
}
