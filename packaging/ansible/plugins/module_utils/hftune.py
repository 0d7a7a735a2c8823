# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the modules share: the binary, its JSON, and the profile that it is to follow."""
# Runs on the hosts: Python 3.6 (RHEL 8) and the standard library only.

import json
import os

# Where hftune's own units look for it, in the same order.
INSTALLED = ("/usr/bin/hftune", "/usr/local/bin/hftune")

# Exit codes of hftune.
AS_DESIRED = 0
FAILED = 1
CHANGES = 3
REBOOT_MISSING = 4

PROFILE_ARGUMENTS = {
    "binary": {"type": "path"},
    "profile": {"type": "str"},
    "profile_content": {"type": "str"},
}


def installed():
    """The installed binary, or None."""
    for path in INSTALLED:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def profile_options(module):
    """The options that name the profile.

    A content that is not at its place yet, as in check mode, is put into a file that goes with the module.
    """
    profile = module.params["profile"]
    content = module.params["profile_content"]
    if not profile:
        return []
    if not content or read(profile) == content:
        return ["--profile", profile]
    path = os.path.join(module.tmpdir, "profile.toml")
    with open(path, "w") as file:
        file.write(content)
    return ["--profile", path]


def read(path):
    """The text of a file, or None where there is none."""
    try:
        with open(path) as file:
            return file.read()
    except (IOError, OSError):
        return None


class Hftune:
    """Runs hftune. Every answer is checked: its exit code, and the schema of what it printed."""

    def __init__(self, module):
        self.module = module
        self.path = module.params.get("binary") or installed()

    def need(self):
        """Fails where there is no binary."""
        if not self.path or not os.path.isfile(self.path):
            self.module.fail_json(
                msg="hftune is not installed: neither %s nor %s is there"
                % (self.module.params.get("binary") or INSTALLED[0], INSTALLED[1])
            )

    def run(self, arguments):
        """Exit code, standard output and standard error."""
        return self.module.run_command([self.path] + arguments, environ_update={"NO_COLOR": "1"})

    def version(self):
        """The version that it tells of itself."""
        code, out, error = self.run(["--version"])
        if code != 0:
            self.module.fail_json(msg="%s does not start: %s" % (self.path, (error or out).strip()))
        return out.strip().split(" ")[-1]

    def json(self, arguments, schema, codes):
        """Exit code and the object that it printed; anything unexpected fails the module."""
        code, data, error = self.try_json(arguments, schema)
        if data is None or code not in codes:
            self.module.fail_json(
                msg="hftune %s exits with %s: %s" % (" ".join(arguments), code, error), rc=code, result=data
            )
        return code, data

    def try_json(self, arguments, schema):
        """Exit code, the object or None, and what it said on standard error."""
        code, out, error = self.run(arguments)
        error = error.strip()
        try:
            data = json.loads(out)
        except ValueError:
            return code, None, error or out.strip()
        if not isinstance(data, dict) or data.get("schema") != schema:
            return code, None, "expected %s, and it printed %s" % (schema, out.strip()[:200])
        return code, data, error

    def history(self):
        """The transactions, oldest first."""
        return self.json(["history", "--json"], "hftune/history/1", [AS_DESIRED])[1]["transactions"]

    def plan(self, options):
        """The plan."""
        return self.json(["plan", "--json"] + options, "hftune/plan/1", [AS_DESIRED, CHANGES])

    def verify(self, options):
        """The verdicts."""
        codes = [AS_DESIRED, CHANGES, REBOOT_MISSING]
        return self.json(["verify", "--format", "json"] + options, "hftune/verify/1", codes)


def plan_diff(plan):
    """A plan as Ansible shows differences: what a setting is and what it will be, one below the other, and when."""
    if not plan["changes"]:
        return {"prepared": ""}
    cpus = plan["cpus"]
    lines = [
        "--- as it is",
        "+++ as profile %s wants it; housekeeping CPUs %s, isolated CPUs %s"
        % (plan["profile"], cpus["housekeeping"] or "none", cpus["isolated"] or "none"),
    ]
    for change in plan["changes"]:
        when = "after a reboot" if change["when"] == "reboot" else "at once"
        lines.append("-%s = %s" % (change["id"], one_line(change["from"])))
        lines.append("+%s = %s   (%s)" % (change["id"], one_line(change["to"]), when))
    return {"prepared": "".join(line + "\n" for line in lines)}


def one_line(value):
    """A value of several lines on one."""
    return " ".join(str(value).split())


def not_as_desired(verify):
    """A line for each setting that is not as the profile wants it. What waits for a reboot is told only where nothing else is amiss."""
    fine = ("ok", "not-applicable", "rounded")
    open_ones = [setting for setting in verify["settings"] if setting["verdict"] not in fine]
    amiss = [setting for setting in open_ones if setting["verdict"] != "reboot-pending"]
    lines = []
    for setting in amiss or open_ones:
        line = "%s: %s: %s" % (setting["id"], setting["verdict"], one_line(setting["reason"]))
        if setting.get("fix"):
            line += " (mend: %s)" % one_line(setting["fix"])
        lines.append(line)
    return lines
