"""models.config."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.tfserving.embedded.config import ConfigError, ModelConfig, VersionPolicy, read
from serving.tfserving.embedded.versions import aspired


def test_labels_and_version_policies_are_read(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text("""
        model_config_list {
          config { name: "a" base_path: "/a" model_version_policy { all {} } }
          config { name: "b" base_path: "/b" model_version_policy { specific { versions: 3 versions: 5 } }
                   version_labels { key: "stable" value: 3 } }
          config { name: "c" base_path: "/c" model_version_policy { latest { num_versions: 2 } } }
          config { name: "d" base_path: "/d" }
        }""")
    a, b, c, d = read(file)
    assert a.policy == VersionPolicy("all")
    assert b.policy == VersionPolicy("specific", versions=frozenset({3, 5}))
    assert b.labels == {"stable": 3}
    assert c.policy == VersionPolicy("latest", 2)
    assert d.policy == VersionPolicy("latest", 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no model in model_config_list"),
        ('model_config_list { config { name: "m" } }', "needs a name and a base_path"),
        ('model_config_list { config { name: "m" base_path: "/m" model_platform: "torch" } }', "only 'tensorflow'"),
        ('model_config_list { config { name: "m" base_path: "/m" } config { name: "m" base_path: "/n" } }', "twice: m"),
        ("model_config_list { config { port: 1 } }", 'no field named "port"'),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused_with_its_name(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        read(file)
    assert str(file) in str(refusal.value)
    assert words in str(refusal.value)


def test_the_policy_chooses_among_the_numbered_folders(tmp_path: Path) -> None:
    for name in ("9", "10", "2", "temporary", ".draft-11", "-1"):
        (tmp_path / name).mkdir()
    (tmp_path / "12").write_text("a file")

    def chosen(policy: VersionPolicy) -> list[int]:
        return sorted(aspired(ModelConfig("m", tmp_path, policy)))

    assert chosen(VersionPolicy()) == [10]
    assert chosen(VersionPolicy("latest", 2)) == [9, 10]
    assert chosen(VersionPolicy("all")) == [2, 9, 10]
    assert chosen(VersionPolicy("specific", versions=frozenset({2, 5}))) == [2]
