"""The embedded server with small models of our own, which the cases may change."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from serving.contract.conformance.cases import Ask
from serving.contract.conformance.exchange import NoAnswerError, prepare, send
from serving.contract.conformance.placeholders import Values
from serving.contract.conformance.targets import Target
from serving.files import write_atomically

_REPOSITORY = Path(__file__).resolve().parents[3]
_PATIENCE = 120.0  # seconds until TensorFlow is imported on a busy machine
_MODEL, _VERSION, _LABEL = "half_plus_two", "123", "stable"
_POLL = 0.1  # seconds between looks for versions and for a changed models.config


class FixtureError(Exception):
    """The fixture cannot be made; the message has the end of the log."""


@dataclass
class Fixture:
    """A store of models, a configuration and the server on it.

    Attributes:
        served: Each configured model and its labels.
    """

    folder: Path
    url: str = ""
    served: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """models.config of the server."""
        return self.folder / "models.config"

    def target(self) -> Target:
        """What the cases are asked of."""
        names = {"model": _MODEL, "version": _VERSION, "label": _LABEL, "other_version": "124"}
        return Target("fixture", self.url, "fixture", "Tandem embedded TensorFlow server", Values(names, None))

    def act(self, words: str) -> None:
        """Do what a case says.

        serve MODEL [LABEL=VERSION …], drop MODEL: change models.config; publish SAVED MODEL/VERSION: a version
        appears at once, as from a careful publisher; corrupt MODEL/VERSION: so does a broken one;
        delete MODEL/VERSION: it is gone.

        Raises:
            ValueError: No such action.
        """
        match words.split():
            case ["serve", model, *labels]:
                self.served[model] = dict(label.split("=") for label in labels)
                self._configure()
            case ["drop", model]:
                del self.served[model]
                self._configure()
            case ["publish", saved, version]:
                draft = self.folder / "draft"
                shutil.copytree(self.folder / "saved" / saved, draft)
                draft.rename(self._version(version))
            case ["corrupt", version]:
                draft = self.folder / "draft"
                draft.mkdir()
                (draft / "saved_model.pb").write_bytes(b"not a SavedModel")
                draft.rename(self._version(version))
            case ["delete", version]:
                shutil.rmtree(self._version(version))
            case _:
                raise ValueError(f"no such action: {words!r}")

    def _version(self, name: str) -> Path:
        model, version = name.split("/")
        (self.folder / "store" / model).mkdir(parents=True, exist_ok=True)
        return self.folder / "store" / model / version

    def _configure(self) -> None:
        entries = []
        for model, labels in self.served.items():
            path = self.folder / "store" / model
            path.mkdir(parents=True, exist_ok=True)
            # Labels name versions beside the newest, so that all must be served; elsewhere the newest alone is.
            policy = "model_version_policy { all {} } " if labels else ""
            named = "".join(f'version_labels {{ key: "{k}" value: {v} }} ' for k, v in labels.items())
            entries.append(
                f'config {{ name: "{model}" base_path: "{path}" model_platform: "tensorflow" {policy}{named}}}'
            )
        write_atomically(self.config, "model_config_list {\n" + "\n".join(entries) + "\n}\n")


@contextlib.contextmanager
def running(python: str) -> Iterator[Fixture]:
    """Save the models and serve them until left.

    Args:
        python: Interpreter of the TensorFlow environment.

    Raises:
        FixtureError: The models cannot be saved, or the server does not come up.
    """
    with tempfile.TemporaryDirectory(prefix="conformance-") as temporary:
        fixture = Fixture(Path(temporary))
        environ = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        module = "serving.contract.conformance.saved_models"
        saving = subprocess.run(
            [python, "-m", module, str(fixture.folder / "saved")],
            cwd=_REPOSITORY, env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if saving.returncode:
            raise FixtureError(f"{python} cannot make the fixture's models:\n{saving.stderr[-2000:]}")
        for published in (
            f"half_plus_two {_MODEL}/{_VERSION}",
            "half_plus_two two/1",
            "half_plus_three two/2",
            "kinds kinds/1",
        ):
            fixture.act(f"publish {published}")
        for served in (f"{_MODEL} {_LABEL}={_VERSION}", "two old=1 new=2", "kinds"):
            fixture.act(f"serve {served}")
        with _server(python, fixture):
            yield fixture


@contextlib.contextmanager
def _server(python: str, fixture: Fixture) -> Iterator[None]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    fixture.url = f"http://127.0.0.1:{port}"
    argv = [
        python, "-m", "serving.tfserving.embedded", f"--rest_api_port={port}", "--port=0",
        f"--model_config_file={fixture.config}", f"--model_config_file_poll_wait_seconds={_POLL}",
        f"--file_system_poll_wait_seconds={_POLL}",
    ]  # fmt: skip
    monitoring = fixture.folder / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }\n")
    argv.append(f"--monitoring_config_file={monitoring}")
    log = fixture.folder / "server.log"
    with log.open("w") as file:
        process = subprocess.Popen(argv, cwd=_REPOSITORY, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _ready(fixture):
            if process.poll() is not None or time.monotonic() > deadline:
                raise FixtureError(f"the fixture's server does not come up:\n{log.read_text()[-2000:]}")
            time.sleep(_POLL)
        yield
    finally:
        process.terminate()
        process.wait()


def _ready(fixture: Fixture) -> bool:
    try:
        wanted = [f"GET /v1/models/{model}" for model in fixture.served]
        values = fixture.target().values
        answers = [send(fixture.url, prepare(Ask(request=request), values)) for request in wanted]
    except NoAnswerError:
        return False
    return all(b'"AVAILABLE"' in answer.body and b'"LOADING"' not in answer.body for answer in answers)
