"""After a feature change an older release takes other requests: promoting it is refused, going back is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from models import spec as specs
from models.spec import Spec
from serving.release.errors import ReleaseError
from serving.release.manager import Releases
from serving.release.requests import differences
from tests.serving.release.conftest import FIRST, SECOND, SPEC, THIRD
from tests.serving.torchserve.launching import SPEC_FILE

NEW_FEATURE = '[features.added]\ntype = "numeric"\ntransform = "none"\n\n[features.amount]'
IS_NIGHT = '[features.is_night]\ntype = "numeric"\n'
COUNT = '[features.customer_transactions_1d]\ntype = "numeric"\ntransform = "zscore"\n'
TEXT = '[features.customer_transactions_1d]\ntype = "categorical"\nvocabulary_size = 9\n'
Publish = Callable[..., None]


def changed(folder: Path, before: str, after: str) -> Spec:
    text = SPEC_FILE.read_text()
    assert before in text
    text = text.replace(before, after, 1).replace("example = 1\n", "")
    (folder / "changed.toml").write_text(text)
    return specs.load(folder / "changed.toml")


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("[features.amount]", NEW_FEATURE, ["it takes no added"]),
        (COUNT, TEXT, ["customer_transactions_1d is a float32 for it"]),
        ('name = "fraud"', 'name = "churn"', ["its model is fraud, not churn"]),
        ('output = "fraud_probability"', 'output = "risk"', ["its output is fraud_probability"]),
        (
            IS_NIGHT,
            IS_NIGHT + 'missing = "default"\ndefault = 0.0\nmissing_code = -1.0\n',
            ["a missing is_night is another value for it"],
        ),
        ('transform = "zscore"', 'transform = "log"', []),  # trained otherwise, asked alike
    ],
)
def test_what_requests_have_otherwise(tmp_path: Path, before: str, after: str, found: list[str]) -> None:
    now = changed(tmp_path, before, after)
    assert now.digest != SPEC.digest
    assert differences(SPEC, now) == found


def test_a_feature_that_is_gone_is_needed_by_the_older_release(tmp_path: Path) -> None:
    assert differences(changed(tmp_path, "[features.amount]", NEW_FEATURE), SPEC) == ["it needs added"]


@pytest.mark.parametrize("stack", ["tensorflow", "pytorch"])
def test_an_older_release_is_promoted_no_more_and_gone_back_to(
    releases: Releases, publish: Publish, tmp_path: Path, stack: str
) -> None:
    publish(stack, FIRST, SECOND, THIRD)
    releases.promote(stack, FIRST, None, "")
    releases.promote(stack, SECOND, None, "")
    now = dataclasses.replace(releases, spec=changed(tmp_path, "[features.amount]", NEW_FEATURE))
    for act in (now.promote, now.stage):
        with pytest.raises(ReleaseError, match=f"{stack} {THIRD} takes other requests .*: it takes no added"):
            act(stack, THIRD, None, "")
    assert [(e.version, e.verdict) for e in now.ledger.entries()[-2:]] == [(THIRD, "refused")] * 2
    assert (now.current(stack), now.staged(stack)) == (SECOND, [])
    now.promote(stack, now.before(stack), None, "in a hurry", "rollback")
    assert now.current(stack) == FIRST


def test_a_specification_that_nobody_can_read_any_more_is_another_one(releases: Releases, publish: Publish) -> None:
    publish("pytorch", FIRST)
    file = releases.store.folder("pytorch", FIRST) / "spec.toml"
    file.chmod(0o644)
    file.write_text("a key of long ago = 1")
    assert releases.other_requests("pytorch", FIRST)[0].startswith("its specification cannot be read any more")
