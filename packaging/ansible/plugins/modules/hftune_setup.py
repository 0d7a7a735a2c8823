#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Sets a host up."""

DOCUMENTATION = r"""
---
module: hftune_setup
short_description: Change a host as a profile of hftune wants it
description:
  - Runs C(hftune setup). In check mode the plan is made and nothing is done; with C(--diff) it is shown.
  - It fails where the host is not as the profile wants it afterwards, a missing reboot aside.
options:
  binary:
    description: The hftune to run, in place of the installed one. Only for check mode.
    type: path
  profile:
    description: The profile to follow, C(hft), C(hft-max) or a file on the host. Without it, that of the last setup.
    type: str
  profile_content:
    description: What the file O(profile) is going to hold. In check mode, it is used in place of the file.
    type: str
  confirm_within:
    description: Undo the setup, also after a reboot, unless C(hftune confirm) is run within this time, like C(45m).
    type: str
author:
  - The hftune authors (@hftune)
attributes:
  check_mode:
    description: The plan is made.
    support: full
  diff_mode:
    description: The plan is shown.
    support: full
"""

EXAMPLES = r"""
- name: Set the host up
  hftune.hftune.hftune_setup:
    profile: hft
  register: tuned
"""

RETURN = r"""
transaction:
  description: The transaction, as C(hftune rollback) takes it. None where nothing was changed.
  returned: always
  type: str
settings:
  description: The ids of the settings that were changed, or would be.
  returned: success
  type: list
  elements: str
reboot_required:
  description: Whether the host must be rebooted.
  returned: always
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hftune.hftune.plugins.module_utils.hftune import (
    AS_DESIRED,
    PROFILE_ARGUMENTS,
    REBOOT_MISSING,
    Hftune,
    not_as_desired,
    plan_diff,
    profile_options,
)


def planned(module, hftune):
    """Check mode: what would be done."""
    code, plan = hftune.plan(profile_options(module))
    ids = [change["id"] for change in plan["changes"]]
    module.exit_json(
        changed=code != AS_DESIRED,
        msg="%s settings would be changed" % len(ids),
        settings=ids,
        transaction=None,
        reboot_required=any(change["when"] == "reboot" for change in plan["changes"]),
        diff=plan_diff(plan),
    )


def new_transaction(known, hftune):
    """The transaction that a setup which failed has begun."""
    for entry in reversed(hftune.history()):
        if entry["id"] not in known and entry["status"] != "rolled-back":
            return entry["id"]
    return None


def main():
    """Sets the host up, or plans to."""
    arguments = dict(PROFILE_ARGUMENTS, confirm_within={"type": "str"})
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    hftune = Hftune(module)
    hftune.need()
    if module.check_mode:
        planned(module, hftune)
    options = profile_options(module)
    known = set(entry["id"] for entry in hftune.history())
    # What is about to be done is shown as it was planned: afterwards there is nothing left to compare.
    difference = plan_diff(hftune.plan(options)[1]) if module._diff else None
    waiting = ["--confirm-within", module.params["confirm_within"]] if module.params["confirm_within"] else []
    code, result, error = hftune.try_json(["setup", "--yes", "--json"] + options + waiting, "hftune/setup/1")
    if code in (AS_DESIRED, REBOOT_MISSING) and result is not None:
        answer = {
            "changed": result["transaction"] is not None,
            "transaction": result["transaction"],
            "settings": [change["id"] for change in result["changed"]],
            "reboot_required": result["reboot_required"],
        }
        if difference is not None:
            answer["diff"] = difference
        module.exit_json(**answer)
    transaction = result["transaction"] if result is not None else new_transaction(known, hftune)
    why = [error] if error else []
    if code not in (1, 2, 5):
        why += not_as_desired(hftune.verify(options)[1])
    module.fail_json(
        msg="hftune setup exits with %s: %s" % (code, "; ".join(why)),
        rc=code,
        changed=transaction is not None,
        transaction=transaction,
        reboot_required=bool(result and result["reboot_required"]),
        not_as_desired=why,
    )


if __name__ == "__main__":
    main()
