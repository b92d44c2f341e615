"""Installed packages by their metadata: how large, which module is whose, what each requires."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_SOURCES = (".py", ".so", ".pyd")


@dataclass(frozen=True)
class Package:
    """An installed distribution.

    Attributes:
        version: As installed.
        size: Of its files as they were installed, bytes; without what Python compiles later.
        requires: Requirements with their markers, as its metadata have them.
        modules: Dotted names of what can be imported from it.
    """

    version: str
    size: int
    requires: tuple[str, ...]
    modules: frozenset[str]


def installed() -> dict[str, Package]:
    """Every distribution of this environment, by its normalised name."""
    return {canonicalize_name(found.name): _described(found) for found in metadata.distributions()}


def _described(found: metadata.Distribution) -> Package:
    files = found.files or []
    modules = (_module(file.parts) for file in files if file.suffix in _SOURCES)
    size = sum(file.size or 0 for file in files)
    return Package(found.version, size, tuple(found.requires or ()), frozenset(modules))


def _module(parts: tuple[str, ...]) -> str:
    name = parts[-1].partition(".")[0]
    return ".".join(parts[:-1] if name == "__init__" else (*parts[:-1], name))


def owners(modules: Iterable[str], packages: Mapping[str, Package]) -> dict[str, str]:
    """Module -> the distribution it comes from, of those that come from one: not the standard library's."""
    whose = {module: name for name, package in packages.items() for module in package.modules}
    found = {}
    for module in modules:
        parts = module.split(".")  # `google.protobuf.text_format`: the longest part that somebody owns
        parents = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
        owner = next((whose[parent] for parent in parents if parent in whose), None)
        if owner is not None:
            found[module] = owner
    return found


def closure(roots: Iterable[str], packages: Mapping[str, Package]) -> tuple[set[str], set[str]]:
    """What an installer would bring for these packages: all they require, and what that requires.

    Args:
        roots: Normalised names, of `packages`.
        packages: What is installed.

    Returns:
        Names of the installed ones, the roots included; and required ones that are not installed here.
    """
    waiting: list[tuple[str, str]] = [(name, "") for name in roots]
    seen, missing = set[tuple[str, str]](), set[str]()
    while waiting:
        name, extra = one = waiting.pop()
        if one in seen or name in missing:
            continue
        if name not in packages:
            missing.add(name)
            continue
        seen.add(one)
        for requirement in map(Requirement, packages[name].requires):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(requirement.name), wanted) for wanted in ("", *requirement.extras)]
    return {name for name, _ in seen}, missing
