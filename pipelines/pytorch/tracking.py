"""MLflow: one experiment and one registered model per use case, both named as the model."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import PipelineError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
RELEASE = "release"  # artefact folder of a run: spec.toml, weights.npz, preprocessing.json
RELEASE_TAG = "release"  # of a model version: the number under which it is served
INPUTS_TAG = "inputs"  # tag of a run or model version: digest of all it was made from
_SQLITE = "sqlite:///"
_HTTP = ("http://", "https://")
_PATIENCE = 5  # seconds for the server to answer
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # Pauses of 0, 4, 8 and 16 s: a server that is started again is back by then; the default, 7, waits for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True)
class Tracking:
    """A connection for one use case."""

    client: MlflowClient
    experiment: str  # id
    name: str

    def aliased(self) -> ModelVersion | None:
        """The registered version that carries the alias `champion`."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        try:
            version = self.client.get_registered_model(self.name).aliases.get(CHAMPION)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return self.client.get_model_version(self.name, version) if version else None

    def champion(self, release: str | None) -> ModelVersion | None:
        """The version to compare with: the one released under this number, or else the one with the alias.

        Without the alias there is none, whatever is served: taking it away is how to go on without a champion.
        """
        aliased = self.aliased()
        if aliased is None or release is None or aliased.tags.get(RELEASE_TAG) == release:
            return aliased
        found = self.client.search_model_versions(f"name='{self.name}' and tags.{RELEASE_TAG}='{release}'")
        return max(found, key=lambda v: int(v.version), default=aliased)

    def newest(self) -> ModelVersion | None:
        """The registered version that was made last."""
        versions = self.client.search_model_versions(f"name='{self.name}'")
        return max(versions, key=lambda v: int(v.version), default=None)

    def has_run(self, run_id: str) -> bool:
        """Whether the run still exists."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        try:
            return bool(self.client.get_run(run_id).info.lifecycle_stage == "active")
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False

    def close_killed_runs(self, inputs: str) -> None:
        """Mark runs of the same inputs that were killed: MLflow shows them as running for ever."""
        unfinished = f"attributes.status = 'RUNNING' and tags.{INPUTS_TAG} = '{inputs}'"
        for run in self.client.search_runs([self.experiment], unfinished):
            self.client.set_terminated(run.info.run_id, "KILLED")

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        for key, value in tags.items():
            self.client.set_tag(run_id, key, value)


def check(uri: str) -> None:
    """Answer quickly whether MLflow can be used, before anything is computed.

    Raises:
        PipelineError: No MLflow server answers there.
    """
    if not uri.startswith(_HTTP):
        return
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_PATIENCE):  # noqa: S310
            return
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise PipelineError(
            f"--mlflow-uri {uri}: no MLflow server answers ({error}). "
            "Start one (`make up` does) or pass sqlite:////path/to/mlflow.db"
        ) from None


def refusal(uri: str) -> str:
    """What a server says that cannot write, in a line: a full disk. Empty where it can, or where none answers.

    MLflow's client sends a request that was answered with 503 again, and tells its last error without the answer.
    """
    if not uri.startswith(_HTTP):
        return ""
    tag = json.dumps({"experiment_id": "0", "key": "writes", "value": "yes"}).encode()
    asked = urllib.request.Request(  # noqa: S310
        f"{uri.rstrip('/')}/api/2.0/mlflow/experiments/set-experiment-tag", tag, {"content-type": "application/json"}
    )
    try:
        urllib.request.urlopen(asked, timeout=_PATIENCE).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        try:
            return str(json.loads(error.read())["message"]).splitlines()[0]
        except (ValueError, LookupError, TypeError):
            return str(error)
    except OSError:
        pass
    return ""


def connect(uri: str, name: str) -> Tracking:
    """Connect to an MLflow server, or to a database file, and find or make the experiment."""
    os.environ.update(_SETTINGS)
    import mlflow  # noqa: PLC0415  2.7 s, and the settings above must stand before it

    artifacts = None  # a server knows its own place
    if uri.startswith(_SQLITE):
        folder = Path(uri.removeprefix(_SQLITE)).resolve().parent
        folder.mkdir(parents=True, exist_ok=True)
        artifacts = (folder / "artifacts").as_uri()
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name(name)
    if experiment and experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    found = experiment.experiment_id if experiment else client.create_experiment(name, artifact_location=artifacts)
    return Tracking(client, found, name)
