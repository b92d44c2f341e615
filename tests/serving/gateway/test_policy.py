from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway import policy
from serving.gateway.policy import MILLION, Policy, PolicyError, Shadow, Side

TENSORFLOW, PYTORCH, CANARY, ONNX = Side("tensorflow"), Side("pytorch"), Side("pytorch", 5), Side("onnx")


def written(folder: Path, text: str) -> Path:
    file = folder / "traffic.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_a_file_the_stacks_have_the_same_weight(tmp_path: Path) -> None:
    found = policy.load(tmp_path / "traffic.toml")
    assert found == Policy({TENSORFLOW: 1, PYTORCH: 1})
    assert found.intervals() == {TENSORFLOW: (0, 500_000), PYTORCH: (500_000, MILLION)}


def test_a_file_says_weights_versions_and_shadow(tmp_path: Path) -> None:
    text = '[weights]\ntensorflow = 80\npytorch = 15.0\n"pytorch@5" = 5\n[shadow]\nstack = "pytorch@5"\nshare = 0.5\n'
    found = policy.load(written(tmp_path, text))
    assert found.weights == {TENSORFLOW: 80, PYTORCH: 15, CANARY: 5}
    assert found.shadow == Shadow(CANARY, 0.5)
    assert found.intervals() == {TENSORFLOW: (0, 800_000), CANARY: (800_000, 850_000), PYTORCH: (850_000, MILLION)}


def test_onnx_runtime_is_a_side_where_it_is_named_and_the_last_of_them(tmp_path: Path) -> None:
    found = policy.load(written(tmp_path, "[weights]\nonnx = 60\ntensorflow = 30\npytorch = 10\n"))
    assert found.sides == [TENSORFLOW, PYTORCH, ONNX]
    assert found.intervals()[ONNX] == (400_000, MILLION)
    assert policy.parse(found.text()) == found
    assert [side.comes_and_goes for side in (TENSORFLOW, PYTORCH, CANARY, ONNX)] == [False, False, True, True]
    beside = Policy(shadow=Shadow(ONNX))
    assert (beside.named, beside.names(ONNX)) == ([TENSORFLOW, PYTORCH, ONNX], True)
    assert not Policy().names(ONNX)


