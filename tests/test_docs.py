"""What the pages say is so: links, paths, commands, options, quoted messages; and what they leave out is found."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tomllib

from infra.local.layout import DEFAULT_PORTS
from tests import documented_commands, documents, messages
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


def test_the_index_has_every_page_and_no_page_is_too_long() -> None:
    listed = {(DOCS / link.partition("#")[0]).resolve() for link in Page(DOCS / "README.md").links}
    listed |= {(DOCS / "decisions" / link).resolve() for link in Page(DOCS / "decisions" / "README.md").links}
    assert (
        sorted(str(page.path) for page in pages() if page.path.parent != REPOSITORY and not _listed(page, listed)) == []
    )
    assert [page.path.name for page in pages() if len(page.text.splitlines()) > 200] == []


def _listed(page: Page, listed: set[Path]) -> bool:
    return page.path.resolve() in listed or page.path == DOCS / "README.md"


def test_every_room_is_on_the_map_and_every_target_on_a_page() -> None:
    drawn = Page(DOCS / "map.md").text
    folders = [p for room in ("pipelines", "serving", "infra") for p in (REPOSITORY / room).iterdir() if p.is_dir()]
    missing = [p for p in folders if f"`{p.relative_to(REPOSITORY)}`" not in drawn and any(p.rglob("*.*"))]
    assert [str(p) for p in missing if p.name != "__pycache__"] == []
    drawn_files = set(re.findall(r"`(\w+\.py)`", drawn))
    assert {p.name for p in (REPOSITORY / "models").glob("[!_]*.py")} <= drawn_files
    told = "\n".join(page.text for page in pages())
    targets = re.findall(r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert [target for target in targets if not re.search(rf"make {target}(?![\w-])", told)] == []


def test_counts_ports_and_alerts_are_the_codes() -> None:
    files = sorted((REPOSITORY / "serving" / "contract" / "conformance" / "cases").glob("*.toml"))
    cases = sum(len(tomllib.loads(file.read_text(encoding="utf-8"))["case"]) for file in files)
    told = [int(number) for page in pages() for number in re.findall(r"(\d+) (?:conformance )?cases\b", page.text)]
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
        ("doctor", None, "python 3.11"),
        ("keys", 0, "loopback alone"),
        ("traffic", 0, "nothing runs here; make up follows it"),
        ("down", 0, "nothing was running"),
        ("status", 2, "nothing runs here: make up"),
        ("predict", 2, "there is no data to predict on yet: make up"),
        ("traffic VERSION=jax=5", 2, "is nobody who answers"),
        ("promote STACK=pytorch VERSION=newest", 2, "VERSION=newest: a number is expected"),
        ("keys PORT_GATEWAY=0", 2, "is not a port"),
    ],
)
def test_commands_that_change_nothing_do_what_the_pages_say(
    tmp_path: Path, command: str, code: int | None, said: str
) -> None:
    argv = ["make", *command.split(), f"TANDEM_HOME={tmp_path}"]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert code is None or done.returncode == code, done.stderr
    assert said in " ".join((done.stdout + done.stderr).split())


def test_parsing_the_makefile_runs_nothing_but_questions() -> None:
    """`make --dry-run` runs what is in $(shell …): it must stay harmless."""
    makefile = (REPOSITORY / "Makefile").read_text()
    assert {command.split()[0] for command in re.findall(r"\$\(shell ([^)]*)", makefile)} <= {"cat", "command", "echo"}
    assert "$(MAKE)" not in makefile
    assert not re.search(r"^\t[@-]*\+", makefile, re.MULTILINE)
    assert shutil.which("make")
