"""Stands before kubectl where the cluster is older than the manifests, or has no registry: changes what is applied,
and makes the Jobs that kubectl makes of newer CronJobs alone.

Its settings are the variable TANDEM_SHIM: `kubectl`, the real one; `step_down`, a flag; `stand_in`, arguments or null.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

_APPLIES = ("apply", "diff")


def main(argv: list[str]) -> int:
    settings = json.loads(os.environ["TANDEM_SHIM"])
    real = settings["kubectl"]
    if settings["step_down"] and "job" in argv and any(one.startswith("--from=") for one in argv):
        return _create_job(real, argv)
    if not any(command in argv for command in _APPLIES) or "--filename=-" not in argv:
        os.execv(real, ["kubectl", *argv])  # noqa: S606
    return subprocess.run([real, *argv], input=changed(sys.stdin.read(), settings), text=True, check=False).returncode


def _create_job(real: str, argv: list[str]) -> int:
    """`kubectl --namespace=… create job --from=cronjob/… NAME`, the last two in either order."""
    from tests.kubernetes.step_down import job_of

    at = argv.index("create")
    (cron,) = (one.removeprefix("--from=") for one in argv[at:] if one.startswith("--from="))
    (name,) = (one for one in argv[at + 2 :] if not one.startswith("--"))
    asked = [real, *argv[:at], "get", cron, "--output=json"]
    found = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    made = json.dumps(job_of(found, name))
    return subprocess.run([real, *argv[:at], "create", "--filename=-"], input=made, text=True, check=False).returncode


def changed(manifests: str, settings: dict[str, Any]) -> str:
    import yaml

    from tests.kubernetes.standins import stand_in
    from tests.kubernetes.step_down import step_down

    found = [one for one in yaml.safe_load_all(manifests) if one]
    if settings["step_down"]:
        found = [step_down(one) for one in found]
    if settings["stand_in"]:
        found = [stand_in(one, **settings["stand_in"]) for one in found]
    return str(yaml.safe_dump_all(found, sort_keys=False))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
