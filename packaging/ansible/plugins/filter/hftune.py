# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which hosts differ from the others of their kind. Runs on the controller."""

from collections import Counter, defaultdict


class FilterModule:
    """The filters."""

    def filters(self):
        """Their names."""
        return {"differences": differences, "kinds": kinds, "outcomes": outcomes}


def kinds(hosts):
    """Of the variables of hosts, what C(differences) compares."""
    return [
        {
            "host": host["inventory_hostname"],
            "group": host["hftune_kind"],
            "same": host["ansible_facts"].get("hftune", {}).get("same", {}),
        }
        for host in hosts
    ]


def outcomes(hostvars, hosts):
    """A line for each host with what became of it; one that said nothing was not reached."""
    none = "NOT REACHED, or lost on the way: see above"
    return table([(host, hostvars[host].get("hftune_outcome", none).strip()) for host in sorted(hosts)] or [("no hosts", "")])


def differences(hosts):
    """A table of the hosts that differ from most of their group, as lines; empty where all are alike.

    Each of ``hosts`` has a C(host), a C(group), and as C(same) the properties that hosts of one kind share, as C(hftune_facts)
    returns them: none where they are not known. Where as many hosts have one value as another, the others are held against the
    value of the first host in the alphabet.
    """
    rows = []
    groups = defaultdict(dict)
    for entry in sorted(hosts, key=lambda entry: entry["host"]):
        if entry["group"] and entry["same"]:
            groups[entry["group"]][entry["host"]] = entry["same"]
    for same in groups.values():
        for name in sorted({name for properties in same.values() for name in properties}):
            values = {host: properties.get(name, "") or "none" for host, properties in same.items()}
            most = Counter(values.values()).most_common(1)[0][0]
            alike = sum(value == most for value in values.values())
            for host, value in values.items():
                if value != most:
                    rows.append((host, name, value, "%s (%d of %d)" % (most, alike, len(values))))
    return table([("HOST", "WHAT", "IT HAS", "MOST HAVE"), *sorted(rows)]) if rows else []


def table(rows):
    """Aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return ["  ".join([cell.ljust(width) for cell, width in zip(row, widths)] + [row[-1]]) for row in rows]
