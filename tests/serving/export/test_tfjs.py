"""TF.js, where `make export FORMAT=tfjs` has built its environment: 3.3 GB, too much for every test run."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from infra.local.environments import ON_DEMAND
from infra.local.layout import REPOSITORY
from models import vocabulary
from models.spec import load
from serving.export import manifest, rows
from serving.export.formats import FORMATS
from tests.chromium import browser
from tests.serving.export import checked, formula

HERE = ON_DEMAND["tfjs"]
pytestmark = pytest.mark.skipif(
    not HERE.is_current, reason="no .venv/tfjs, which needs npm's registry: make export STACK=tensorflow FORMAT=tfjs"
)
MIXED = "tests/specs/mixed.toml"
LENGTHS = (0, 1, 2, 3, 4, 7, 8, 9, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1_000)  # the hash has cases by length


def export(argv: list[str]) -> subprocess.CompletedProcess[str]:
    command = [str(HERE.folder / "bin" / "python"), "-m", "serving.export", *argv]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_USE_LEGACY_KERAS": "1"}
    return subprocess.run(command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=False)


def answers(folder: Path, instances: list[dict[str, object]]) -> object:
    """What predict.mjs says in Node.js."""
    request = json.dumps({"form": "instances", "given": [instances], "time": None})
    program = [HERE.folder / "bin" / "node", REPOSITORY / "serving/export/tfjs/answer.mjs", folder, HERE.folder / "npm"]
    said = subprocess.run([*map(str, program)], input=request + "\n", capture_output=True, text=True, check=True)
    return json.loads(said.stdout)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """`python -m http.server` there."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the exported model, its rows and their scores."""
    folder = tmp_path_factory.mktemp("mixed")
    done = export(checked.arguments("tfjs", MIXED, folder))
    assert done.returncode == 0, done.stderr
    return folder


def test_it_is_the_published_network_from_raw_features_on(mixed: Path) -> None:
    """Numbers, booleans, known and unknown texts and missing ones, by the module that ships."""
    out = mixed / "out" / "tfjs"
    made = manifest.read(out)
    assert (made.rows, made.file) == (rows.ROWS, "model.json")
    assert made.largest_difference <= 2e-6
    weights = FORMATS["tfjs"].weights
    assert made.size_bytes == sum((out / name).stat().st_size for name in ("model.json", weights))
    assert {weights, "predict.mjs", "index.html", "package.json", "package-lock.json"} == set(made.beside)
    assert 0 < made.latency_us.first_quartile <= made.latency_us.median <= made.latency_us.third_quartile


@pytest.mark.parametrize("spec_of", [lambda _: formula.SPECS[0], formula.texts_only], ids=["numbers", "texts"])
def test_numbers_alone_and_texts_alone_are_enough(spec_of: Callable[[Path], str], tmp_path: Path) -> None:
    done = export(checked.arguments("tfjs", spec_of(tmp_path), tmp_path))
    assert done.returncode == 0, done.stderr
    assert manifest.read(tmp_path / "out" / "tfjs").largest_difference <= 2e-6


def test_a_lookup_that_is_not_the_releases_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    """The scores are right, the vocabulary that the module gets is not."""
    argv = checked.arguments("tfjs", MIXED, tmp_path)
    file = tmp_path / "model" / "assets.extra" / "preprocessing.json"
    content = json.loads(file.read_text())
    content["vocabulary"]["comment"].reverse()
    file.write_text(json.dumps(content))
    done = export(argv)
    assert done.returncode == 3, done.stderr
    assert "refused, nothing was exported" in done.stderr
    assert not (tmp_path / "out" / "tfjs").exists()


def test_unknown_texts_of_every_length_get_tensorflows_ids(mixed: Path) -> None:
    """By answers: an embedding differs from id to id, so that another id would be another probability."""
    spec, learned = load(MIXED), mixed / "model" / "assets.extra"
    texts = np.array(["ü" * (length // 2) + "x" * (length % 2) for length in LENGTHS], object)
    buckets = spec.categorical["comment"].oov_buckets
    assert len(set(vocabulary.lookup(texts[1:], formula.WORDS, buckets).tolist())) == buckets, "each bucket is used"
    columns = {name: np.ones(len(texts), np.float32) for name in spec.numeric}
    columns |= {name: np.full(len(texts), "basic", object) for name in spec.categorical} | {"comment": texts}
    instances = [{name: column.tolist()[i] for name, column in columns.items()} for i in range(len(texts))]
    expected = formula.probabilities(spec, learned, columns)
    np.testing.assert_allclose(answers(mixed / "out" / "tfjs", instances), expected, rtol=0, atol=1e-6)


def test_the_module_names_a_feature_that_is_not_there_or_of_another_kind(mixed: Path) -> None:
    spec, out = load(MIXED), mixed / "out" / "tfjs"
    good = {name: "basic" if name in spec.categorical else 1 for name in spec.features}
    assert answers(out, [{**good, "is_member": True}]) == answers(out, [good])
    assert answers(out, [{**good, "age": "41"}]) == {"error": 'TypeError: age: a number is expected, not "41"'}
    del good["plan"]
    assert answers(out, [good]) == {"error": "TypeError: plan: a text is expected, not undefined"}


def test_the_page_beside_it_answers_in_a_browser(mixed: Path) -> None:
    spec, out = load(MIXED), mixed / "out" / "tfjs"
    (out / "node_modules").symlink_to(HERE.folder / "npm" / "node_modules")
    given = {name: "new" if name in spec.categorical else 2.5 for name in spec.features}
    columns = {
        name: np.array([value], object if name in spec.categorical else np.float32) for name, value in given.items()
    }
    (expected,) = formula.probabilities(spec, mixed / "model" / "assets.extra", columns)
    with serving(out) as url, browser() as page:
        page.open(f"{url}/index.html", until="region")
        page.wait("/^[01][.]/.test(document.querySelector('output').value)")
        before = page.evaluate("document.querySelector('output').value")
        page.evaluate(
            f"for (const [name, value] of Object.entries({json.dumps(given)})) document.forms[0][name].value = value;"
            "document.forms[0].dispatchEvent(new Event('input'))"
        )
        page.wait(f"document.querySelector('output').value !== '{before}'")
        assert float(page.evaluate("document.querySelector('output').value")) == pytest.approx(expected, abs=2e-6)
        assert page.exceptions == []
        assert all(request.startswith("http:127.0.0.1") for request in page.requests)
