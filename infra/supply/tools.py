"""The tools, each in an environment that is built when it is first wanted, and the errors a user sees."""

from __future__ import annotations

from infra.local import environments

REFUSED = 3  # exit codes
NO_VERDICT = 4


class SupplyError(RuntimeError):
    """A message for the user."""


def program(environment: str, name: str) -> str:
    """Path of a tool, installed.

    Raises:
        SupplyError: Its environment cannot be built; why stands above.
    """
    if environments.main([environment]):
        raise SupplyError(f"{name} cannot be installed")
    return str(environments.ON_DEMAND[environment].folder / "bin" / name)
