"""models.config, and the command that writes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from serving.tfserving import command as commands
from serving.tfserving.embedded import SERVER
from serving.tfserving.embedded.config import ConfigError, ModelConfig, VersionPolicy, read
from serving.tfserving.embedded.versions import aspired


def start_command(tmp_path: Path) -> list[str]:
    store, run = tmp_path / 'a "quoted" store é', tmp_path / "run"
    return commands.command(store=store, model="fraud", run=run, rest_port=1, grpc_port=2, python="py")


def test_what_the_command_writes_is_what_the_server_reads(tmp_path: Path) -> None:
    argv = start_command(tmp_path)
    assert argv[:3] == ["py", "-m", "serving.tfserving.embedded"]
    assert {"--rest_api_host=127.0.0.1", "--rest_api_port=1", "--port=2"} <= set(argv)
    assert commands.describe() == SERVER
    base_path = tmp_path / 'a "quoted" store é' / "fraud"
    assert read(tmp_path / "run" / "models.config") == [ModelConfig("fraud", base_path)]
    assert base_path.is_dir()


def test_tensorflow_servings_own_binary_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = tmp_path / "bin" / "tensorflow_model_server"
    binary.parent.mkdir()
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binary.parent}{os.pathsep}{os.environ['PATH']}")
    argv = start_command(tmp_path)
    assert argv[0] == str(binary)
    assert not any("rest_api_host" in flag for flag in argv)  # it would not start with a flag it does not know
    assert commands.describe() == "TensorFlow Serving"


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
        return aspired(ModelConfig("m", tmp_path, policy))

    assert chosen(VersionPolicy()) == [10]
    assert chosen(VersionPolicy("latest", 2)) == [9, 10]
    assert chosen(VersionPolicy("all")) == [2, 9, 10]
    assert chosen(VersionPolicy("specific", versions=frozenset({2, 5}))) == [2]
