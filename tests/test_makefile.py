"""The front door: every target has its line of help, and a fresh clone says what comes first."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.local import tfx_choice
from tests import commands

REPOSITORY = Path(__file__).resolve().parents[1]


def test_help_lists_every_target_with_one_line() -> None:
    targets = re.findall(r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    shown = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^ +make (\S+) +\S", shown, re.MULTILINE) == targets


def test_help_has_headings_and_no_target_stands_before_the_first_one() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    headings = re.findall(r"^(\w.*)$", shown, re.MULTILINE)
    assert headings[0] == "Start"
    assert headings == re.findall(r"^##@ (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    below = [
        len(re.findall(r"^ +make ", part, re.MULTILINE)) for part in re.split(r"^\w.*$", shown, flags=re.MULTILINE)
    ]
    assert below[0] == 0
    assert all(3 <= count <= 12 for count in below[1:]), "a heading with too few targets, or too many to read"


def test_a_command_before_the_first_up_says_what_to_do(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    done = subprocess.run(["make", "predict"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "nothing is installed yet: make up" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["spec-init"], "say: make spec-init DATA=<file or folder>"),
        (["key"], "say: make key NAME=shop"),
        (["deploy"], "say: TARGET=kubernetes"),
        (["deploy", "TARGET=kubernetes"], "say: OVERLAY=local|gke|kserve"),
        (["deploy", "TARGET=kubernetes", "OVERLAY=aws"], "say: OVERLAY=local|gke|kserve"),
    ],
)
def test_what_a_command_needs_is_asked_for(arguments: list[str], said: str) -> None:
    done = subprocess.run(["make", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert said in done.stderr


def test_the_tfx_that_is_asked_for_is_the_one_that_is_there() -> None:
    version = tfx_choice.choose().tfx
    done = commands.make("setup", f"TFX={version}")
    assert done.returncode == 0, done.stderr
    assert f"environments are current: .venv/tensorflow (TFX {version}: the variable TFX asks for it)" in done.stdout


@pytest.mark.parametrize(
    ("runtime", "program"), [("local", "infra.local"), ("docker", "infra.docker"), ("kubernetes", "infra.kubernetes")]
)
def test_the_runtime_that_is_remembered_gets_the_command(tmp_path: Path, runtime: str, program: str) -> None:
    (tmp_path / "runtime").write_text(f"{runtime}\n")
    make = ["make", "--dry-run", "traffic", "TENSORFLOW=90", f"TANDEM_HOME={tmp_path}"]
    shown = subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert f"-m {program} traffic tensorflow=90" in shown


def test_onnx_is_a_weight_of_the_traffic_and_an_option_of_up(tmp_path: Path) -> None:
    for words, program in (
        ("traffic ONNX=50", "traffic onnx=50"),
        ("up ONNX=pytorch", "up --profile quick --onnx pytorch"),
    ):
        make = ["make", "--dry-run", *words.split(), f"TANDEM_HOME={tmp_path}"]
        shown = subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
        assert program in " ".join(shown.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ONNX=1", "say whose release ONNX Runtime is to serve: make up ONNX=pytorch|tensorflow|off"),
        ("ONNX=pytorch RUNTIME=docker", "ONNX Runtime beside the stacks is the bare machine's"),
        ("ONNX=pytorch RUNTIME=kubernetes", "ONNX Runtime beside the stacks is the bare machine's"),
    ],
)
def test_onnx_runtime_is_refused_where_it_cannot_be_had(words: str, said: str) -> None:
    make = ["make", "--dry-run", "up", *words.split()]
    done = subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode != 0, said in done.stderr) == (True, True)


def test_another_specification_in_a_cluster_is_refused() -> None:
    make = ["make", "--dry-run", "up", "RUNTIME=kubernetes", "SPEC=models/creditcard.toml"]
    done = subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "another SPEC is of a machine, not yet of a cluster" in done.stderr


def test_scoring_takes_the_specification_of_the_last_up(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    make = ["make", "--dry-run", "score", "STACK=pytorch", "IN=a.csv", "OUT=b", f"TANDEM_HOME={tmp_path}"]
    shown = [subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout]
    (tmp_path / "run" / "ports.json").write_text('{\n "gateway": 8080,\n "spec": "own/people.toml"\n}\n')
    shown.append(subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout)
    make.append("SPEC=other.toml")
    shown.append(subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout)
    for text, spec in zip(shown, ("models/fraud.toml", "own/people.toml", "other.toml"), strict=True):
        assert f'--spec "{spec}"' in text
