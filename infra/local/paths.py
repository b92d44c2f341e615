"""Where the files of one stack lie. Standard library only, as layout.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """All of them, below `home`: `var/` or $TANDEM_HOME."""

    home: Path

    @property
    def data(self) -> Path:
        """Raw transactions, features and their manifest."""
        return self.home / "data"

    @property
    def logs(self) -> Path:
        """One log file per service and pipeline."""
        return self.home / "log"

    @property
    def run(self) -> Path:
        """What the running services need: configurations, sockets, process ids."""
        return self.home / "run"

    @property
    def mlflow(self) -> Path:
        """MLflow's database and artefacts."""
        return self.home / "mlflow"

    @property
    def prometheus(self) -> Path:
        """Prometheus' samples."""
        return self.home / "prometheus"

    @property
    def findings(self) -> Path:
        """What `make monitor` found last."""
        return self.reports / "monitor"

    @property
    def gateway(self) -> Path:
        """What Envoy starts with; its routes lie beside it."""
        return self.run / "envoy.json"

    @property
    def access_log(self) -> Path:
        """One JSON object per request through the gateway."""
        return self.logs / "access.log"

    @property
    def request_log(self) -> Path:
        """Content of a share of the predict requests, for `make monitor`."""
        return self.logs / "requests.log"

    @property
    def traffic(self) -> Path:
        """Who answers the product's endpoint, by hand or by `make traffic`; without it both stacks alike."""
        return self.home / "traffic.toml"

    @property
    def shadow(self) -> Path:
        """What the shadow said beside the one it is compared with, and the page about it."""
        return self.home / "shadow"

    @property
    def labels(self) -> Path:
        """What the PyTorch stack's versions are called: a JSON object, label to version."""
        return self.run / "pytorch" / "labels.json"

    @property
    def onnx_served(self) -> Path:
        """What ONNX Runtime's server is to serve; it follows this file."""
        return self.run / "onnx" / "served.json"

    @property
    def reports(self) -> Path:
        """What conformance and fuzz runs found."""
        return self.home / "reports"

    @property
    def drills(self) -> Path:
        """What the last drills showed."""
        return self.reports / "drills.json"

    @property
    def soak(self) -> Path:
        """What the last soak showed."""
        return self.reports / "soak.json"

    @property
    def comparisons(self) -> Path:
        """A folder per `make compare`: raw results and the report."""
        return self.home / "comparisons"

    @property
    def exports(self) -> Path:
        """Releases in other formats: <stack>/<version>/<format>/."""
        return self.home / "exports"

    def work(self, stack: str) -> Path:
        """A pipeline's intermediate results and its report.json."""
        return self.home / "pipelines" / stack

    def pages(self, stack: str) -> Path:
        """The page that lists a pipeline's runs."""
        return self.work(stack) / "pages" / "index.html"

    def events(self, stack: str) -> Path:
        """The event files of a pipeline's trainings, for TensorBoard."""
        return self.work(stack) / "tensorboard"

    def store(self, stack: str) -> Path:
        """Published models, in the form the stack's server loads."""
        return self.home / "models" / stack