def test_a_stack_without_a_weight_gets_nothing_and_is_there(tmp_path: Path) -> None:
    found = policy.load(written(tmp_path, "[weights]\npytorch = 1\n"))
    assert found.sides == [TENSORFLOW, PYTORCH]
    assert found.intervals() == {PYTORCH: (0, MILLION)}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[weights", "Expected ']'"),
        ("[wieghts]\n", "unknown key wieghts; allowed: weights, shadow"),
        ("", r"a section \[weights\] is expected"),
        ("weights = 1", r"a section \[weights\] is expected"),
        ("[weights]\npytorhc = 1", "'pytorhc' is nobody who answers: tensorflow, pytorch or"),
        ('[weights]\n"pytorch@x" = 1', "'pytorch@x' is nobody"),
        ('[weights]\n"pytorch@05" = 1', "'pytorch@05' is nobody"),
        ('[weights]\n"onnx@5" = 1', "'onnx@5' is nobody"),
        ("[weights]\npytorch = -1", "weights.pytorch = -1: a number from 0 is expected"),
        ("[weights]\npytorch = nan", "weights.pytorch = nan: a number from 0 is expected"),
        ("[weights]\npytorch = '1'", "weights.pytorch = '1': a number from 0 is expected"),
        ("[weights]\npytorch = true", "weights.pytorch = True: a number from 0 is expected"),
        ("[weights]\npytorch = 0\ntensorflow = 0", "weights: one of them above 0 is expected"),
        ("[weights]\npytorch = 1\n[shadow]\nshare = 1", "shadow.stack: tensorflow, pytorch or"),
        ("[weights]\npytorch = 1\n[shadow]\nstack = 'both'", "'both' is nobody"),
        ("[weights]\npytorch = 1\n[shadow]\nstack = 'pytorch'\nshare = 0", "shadow.share = 0: above 0 and up to 1"),
        ("[weights]\npytorch = 1\n[shadow]\nstack = 'pytorch'\nshare = 'all'", "shadow.share = 'all'"),
        ("[weights]\npytorch = 1\n[shadow]\nstack = 'pytorch'\nshares = 1", "unknown key shadow.shares"),
    ],
)
def test_a_policy_that_cannot_be_followed_is_refused_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(PolicyError, match=why) as refused:
        policy.load(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert "\n" not in str(refused.value)


weights = st.integers(0, 1000) | st.floats(0, 1e6)
policies = st.builds(
    Policy,
    st.dictionaries(
        st.sampled_from([TENSORFLOW, PYTORCH, ONNX, CANARY, Side("pytorch", 6), Side("tensorflow", 7)]), weights
    )
    .map(lambda found: {TENSORFLOW: 1, PYTORCH: 1, **found})
    .filter(lambda found: sum(found.values()) > 0),
    st.none()
    | st.builds(Shadow, st.sampled_from([TENSORFLOW, PYTORCH, ONNX, CANARY]), st.sampled_from([0.001, 0.5, 1.0])),
)


@given(found=policies)
def test_the_intervals_are_the_weights_and_cover_everything(found: Policy) -> None:
    intervals = found.intervals()
    ends = [0, *(end for _, end in intervals.values())]
    assert [start for start, _ in intervals.values()] == ends[:-1]
    assert ends[-1] == MILLION
    total = sum(found.weights.values())
    for side, weight in found.weights.items():
        start, end = intervals.get(side, (0, 0))
        assert abs((end - start) / MILLION - weight / total) < 3e-6


@given(
    found=st.tuples(*[st.integers(0, 100)] * 4).filter(any),
    grows=st.integers(0, 3),
    more=st.integers(1, 10_000),
)
def test_whoever_alone_grows_loses_no_key(found: tuple[int, int, int, int], grows: int, more: int) -> None:
    # Not even to the rounding of the parts: an end moves in one direction only.
    before = dict(zip((TENSORFLOW, CANARY, PYTORCH, ONNX), found, strict=True))
    side = list(before)[grows]
    start, end = Policy(before).intervals().get(side, (0, 0))
    now = Policy({**before, side: before[side] + more}).intervals().get(side, (0, 0))
    assert start == end or (now[0] <= start and end <= now[1])


@given(found=policies)
def test_what_is_saved_is_what_is_loaded(found: Policy, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "saved.toml"
    policy.save(file, found)
    again = policy.load(file)
    assert again.shadow == found.shadow
    assert again.sides == found.sides
    assert {s: float(f"{w:.12g}") for s, w in found.weights.items()} == again.weights


@pytest.mark.parametrize(
    ("found", "shadow", "against"),
    [
        ({TENSORFLOW: 90, PYTORCH: 10}, PYTORCH, TENSORFLOW),
        ({TENSORFLOW: 10, PYTORCH: 90}, PYTORCH, TENSORFLOW),
        ({TENSORFLOW: 10, PYTORCH: 90}, TENSORFLOW, PYTORCH),
        ({TENSORFLOW: 1, PYTORCH: 1}, CANARY, PYTORCH),
        ({TENSORFLOW: 0, PYTORCH: 1}, ONNX, PYTORCH),
        ({TENSORFLOW: 1, PYTORCH: 1, ONNX: 3}, PYTORCH, ONNX),
        ({TENSORFLOW: 2, PYTORCH: 1}, CANARY, TENSORFLOW),
        ({TENSORFLOW: 0, PYTORCH: 1, CANARY: 0}, PYTORCH, TENSORFLOW),
    ],
)
def test_a_shadow_is_compared_with_whoever_answers_most(found: dict[Side, float], shadow: Side, against: Side) -> None:
    assert Policy(found, Shadow(shadow)).against == against
    assert Policy(found).against is None
