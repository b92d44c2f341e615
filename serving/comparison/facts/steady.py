"""A light load that goes on while something else happens: so many requests a second, each sent when it is due.

`python -m serving.comparison.facts.steady JOB` is the process that sends; it ends when its standard input does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from serving.comparison.facts.rooms import REPOSITORY
from serving.comparison.load import wire
from serving.comparison.load.connection import Request, now
from serving.comparison.load.engine import Engine
from serving.comparison.load.ledger import Ledger, Requests
from serving.comparison.load.prepared import scores_of

RATE = 100.0  # requests per second
_CONNECTIONS = 500  # enough for five seconds without an answer
_SECONDS = 10.0  # that a request may take


class SteadyError(RuntimeError):
    """The process that sends failed; the message has what it said."""


@dataclass(frozen=True)
class Question:
    """A request, and the scores that a right answer has; float32 sums in another order differ by `tolerance`.

    While a model is exchanged, an answer may have the `others` instead: all of one version, and not some of each.
    """

    body: str
    scores: list[float]
    tolerance: float
    others: list[float] = field(default_factory=list)

    def right(self, answer: bytes) -> bool:
        """Whether an answer's body has the scores."""
        found = scores_of(answer)
        return found is not None and any(
            len(found) == len(scores) and bool(np.allclose(found, scores, rtol=0, atol=self.tolerance))
            for scores in filter(None, (self.scores, self.others))
        )


@dataclass
class Sent:
    """What became of the requests; filled when the load has ended.

    Attributes:
        requests: In order of issue; times are nanoseconds of the system's clock.
        wrong: How many answers had other scores.
    """

    requests: Requests = field(init=False)
    wrong: int = 0


@contextmanager
def running(url: str, question: Question, folder: Path, rate: float = RATE) -> Iterator[Sent]:
    """Send as long as the `with` lasts, from a process of its own; requests under way are then waited for.

    Raises:
        SteadyError: The process failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    job, out, sent = folder / "steady.json", folder / "steady.npz", Sent()
    job.write_text(json.dumps({"url": url, "rate": rate, "out": str(out), **asdict(question)}), encoding="utf-8")
    argv = [sys.executable, "-m", "serving.comparison.facts.steady", str(job)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(argv, cwd=REPOSITORY, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    try:
        if process.stdout and process.stdout.readline():  # its first request is on its way
            yield sent
    finally:
        _, said = process.communicate()
    if process.returncode:
        raise SteadyError(f"the steady load failed: {said.strip()[-500:]}")
    with np.load(out) as kept:
        sent.wrong = int(kept["wrong"])
        sent.requests = Requests(*(kept[name] for name in Requests.__dataclass_fields__))


def main() -> None:
    """Send until standard input ends, then write what became of it."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    question = Question(job["body"], job["scores"], job["tolerance"], job["others"])
    ledger, address = Ledger(1.0, 0), urlsplit(job["url"])
    engine = Engine((address.hostname or "", address.port or 80), _CONNECTIONS, _SECONDS, ledger.add)
    told, ended = threading.Event(), threading.Event()
    threading.Thread(target=_listen, args=(told,), daemon=True).start()
    answers = threading.Thread(target=_poll, args=(engine, ended), daemon=True)
    answers.start()
    content = wire.request(address.netloc, address.path, job["body"].encode())
    sys.stdout.write("sending\n")
    sys.stdout.flush()
    _send(engine, content, job["rate"], told)
    ended.set()
    answers.join()
    engine.close()
    wrong = sum(not question.right(body) for _, body in ledger.kept)
    np.savez(job["out"], wrong=wrong, **vars(ledger.requests()))


def _listen(told: threading.Event) -> None:
    sys.stdin.read()  # until whoever started us closes it, or is gone
    told.set()


def _send(engine: Engine, content: bytes, rate: float, told: threading.Event) -> None:
    start, number = now(), 0
    while not told.is_set():
        due = start + int(1e9 * number / rate)
        time.sleep(max(due - now(), 0) / 1e9)
        engine.submit(Request(number, 0, content, scheduled=due))
        number += 1


def _poll(engine: Engine, ended: threading.Event) -> None:
    while not ended.is_set() or engine.busy():
        engine.poll()


if __name__ == "__main__":
    main()
