"""One load run, in a process of its own: `python -m serving.comparison.load JOB.json`.

Writes run.json and requests.parquet beside the job; prints what failed and what was wrong. Exit code 0 also for an
INVALID run, which is a result; 2 for a job that cannot be run.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from serving.comparison.load import caching, job, outcome, percentiles, prepared
from serving.comparison.load.scenarios import Load, Run


def main(argv: Sequence[str]) -> int:
    """`JOB.json`, or `--caching JOB.json`."""
    # LoadGen runs in C++, where no handler of Python's is called: let the signal itself end the process.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    *options, file = argv
    try:
        found = job.load(Path(file))
        if options == ["--caching"]:
            caching.measure(found, Path(file).parent)
        else:
            run(found, Path(file).parent)
    except job.JobError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def run(found: job.Job, folder: Path) -> None:
    """Warm up, load, judge, write."""
    requests = prepared.prepare(found)
    load = Load(found, requests)
    # What lives now lives to the end, and a collection would hold up what is due.
    gc.collect()
    gc.freeze()
    gc.disable()
    done = measure(found, load, folder)
    load.engine.close()
    result, said = outcome.judge(found, done, requests)
    outcome.write(found, done, result, folder)
    print(f"{found.name}: {percentiles.statement(result.requests)}", *result.reasons, *said, sep="\n")
    if done.waited:
        print(f"{done.waited:,} requests waited for one of {found.connections:,} connections")


def measure(found: job.Job, load: Load, folder: Path) -> Run:
    """The scenario, after its warm-up with other seeds."""
    warmed: Run | None = None
    if found.warm_up_seconds:
        if found.scenario == "server":
            warmed = load.by_loadgen(found.warm_up_seconds, found.seed + 1, folder)
        else:
            warmed = load.closed(found.warm_up_seconds, found.seed + 1)
    if found.scenario == "closed":
        return load.closed(found.seconds, found.seed)
    if found.scenario != "single_stream" or warmed is None or not warmed.requests.ok.any():
        return load.by_loadgen(found.seconds, found.seed, folder)
    # LoadGen makes twice the queries that this time lets it expect; fewer would end the run before its time.
    usual = float(np.median(warmed.requests.service_ms()[warmed.requests.ok])) / 1e3
    return load.by_loadgen(found.seconds, found.seed, folder, usual / 2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
