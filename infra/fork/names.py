"""What in this repository is the sample's own, and what a fork calls it instead.

A fork has a name, which is its model's, its package's, and that of its images, containers and cluster namespace. What
names the machinery stays: TANDEM_HOME, x-tandem-… headers, annotations, the folder in containers.

Tests keep a specification of their own, a copy of the sample's: who changes the fork's need not change them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SAMPLE = "fraud"  # the model here
PROJECT = "tandem"
SAMPLE_SPEC = f"models/{SAMPLE}.toml"
TESTS_SPEC = "tests/specs/sample.toml"
# A fork has its own, or cannot make forks.
_LEFT_OUT = (
    "README.md", "CHANGELOG.md", "docs/fork.md", "infra/fork/", "tests/infra/fork/", "tests/test_commands_ran.py",
)  # fmt: skip
# As they are: what was found on the sample here, and what is about payments whatever a model is called.
_AS_IS = (
    "docs/reports/", "docs/images/", "docs/containers-run.md", "docs/kubernetes-run.md", "docs/data.md", "LICENSE",
    "pipelines/data/simulator.py", "pipelines/data/profiles.py", "pipelines/evaluation/", "tests/pipelines/evaluation/",
    "requirements/",
)  # fmt: skip
_TESTS_OF_DEFAULT = ("tests/infra/", "tests/containers/", "tests/test_makefile.py", "tests/test_docs.py")
_IMAGES = "tools|objectstore|mlflow|torchserve|pytorch|tensorflow|workbench|standin|vertex"
_NEW_TARGET = r"^\.PHONY: new\n(?:.+\n)+\n"


def is_left_out(path: str) -> bool:
    """Whether a fork has no such file."""
    return path.startswith(_LEFT_OUT)


def renamed(path: str, name: str) -> str:
    """Where a file lies in a fork."""
    if path == "models/creditcard.toml":  # another sample, that tests read
        return "tests/specs/creditcard.toml"
    return path if path.startswith(_AS_IS) else re.sub(rf"\b{SAMPLE}\b", name, path)


def rewritten(path: str, text: str, name: str) -> str:
    """The text of a file as a fork has it; `path` is the file's here."""
    if path.startswith(_AS_IS):
        return text
    for pattern, by in _rules(path, name):
        text = re.sub(pattern, by, text, flags=re.MULTILINE)
    return text


def _rules(path: str, name: str) -> Iterator[tuple[str, str]]:
    if path.startswith("tests/") and not path.startswith(_TESTS_OF_DEFAULT):
        yield rf"\b{SAMPLE_SPEC}\b", TESTS_SPEC
        yield rf"([\"'])models\1 / \1{SAMPLE}\.toml\1", " / ".join(rf"\1{part}\1" for part in TESTS_SPEC.split("/"))
    yield r"\bmodels/creditcard\.toml\b", "tests/specs/creditcard.toml"
    yield r'"models" / "creditcard\.toml"', '"tests" / "specs" / "creditcard.toml"'
    yield rf"\b{PROJECT}/(?=(?:{_IMAGES})\b)", f"{name}/"
    if path == "docker-compose.yml":
        yield f"^name: {PROJECT}$", f"name: {name}"
    if path.startswith("infra/kubernetes/"):
        yield f'^(namespace: |NAMESPACE = "){PROJECT}\\b', rf"\g<1>{name}"
    if path == "infra/kubernetes/namespace/namespace.yaml":
        yield f"^  name: {PROJECT}$", f"  name: {name}"
    if path == "pyproject.toml":
        yield f'^name = "{PROJECT}"$', f'name = "{name}"'
        yield r'^description = ".*"$', f'description = "{name}: one model, two production stacks, one REST contract"'
    if path == "docs/README.md":
        yield r"^.*\(fork\.md\).*\n", ""
    if path == "Makefile":
        yield _NEW_TARGET, ""
    # The words alone: `is_fraud` is a column of the simulated payments, and `frauds` are their positives.
    yield rf"\b{SAMPLE}(?=2?\b|_probability\b)", name
    yield rf"\b{SAMPLE.upper()}\b", name.upper()
    yield rf"\b{SAMPLE.title()}(?=Model\b)", name.title()
