#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Proves every setting of a host."""

DOCUMENTATION = r"""
---
module: hftune_verify
short_description: Prove every setting of hftune on a host
description:
  - Runs C(hftune verify), which changes nothing, and fails where a setting is not saved, live or in effect.
options:
  profile:
    description: The profile to follow, C(hft), C(hft-max) or a file on the host. Without it, that of the last setup.
    type: str
  confirm:
    description: Keep a setup that waits to be confirmed, where every setting is proved.
    type: bool
    default: false
author:
  - The hftune authors (@hftune)
attributes:
  check_mode:
    description: It only reads.
    support: full
"""

EXAMPLES = r"""
- name: Prove every setting
  hftune.hftune.hftune_verify:
"""

RETURN = r"""
summary:
  description: How many settings have each verdict.
  returned: always
  type: dict
not_as_desired:
  description: A line for each setting that is not as the profile wants it, with the reason and the command that mends it.
  returned: always
  type: list
  elements: str
reboot_missing:
  description: Whether only a reboot is missing.
  returned: always
  type: bool
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hftune.hftune.plugins.module_utils.hftune import (
    AS_DESIRED,
    REBOOT_MISSING,
    Hftune,
    not_as_desired,
)

# Where hftune keeps until when a setup waits.
PENDING = "/var/lib/hftune/confirm"


def main():
    """Verifies, and confirms."""
    arguments = {"profile": {"type": "str"}, "confirm": {"type": "bool", "default": False}}
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    hftune = Hftune(module)
    hftune.need()
    profile = module.params["profile"]
    code, verify = hftune.verify(["--profile", profile] if profile else [])
    answer = {
        "summary": verify["summary"],
        "not_as_desired": not_as_desired(verify),
        "reboot_missing": code == REBOOT_MISSING,
    }
    if code == AS_DESIRED:
        if module.params["confirm"] and os.path.exists(PENDING) and not module.check_mode:
            code, out, error = hftune.run(["confirm"])
            if code != AS_DESIRED:
                module.fail_json(msg="hftune confirm exits with %s: %s" % (code, (error or out).strip()), rc=code, **answer)
        module.exit_json(changed=False, **answer)
    if code == REBOOT_MISSING:
        words = "only a reboot is missing"
    else:
        words = "not as the profile wants it"
    module.fail_json(msg="%s: %s" % (words, "; ".join(answer["not_as_desired"])), rc=code, **answer)


if __name__ == "__main__":
    main()
