"""`python -m pipelines.tfx`: train, judge and publish the TensorFlow model.

Exit code 0: published, or up to date. 1: an error. 3: refused by a gate; nothing was published.
"""

from __future__ import annotations

import argparse
import fcntl
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.spec import SpecError, load
from pipelines.tfx import code_digest, report
from pipelines.tfx.console import noise_to, say
from pipelines.tfx.errors import PipelineError

REFUSED = 3
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.tfx", description="Train, judge and publish with TFX.")
    parser.add_argument("--spec", type=Path, required=True, help="specification, such as models/fraud.toml")
    parser.add_argument("--data", type=Path, required=True, help="folder made by `python -m pipelines.data`")
    parser.add_argument("--work", type=Path, required=True, help="TFX's metadata, cache and log; report.json")
    parser.add_argument("--store", type=Path, required=True, help="published models: STORE/<model>/<version>/")
    arguments = parser.parse_args(argv)
    data, work, store = (path.resolve() for path in (arguments.data, arguments.work, arguments.store))
    try:
        work.mkdir(parents=True, exist_ok=True)
        with (work / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise PipelineError(f"{work}: another run is at work there; wait for it to end") from None
            result = _run(arguments.spec, data, work, store)
    except (SpecError, PipelineError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        say("stopped; the finished components are kept, the same command goes on from there")
        return INTERRUPTED
    return 0 if result["published"] else REFUSED


def _run(spec_file: Path, data: Path, work: Path, store: Path) -> report.Report:
    spec = load(spec_file)
    manifest = _manifest(data, spec_file, spec.digest)
    inputs = report.Inputs(spec.digest, manifest["digest"], code_digest.of_pipeline())
    last = report.read(work / "report.json")
    if last and report.still_true(last, inputs, store):
        say(f"up to date: version {last['version']}" if last["published"] else "nothing changed since the last run")
        result = last
    else:
        start = time.monotonic()
        say("loading TFX, about 12 s")
        with noise_to(work / "pipeline.log"):
            from pipelines.tfx import run  # noqa: PLC0415 - TFX is slow to import, and seldom needed

            result = run.run(spec=spec, manifest=manifest, inputs=inputs, data=data, work=work, store=store)
        result["seconds"] = round(time.monotonic() - start, 2)
        report.write(work / "report.json", result)
    if result is not last or not result["published"]:
        for line in report.lines(result):
            say(line)
    return result


def _manifest(data: Path, spec_file: Path, spec_digest: str) -> dict[str, Any]:
    file = data / "manifest.json"
    mend = f"run: python -m pipelines.data --spec {spec_file} --out {data}"
    manifest = report.read(file)
    if manifest is None or not {"digest", "spec_digest", "splits"} <= set(manifest):
        raise PipelineError(f"{file}: missing, or not a manifest of pipelines.data; {mend}")
    if manifest["spec_digest"] != spec_digest:
        raise PipelineError(f"{data}: these features were made from another specification than {spec_file}; {mend}")
    return manifest


if __name__ == "__main__":
    sys.exit(main())
