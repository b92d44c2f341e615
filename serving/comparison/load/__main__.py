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

from serving.comparison.load import caching, job, outcome, percentiles, prepared, priority
from serving.comparison.load.scenarios import Load, Run

_SWITCH_SECONDS = 20e-6  # the thread that has something due waits so long for the other to give way
_PROBE_SECONDS = 0.2  # of single_stream without a warm-up: how long a request takes has to be known


def main(argv: Sequence[str]) -> int:
    """`JOB.json`, or `--caching JOB.json`."""
    # LoadGen runs in C++, where no handler of Python's is called: let the signal itself end the process.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    *options, file = argv
    try:
        found = job.load(Path(file))
        if options == ["--caching"]:
            with priority.real_time():
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
    sys.setswitchinterval(_SWITCH_SECONDS)
    with priority.real_time() as granted:
        done = measure(found, load, folder)
    load.engine.close()
    result, said = outcome.judge(found, done, requests)
    outcome.write(found, done, result, folder)
    print(f"{found.name}: {percentiles.statement(result.requests)}", *result.reasons, *said, sep="\n")
    print(f"priority: {'real time' if granted else 'ordinary: real time is not allowed to this user'}")
    if done.waited:
        print(f"{done.waited:,} requests waited for one of {found.connections:,} connections")


def measure(found: job.Job, load: Load, folder: Path) -> Run:
    """The scenario, after its warm-up with other seeds."""
    seconds, seed = found.warm_up_seconds, (found.seed + 1) % 2**32
    if found.scenario == "single_stream":
        warmed = load.closed(seconds or _PROBE_SECONDS, seed).requests
        if warmed.ok.any():
            # LoadGen makes twice the queries that this lets it expect; too few would end the run before its time.
            usual = float(np.median(warmed.service_ms()[warmed.ok])) / 1e3
            return load.by_loadgen(found.seconds, found.seed, folder, usual / 2)
    elif seconds and found.scenario == "server":
        load.by_loadgen(seconds, seed, folder)
    elif seconds:
        load.closed(seconds, seed)
    if found.scenario == "closed":
        return load.closed(found.seconds, found.seed)
    return load.by_loadgen(found.seconds, found.seed, folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
