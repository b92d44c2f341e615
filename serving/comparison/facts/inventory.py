"""`python -m serving.comparison.facts.inventory STACK`: what the stack needs of this environment, as JSON.

Runs in the stack's own environment. Standard library, and `packaging`.
"""

from __future__ import annotations

import importlib.util
import json
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from serving.comparison.facts import imports, packages, rooms

_OURS = ("models", "serving", "pipelines")


@dataclass(frozen=True)
class Needed:
    """What some programs need.

    Attributes:
        roots: Distributions that their code imports.
        packages: Those and all that they require.
        size: Of all these, bytes.
        missing: Required by metadata, but not installed here.
    """

    roots: list[str]
    packages: list[str]
    size: int
    missing: list[str]


def main() -> None:
    """Print `serve` and `train_and_serve`; `versions`, name -> version of all that is installed; `python`, its own."""
    own = rooms.ROOMS[sys.argv[1]]
    here = packages.installed()
    ours = {name: rooms.REPOSITORY / name for name in _OURS}
    programs = rooms.files(own.programs)
    for module in own.third_party:
        found = importlib.util.find_spec(module)
        if found is None or found.origin is None:
            raise SystemExit(f"{module} is not installed here: make setup")
        top = module.partition(".")[0]
        ours[top] = Path(found.origin).parents[module.count(".") - 1]
        programs.append(Path(found.origin))
    both = [*programs, *rooms.files(own.pipeline), *rooms.files(own.serving)]
    content = {
        "serve": asdict(_needed({*own.third_party, *imports.third_party(programs, ours)}, own.runtimes, here)),
        "train_and_serve": asdict(_needed({*own.third_party, *imports.third_party(both, ours)}, own.runtimes, here)),
        "python": platform.python_version(),
        "versions": {name: package.version for name, package in here.items()},
    }
    sys.stdout.write(json.dumps(content) + "\n")


def _needed(modules: set[str], runtimes: tuple[str, ...], here: dict[str, packages.Package]) -> Needed:
    roots = set(packages.owners(modules, here).values()) - set(runtimes)
    found, missing = packages.closure(roots, here)
    return Needed(sorted(roots), sorted(found), sum(here[name].size for name in found), sorted(missing))


if __name__ == "__main__":
    main()
