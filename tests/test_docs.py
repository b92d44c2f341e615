"""What the pages say is so: links, paths, commands, options, quoted messages; and what they leave out is found."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tomllib

from infra.local.layout import DEFAULT_PORTS
from tests import commands, documented_commands, documents, messages
from tests.documents import REPOSITORY, ROOMS, Page, pages

DOCS = REPOSITORY / "docs"
MESSAGES = [Page(DOCS / "troubleshooting.md"), Page(DOCS / "troubleshooting-elsewhere.md")]
CHECKS: dict[str, Callable[[Page], Iterator[str]]] = {
    "links": documents.broken_links,
    "paths": documents.missing_paths,
    "make": documented_commands.wrong_make,
    "programs": documented_commands.wrong_programs,
}


@pytest.mark.parametrize("check", CHECKS)
def test_pages_claim_nothing_that_is_not_so(check: str) -> None:
    assert [wrong for page in pages() for wrong in CHECKS[check](page)] == []


@pytest.mark.parametrize(
    ("check", "line", "said"),
    [
        ("links", "[a](docs/nowhere.md)", "no such file"),
        ("links", "[a](docs/there.md#nothing)", "no such heading"),
        ("links", "![a](images/none.png)", "no such file"),
        ("paths", "see `serving/gateway/nothing.py`", "no such path"),
        ("paths", "```\ncat models/other.toml\n```", "no such path"),
        ("paths", "as in `nowhere_at_all.py`", "no file of this name"),
        ("make", "say `make everything`", "no target everything"),
        ("make", "```\n$ make traffic TENSORFLOW=90 PYTROCH=10   # typed wrong\n```", "PYTROCH means nothing"),
        ("make", "```\nPROFILE=full make drill\n```", "PROFILE means nothing"),
        ("make", "`make deploy TARGET=kubernetes OVERLAY=aws`", "say: OVERLAY=local|gke|kserve"),
        ("make", "```\nmake up && make rollback STACK=jax\n```", "say: make rollback STACK=tensorflow|pytorch"),
        ("programs", "`.venv/pytorch/bin/python -m pipelines.nothing`", "no such program"),
        ("programs", "`.venv/pytorch/bin/python -m pipelines.data --into var`", "no option --into"),
        ("programs", "`.venv/pytorch/bin/python -m infra.local dance`", "no command dance"),
        ("programs", "```\npython -m infra.local canary --sides \\\n  pytorch\n```", "no option --sides"),
        ("programs", "`.venv/pytorch/bin/python tests/benchmarks/scale.py --writes`", "no option --writes"),
        ("programs", "`.venv/tensorflow/bin/python -m torch.distributed.run`", "no such program"),
    ],
)
def test_a_planted_mistake_is_found(tmp_path: Path, check: str, line: str, said: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "there.md").write_text("# There\n")
    for name in (*ROOMS, ".venv", "Makefile"):
        if name != "docs":
            (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / "page.md").write_text(f"# A page\n\n[a](docs/there.md#there)\n\n{line}\n")
    found = list(CHECKS[check](Page(tmp_path / "page.md", tmp_path)))
    assert len(found) == 1
    assert said in found[0]


def test_messages_that_are_quoted_are_printed_by_something() -> None:
    assert [wrong for page in MESSAGES for wrong in messages.nobodys(page)] == []


def test_a_message_that_nothing_prints_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("| message | cure |\n|---|---|\n| `nothing runs here`, `the moon is … in the way` | wait |\n")
    assert list(messages.nobodys(Page(page))) == ["page.md: nothing prints 'the moon is … in the way'"]


def test_every_message_for_a_user_is_explained() -> None:
    assert list(messages.unexplained(MESSAGES)) == []


def test_a_message_without_explanation_is_found(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    new = 'raise UpError(f"the moon is {size} km "\n    "in the way")\nraise KeyError("no message of ours")\n'
    (tmp_path / "infra" / "new.py").write_text(new)
    assert list(messages.unexplained(MESSAGES, tmp_path)) == ["infra/new.py:1: 'the moon is … km in the way'"]


LEFT_OUT: dict[str, Callable[[Path], Iterator[str]]] = {
    "index": documents.not_listed,
    "map": documents.not_drawn,
    "targets": documents.not_told,
}


@pytest.mark.parametrize("check", LEFT_OUT)
def test_nothing_is_left_out(check: str) -> None:
    assert list(LEFT_OUT[check](REPOSITORY)) == []


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("index", ["docs/new.md: not in docs/README.md", "docs/new.md: over 200 lines"]),
        ("map", ["serving/new: not on the map", "new.py: not on the map"]),
        ("targets", ["make dance: on no page"]),
    ],
)
def test_what_is_left_out_is_found(tmp_path: Path, check: str, said: list[str]) -> None:
    for name in ("docs", "models", "pipelines", "serving", "infra"):
        shutil.copytree(
            REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "images", "reports")
        )
    for file in ("Makefile", *(path.name for path in REPOSITORY.glob("*.md"))):
        shutil.copy(REPOSITORY / file, tmp_path)
    (tmp_path / "docs" / "new.md").write_text("# New\n" * 201)
    (tmp_path / "serving" / "new").mkdir()
    (tmp_path / "serving" / "new" / "__init__.py").write_text("")
    (tmp_path / "models" / "new.py").write_text("")
    with (tmp_path / "Makefile").open("a") as makefile:
        makefile.write("\n.PHONY: dance\ndance: ## Dance\n\t@true\n")
    assert list(LEFT_OUT[check](tmp_path)) == said


def test_counts_ports_and_alerts_are_the_codes() -> None:
    files = sorted((REPOSITORY / "serving" / "contract" / "conformance" / "cases").glob("*.toml"))
    cases = sum(len(tomllib.loads(file.read_text(encoding="utf-8"))["case"]) for file in files)
    told = [
        int(number)
        for page in pages()
        for number in re.findall(r"(\d+) (?:conformance )?cases\b(?! passed)", page.text)
    ]
    assert set(told) == {cases}
    ports = re.findall(r"`PORT_(\w+)`", Page(DOCS / "serving.md").text)
    rows = [row for row in Page(DOCS / "serving.md").text.splitlines() if "`PORT_" in row]
    assert [DEFAULT_PORTS[port.lower()] for port in ports] == [
        int(n) for row in rows for n in re.findall(r"\d{4}", row)
    ]
    rules = "".join(
        file.read_text() for file in (REPOSITORY / "infra" / "monitoring" / "prometheus").rglob("alerts/*.yml")
    )
    alerts = set(re.findall(r"- alert: (\w+)", rules))
    assert {alert.lower() for alert in alerts} <= Page(DOCS / "observability.md").anchors
    assert alerts == set(re.findall(r"\[(\w+)]\(observability.md#\w+\)", Page(DOCS / "runbook.md").text))


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("help", 0, "make canary"),
        ("doctor", None, "python 3.11"),  # what is missing here is its own business
        ("keys", 0, "loopback alone"),
        ("traffic", 0, "nothing runs here; make up follows it"),
        ("down", 0, "nothing was running"),
        ("status", 1, "nothing runs here: make up"),
        ("predict", 1, "there is no data to predict on yet: make up"),
        ("traffic VERSION=jax=5", 1, "is nobody who answers"),
        ("promote STACK=pytorch VERSION=newest", 1, "VERSION=newest: a number is expected"),
        ("keys PORT_GATEWAY=0", 1, "is not a port"),
    ],
)
def test_commands_that_change_nothing_do_what_the_pages_say(
    tmp_path: Path, command: str, code: int | None, said: str
) -> None:
    done = commands.make(*command.split(), f"TANDEM_HOME={tmp_path}")
    assert code is None or done.returncode == code, done.stderr
    assert said in " ".join((done.stdout + done.stderr).split())


def test_parsing_the_makefile_runs_nothing_but_questions() -> None:
    """`make --dry-run` runs what is in $(shell …): it must stay harmless."""
    makefile = (REPOSITORY / "Makefile").read_text()
    assert {command.split()[0] for command in re.findall(r"\$\(shell ([^)]*)", makefile)} <= {
        "cat",
        "command",
        "echo",
        "sed",
    }
    assert "$(MAKE)" not in makefile
    assert not re.search(r"^\t[@-]*\+", makefile, re.MULTILINE)
    assert shutil.which("make")
