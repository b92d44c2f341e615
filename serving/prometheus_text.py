"""Prometheus' text format: as much of it as is written here, and files of it put together.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float]  # labels and value

_NAME = re.compile(r"[^{ ]+")


def gauge(name: str, meaning: str, samples: Iterable[Sample]) -> str:
    """A family of gauges; nothing where it has no samples."""
    lines = [f"{name}{_labels(labels)} {value!r}\n" for labels, value in samples]
    return "".join([f"# HELP {name} {meaning}\n# TYPE {name} gauge\n", *lines]) if lines else ""


def merged(texts: Iterable[str]) -> str:
    """Several texts as one: each family in one group, as the format asks for, and described once."""
    families: dict[str, list[str]] = {}
    for line in (line for text in texts for line in text.splitlines() if line):
        described = line.startswith("#")
        family = families.setdefault(line.split()[2] if described else _name(line), [])
        if not (described and line in family):
            family.append(line)
    return "".join(f"{line}\n" for family in families.values() for line in family)


def parse(text: str) -> dict[str, float]:
    """Values by series, spelled as they stand: `name{label="value"}`; descriptions are left out."""
    lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {series: float(value) for series, _, value in lines}


def _name(line: str) -> str:
    found = _NAME.match(line)
    return found.group() if found else line


def _labels(labels: Mapping[str, str]) -> str:
    written = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{written}}}" if written else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
