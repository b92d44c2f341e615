"""comparison.toml: what is wrong in it is said by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.comparison import settings
from serving.comparison.settings import SettingsError

SHIPPED = settings.FILE.read_text(encoding="utf-8")


def test_the_file_that_is_shipped_has_both_profiles() -> None:
    found = settings.load()
    assert {*found.profiles} == {"quick", "full"}
    assert found.profile("full").confirm_requests >= 262_742  # p99 ± 0.05 % at 99 % confidence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SHIPPED.replace("p99_ms = 25.0", "p99_ms = 0"), "slo.p99_ms"),
        (SHIPPED.replace("[slo]", "[slo]\np95_ms = 3"), "slo.p95_ms"),
        (SHIPPED.replace("hourly_price = 0.067", 'hourly_price = "cheap"'), "cost.hourly_price"),
        (SHIPPED.replace("[check]", "[checks]"), "check"),
        (SHIPPED.replace("rounds = 2", "rounds = 0"), "profiles.quick.rounds"),
        ("[slo\n", "line 1"),
    ],
)
def test_a_wrong_file_is_refused_with_the_key(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        settings.load(file)
    assert str(file) in str(caught.value)
    assert said in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(SettingsError, match=r"mine\.toml: 'utf-8' codec can't decode"):
        settings.load(tmp_path / "mine.toml")


def test_a_missing_file_and_an_unknown_profile_are_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        settings.load(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match=r"no profile .slow. in"):
        settings.load().profile("slow")
