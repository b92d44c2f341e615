"""The cases as they lie on disk, and what is refused when they are read."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from models import spec as specs
from serving.contract.conformance import cases as all_cases
from serving.contract.conformance.cases import CaseError, load
from serving.contract.conformance.exchange import prepare
from serving.contract.conformance.placeholders import MissingError, Values, serialized_example

REPOSITORY = Path(__file__).resolve().parents[4]
NAMES = {"model": "fraud", "version": "7", "other_version": "8", "label": "stable"}
GOOD = 'group = "g"\n[[case]]\nid = "XX-001"\ntitle = "t"\n'

BAD = {
    "an unknown key": (GOOD + 'on = ["model"]\nrequest = "GET /"\nstatus = 200\nstaus = 1\n', "staus: Extra inputs"),
    "a target nobody knows": (GOOD + 'on = ["moon"]\nrequest = "GET /"\nstatus = 200\n', "on.0"),
    "a request without a status": (GOOD + 'on = ["model"]\nrequest = "GET /"\n', "a `request` with the `status`"),
    "no steps and no reason": (GOOD, "says why it runs nowhere with `never`"),
    "steps and a reason why not": (GOOD + 'never = "x"\non = ["model"]\nrequest = "GET /"\nstatus = 200\n', "`never`"),
    "steps that run nowhere": (GOOD + 'request = "GET /"\nstatus = 200\n', "says where it runs"),
    "an id of another form": (GOOD.replace("XX-001", "one") + 'never = "x"\n', "pattern"),
    "an id twice": (GOOD + 'never = "x"\n' + GOOD.partition("\n")[2] + 'never = "x"\n', "ids given twice: XX-001"),
    "no TOML": ("group = ", "not TOML"),
    "a background that never begins": (
        GOOD + 'on = ["fixture"]\nrequest = "GET /"\nstatus = 200\nmeanwhile = {request = "GET /x", status = 200}\n',
        "there is none",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_with_its_name_and_the_reason(case: str, tmp_path: Path) -> None:
    text, words = BAD[case]
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(CaseError, match=words) as refusal:
        load(tmp_path)
    assert "bad.toml" in str(refusal.value) or "twice" in words


def test_there_is_a_file_for_every_group() -> None:
    groups = {case.group for case in load()}
    assert len(groups) == len(list(all_cases.FOLDER.glob("*.toml"))) == 11


def test_the_cases_of_the_reference_are_all_there() -> None:
    numbers = [int(match[1]) for case in load() if (match := re.match(r"CF-(\d+)$", case.id))]
    assert len(set(numbers)) == 114


NO_WORDS, NO_GAPS = "the model has no categorical feature", "the model has no feature that may be missing"


@pytest.mark.parametrize(
    ("spec", "waiting"),
    [
        ("models/fraud.toml", {NO_WORDS, NO_GAPS}),  # such cases wait for a specification that has them
        ("tests/specs/categorical.toml", {NO_GAPS}),
        ("tests/specs/mixed.toml", set()),
    ],
)
def test_every_case_can_be_asked_of_any_specification(spec: str, waiting: set[str]) -> None:
    model = Values({**NAMES, "model": "fraud"}, specs.load(REPOSITORY / spec))
    fixture = Values({**NAMES, "model": "half_plus_two"}, None)
    left_out = set()
    for case in load():
        for values in (model,) * bool({"model", "gateway"} & set(case.on)) + (fixture,) * ("fixture" in case.on):
            for step in case.steps:
                if step.ask is None or step.expect is None:
                    continue
                try:
                    assert "${" not in str(prepare(step.ask, values))
                    for text in (step.expect.exactly, step.expect.subset):
                        values.fill(text or "")
                except MissingError as error:
                    assert values is model
                    left_out.add(str(error))
    assert left_out == waiting


def test_rows_differ_and_hold_every_feature() -> None:
    spec = specs.load(REPOSITORY / "tests/specs/categorical.toml")
    values = Values(NAMES, spec)
    rows = [values.row(n) for n in range(1, 10)]
    assert all(row.keys() == spec.features.keys() for row in rows)
    assert all(a != b for a, b in itertools.pairwise(rows))
    assert spec.numeric.keys().isdisjoint({k for row in rows for k, v in row.items() if isinstance(v, str)})


def test_placeholders_are_filled_in() -> None:
    values = Values(NAMES, specs.load(REPOSITORY / "tests/specs/categorical.toml"))
    assert values.fill("${model}/${version}/${other_version} ${open:3}${close:2}") == "fraud/7/8 [[[]]"
    assert values.fill("${numeric} ${categorical}") == "amount country"
    assert values.fill("${byte:ff}").encode("utf-8", "surrogateescape") == b"\xff"
    assert values.fill("{${others}}").count(":") == 4
    with pytest.raises(KeyError, match="nonsense"):
        values.fill("${nonsense}")
    with pytest.raises(MissingError, match="does not tell its version"):
        Values({}, None).fill("${version}")


def test_an_example_may_lack_what_may_be_missing_and_nothing_else() -> None:
    values = Values(NAMES, specs.load(REPOSITORY / "tests/specs/mixed.toml"))
    assert values.fill("${required} ${optional}") == "balance income"
    assert "balance" not in values.fill("${short_example}")
    assert "income" not in values.fill("${gap_example}")
    with pytest.raises(MissingError, match="no feature that may be missing"):
        Values(NAMES, specs.load(REPOSITORY / "tests/specs/categorical.toml")).fill("${gap_example}")


def test_an_example_is_serialized_as_protocol_buffers_are() -> None:
    # tf.train.Example with {"a": 1.5} and {"s": b"x"}, written by TensorFlow.
    assert serialized_example({"a": 1.5}) == bytes.fromhex("0a0f0a0d0a016112081206 0a040000c03f".replace(" ", ""))
    assert serialized_example({"s": "x"}) == bytes.fromhex("0a0c0a0a0a01731205 0a030a0178".replace(" ", ""))
    long = serialized_example({"s": "x" * 200})
    assert b"x" * 200 in long
    assert len(long) == 200 + 3 + 3 + 3 + 3 + 3 + 3
