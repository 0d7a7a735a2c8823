#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Facts of hftune."""

DOCUMENTATION = r"""
---
module: hftune_facts
short_description: What hftune knows of a host
description:
  - Reads the host, the plan and the verdicts, and changes nothing.
  - A host without hftune has the fact C(installed) false, and no other.
options:
  binary:
    description: The hftune to ask, in place of the installed one.
    type: path
  profile:
    description: The profile to follow, C(hft), C(hft-max) or a file on the host. Without it, that of the last setup.
    type: str
  profile_content:
    description: What the file O(profile) is going to hold. It is used in place of the file where the two differ.
    type: str
author:
  - The hftune authors (@hftune)
attributes:
  check_mode:
    description: It only reads.
    support: full
"""

EXAMPLES = r"""
- name: Read what hftune knows
  hftune.hftune.hftune_facts:

- name: Show the CPUs of the application
  ansible.builtin.debug:
    var: ansible_facts.hftune.cpus.isolated
"""

RETURN = r"""
ansible_facts:
  description: One fact.
  returned: always
  type: dict
  contains:
    hftune:
      description: >-
        C(installed), C(binary) and its C(sha256), C(version), C(profile), C(cpus) as hftune plans them, C(planned_changes),
        C(verify) with a count of each verdict, C(reboot_missing), C(kernel), C(distribution), and C(same), the properties that
        hosts of one kind share.
      type: dict
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hftune.hftune.plugins.module_utils.hftune import (
    PROFILE_ARGUMENTS,
    REBOOT_MISSING,
    Hftune,
    installed,
    profile_options,
)


def same(host, plan):
    """What hosts of one kind share: a difference means that one of them is tuned otherwise than the others."""
    cpus = host["cpus"]
    ports = []
    for nic in host["nics"]:
        ports.append("%s %s node %s" % (nic["name"], nic.get("driver"), nic.get("node")))
    return {
        "CPU model": str(cpus.get("model")),
        "CPUs online": str(cpus.get("online")),
        "cores": str(len(cpus["cores"])),
        "NUMA nodes": str(len(host["nodes"])),
        "housekeeping CPUs": plan["cpus"]["housekeeping"],
        "isolated CPUs": plan["cpus"]["isolated"],
        "network ports": ", ".join(sorted(ports)),
        "profile": plan["profile"],
    }


def facts(module):
    """The fact."""
    hftune = Hftune(module)
    found = {"installed": installed() is not None}
    if hftune.path is None:
        return found
    hftune.need()
    options = profile_options(module)
    plan = hftune.plan(options)[1]
    code, verify = hftune.verify(options)
    host = hftune.json(["host", "--json"], "hftune/host/1", [0])[1]
    found.update(
        binary=hftune.path,
        sha256=module.sha256(hftune.path),
        version=hftune.version(),
        profile=plan["profile"],
        cpus=plan["cpus"],
        planned_changes=len(plan["changes"]),
        verify=verify["summary"],
        as_desired=code == 0,
        reboot_missing=code == REBOOT_MISSING,
        kernel=host["kernel"]["release"],
        distribution=host["distribution"]["name"],
        same=same(host, plan),
    )
    return found


def main():
    """Reads the facts."""
    module = AnsibleModule(argument_spec=PROFILE_ARGUMENTS, supports_check_mode=True)
    module.exit_json(changed=False, ansible_facts={"hftune": facts(module)})


if __name__ == "__main__":
    main()
