#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Undoes what hftune changed on a host."""

DOCUMENTATION = r"""
---
module: hftune_rollback
short_description: Undo what hftune changed on a host
description:
  - Runs C(hftune rollback). In check mode the transactions that would be undone are told.
options:
  transaction:
    description: Undo this transaction and all after it.
    type: str
  all:
    description: Undo everything that hftune ever changed on the host.
    type: bool
    default: false
author:
  - The hftune authors (@hftune)
attributes:
  check_mode:
    description: The transactions are told.
    support: full
"""

EXAMPLES = r"""
- name: Give the stock server back
  hftune.hftune.hftune_rollback:
    all: true
"""

RETURN = r"""
transactions:
  description: The transactions that were undone, or would be.
  returned: always
  type: list
  elements: str
reboot_required:
  description: Whether the running kernel still has boot arguments that are gone.
  returned: always
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hftune.hftune.plugins.module_utils.hftune import AS_DESIRED, REBOOT_MISSING, Hftune


def chosen(module, hftune):
    """The transactions to undo, oldest first."""
    in_force = [entry["id"] for entry in hftune.history() if entry["status"] != "rolled-back"]
    if module.params["all"]:
        return in_force
    if module.params["transaction"] not in in_force:
        return []
    return in_force[in_force.index(module.params["transaction"]):]


def main():
    """Rolls back."""
    module = AnsibleModule(
        argument_spec={"transaction": {"type": "str"}, "all": {"type": "bool", "default": False}},
        mutually_exclusive=[("transaction", "all")],
        supports_check_mode=True,
    )
    if not module.params["all"] and not module.params["transaction"]:
        module.fail_json(msg="name a transaction, or all: true")
    hftune = Hftune(module)
    hftune.need()
    undo = chosen(module, hftune)
    if not undo or module.check_mode:
        module.exit_json(changed=bool(undo), transactions=undo, reboot_required=False)
    which = ["--all"] if module.params["all"] else [module.params["transaction"]]
    code, result, error = hftune.try_json(["rollback", "--yes", "--json"] + which, "hftune/rollback/1")
    if result is None:
        module.fail_json(msg="hftune rollback exits with %s: %s" % (code, error), rc=code, transactions=[])
    answer = {"transactions": result["transactions"], "reboot_required": result["reboot_required"]}
    if code in (AS_DESIRED, REBOOT_MISSING):
        # Without the exit code: Ansible takes a result with another "rc" than 0 for a failure.
        module.exit_json(changed=True, **answer)
    why = ["%s: %s" % (entry["id"], entry["reason"]) for entry in result["not_restored"]]
    module.fail_json(msg="not everything was put back: %s" % "; ".join(why or [error]), rc=code, changed=True, **answer)


if __name__ == "__main__":
    main()
