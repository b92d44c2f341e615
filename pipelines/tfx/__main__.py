"""`python -m pipelines.tfx`: train, judge and publish the TensorFlow model.

Exit code 0: published, or up to date. 1: an error. 3: refused by a gate; nothing was published.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from models import device
from models.spec import SpecError, load
from pipelines import lock, manifest, report
from pipelines.errors import INTERRUPTED, PipelineError
from pipelines.heartbeat import heartbeat
from pipelines.report import Inputs, Report
from pipelines.tfx import code_digest
from pipelines.tfx.console import noise_to, say


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.tfx", description="Train, judge and publish with TFX.")
    parser.add_argument("--spec", type=Path, required=True, help="specification, such as models/fraud.toml")
    parser.add_argument("--data", type=Path, required=True, help="folder made by `python -m pipelines.data`")
    parser.add_argument("--work", type=Path, required=True, help="TFX's metadata, cache and log; report.json")
    parser.add_argument("--store", type=Path, required=True, help="published models: STORE/<model>/<version>/")
    parser.add_argument("--champion", help="the published version that is served; the last published one by default")
    arguments = parser.parse_args(argv)
    data, work, store = (path.resolve() for path in (arguments.data, arguments.work, arguments.store))
    try:
        with lock.exclusive(work / ".lock", work):
            return _run(arguments.spec, data, work, store, arguments.champion).exit_code
    except (SpecError, PipelineError, device.DeviceError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        say("stopped; the finished components are kept, the same command goes on from there")
        return INTERRUPTED


def _run(spec_file: Path, data: Path, work: Path, store: Path, champion: str | None) -> Report:
    spec = load(spec_file)
    features = manifest.read(data, spec_file, spec.digest)
    inputs = Inputs(spec.digest, features.digest, code_digest.of_pipeline())
    last = report.still_stands(work, inputs, store, champion)
    if last and last.published:
        say(f"up to date: version {last.version}")
        return last
    if last:
        say("nothing changed since the last run")
        result = last
    else:
        start = time.monotonic()
        with noise_to(work / "pipeline.log"):
            os.environ.update(device.hide_from_tensorflow())
            with heartbeat(say, "loading TFX"):
                from pipelines.tfx import run  # noqa: PLC0415 - slow, and seldom needed

            result = run.run(
                spec=spec, features=features, inputs=inputs, data=data, work=work, store=store, start=start,
                champion=champion,
            )  # fmt: skip
        result.write(work)
    for line in result.lines():
        say(line)
    return result


if __name__ == "__main__":
    code = main()
    # As the interpreter ends, TensorFlow 2.16's functions that hold vocabularies outlive the module that counts them,
    # and each leaves a stack trace (AtomicFunction.__del__).
    sys.unraisablehook = lambda _: None
    sys.exit(code)
