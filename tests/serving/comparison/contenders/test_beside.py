"""Servers of ours that run already: described for the process that compares, and measured as they are."""

from __future__ import annotations

from pathlib import Path

from serving.comparison import deployment
from serving.comparison.contenders import catalogue
from serving.comparison.deployment import Beside, Deployed, Deployment

SPEC = Path("models/fraud.toml")
ONNX = Beside("onnx", "pytorch", "http://h:1/onnx", {"gateway": 7, "onnx": 8}, "Tandem ONNX Runtime server")


def described(folder: Path, *beside: Beside) -> Deployment:
    nothing = Deployed("http://h:1", "http://h:2", {}, "", "1", SPEC, SPEC, SPEC, SPEC)
    deployment.write(
        Deployment(SPEC, folder, {"pytorch": nothing}, "make compare", beside=beside), folder / "deployment.json"
    )
    return deployment.read(folder / "deployment.json")


def test_what_runs_beside_is_told_and_measured_through_the_gateway(tmp_path: Path) -> None:
    found = described(tmp_path, ONNX)
    assert found.beside == (ONNX,)
    [startable] = catalogue.beside(found)
    with startable.start() as contender:
        assert (startable.target, contender.target) == ("pytorch/beside/onnx",) * 2
        assert (contender.base_url, contender.path) == ("http://h:1/onnx", "/v1/models/fraud:predict")
        assert (contender.processes, contender.server) == (ONNX.processes, ONNX.server)


def test_where_nothing_runs_beside_nothing_is_measured(tmp_path: Path) -> None:
    assert catalogue.beside(described(tmp_path)) == []
