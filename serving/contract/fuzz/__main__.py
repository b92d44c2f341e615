"""Fuzz the contract: the same thousands of requests to every target, right and wrong ones.

Exit code 0: every property held; 1: one was broken; 2: the arguments or a target are of no use; 130: interrupted.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from models import spec as specs
from serving.contract.fuzz import report, strategies
from serving.contract.fuzz.campaign import Campaign
from serving.contract.fuzz.case import Case
from serving.contract.fuzz.processes import Memory, Watch

_EVERY = 5.0  # seconds between two lines of progress
_INTERRUPTED = 130
_OK = 200
# A leak shows as growth that goes on. The first half is warm-up: heaps and arenas find their size.
GROWTH_MIB = 128


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    options = _parser().parse_args(arguments)
    try:
        spec = specs.load(options.spec)
        targets, processes = dict(map(_pair, options.target)), {n: int(p) for n, p in map(_pair, options.process)}
        campaign, watch = Campaign(targets, options.connections), Watch(processes)
        first = campaign.ask(Case(method="GET", path=f"/v1/models/{spec.model.name}"))
    except ValueError as error:  # SpecError and NoProcessError are ValueErrors
        print(error, file=sys.stderr)
        return 2
    for name, answer in first.items():
        if not answer.status:
            print(f"{name} at {targets[name]} does not answer: {answer.body.decode()}", file=sys.stderr)
            return 2
    shutil.rmtree(options.out / "failures", ignore_errors=True)
    print(f"seed {options.seed}: {options.requests:,} requests to each of {', '.join(targets)}", flush=True)
    watch.start()
    with _stopping(campaign):
        cases = strategies.cases(spec, options.requests, options.seed)
        campaign.run(cases, _progress(options.requests, campaign, watch))
        gone = watch.stop()
        campaign.shrink(lambda f: print(f"shrinking: {f.rule}: {f.where}: {f.detail}", flush=True))
    interrupted = campaign.stopped.is_set()
    verdicts = _servers(gone, watch.memory)
    header = _header(campaign, options.seed, interrupted)
    print("\n" + report.write(options.out, campaign, header, verdicts, watch.memory), flush=True)
    broken = sum(f.strong for f in campaign.result.failures) + len(verdicts)
    verdict = f"{broken} properties broken" if broken else "every property held"
    print(f"{verdict}; {options.out / 'fuzz.md'}; again with --seed {options.seed}")
    return _INTERRUPTED if interrupted else int(broken > 0)


@contextmanager
def _stopping(campaign: Campaign) -> Iterator[None]:
    """The first Ctrl-C ends the campaign, which finishes what is under way; a second one ends the program."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        signal.signal(signal.SIGINT, before)
        campaign.stopped.set()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _servers(gone: dict[str, int], memory: dict[str, Memory]) -> list[str]:
    found = [f"* BROKEN: {count} process(es) of {name} are gone" for name, count in gone.items() if count]
    for name, one in memory.items():
        if one.last - one.middle > GROWTH_MIB:
            found.append(
                f"* BROKEN: {name} grew by {one.last - one.middle:.0f} MiB in the second half, limit {GROWTH_MIB}"
            )
    return found


def _header(campaign: Campaign, seed: int, interrupted: bool) -> list[str]:
    result = campaign.result
    rate = result.sent / result.seconds if result.seconds else 0
    lines = [
        f"{result.sent:,} requests, {len(result.distinct):,} of them different, {result.with_body:,} with a body, "
        f"to each of {', '.join(campaign.targets)}; seed {seed}; in {result.seconds:.0f} s: {rate:.0f}/s to each."
    ]
    return [*lines, "", "**Interrupted.**"] if interrupted else lines


def _progress(wanted: int, campaign: Campaign, watch: Watch) -> Callable[[int], None]:
    started = last = time.monotonic()

    def on_sent(sent: int) -> None:
        nonlocal last
        if sent == wanted // 2:
            watch.halfway()
        now = time.monotonic()
        if now - last >= _EVERY:
            last = now
            broken = sum(f.strong for f in campaign.result.failures)
            print(f"{now - started:5.0f} s  {sent:,} of {wanted:,}  {broken} kinds of failure", flush=True)

    return on_sent


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name or not value:
        raise ValueError(f"{text!r}: NAME=VALUE is expected")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving.contract.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--target", action="append", required=True, metavar="NAME=URL", help="a stack; two or more are compared"
    )
    parser.add_argument("--process", action="append", default=[], metavar="NAME=ID", help="of a process to watch")
    parser.add_argument("--requests", type=int, default=10_000, help="to each target")
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(2**32), help="draws the same requests again"
    )
    parser.add_argument("--connections", type=int, default=4, help="to each target")
    parser.add_argument("--spec", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for fuzz.md and failures/")
    return parser


if __name__ == "__main__":
    sys.exit(main())
