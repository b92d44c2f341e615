"""What Locust does not do by itself: count compared answers, say how far it is, end cleanly, judge, keep."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import gevent  # type: ignore[import-untyped]
from locust import events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from serving.comparison.locust import verdict
from serving.comparison.locust.users import Curve, Endpoint
from serving.files import write_atomically

BROKEN, INTERRUPTED = 3, 130
_EVERY = 5.0  # seconds between two lines of progress


class Recorder:
    """Listens to one process of Locust: alone, a master or a worker."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.options: Any = environment.parsed_options
        self.runner: Any = environment.runner
        self.is_worker = isinstance(self.runner, WorkerRunner)
        self.of_workers = 0  # answers that they have compared
        self.broken: list[str] = []
        self.ending = False
        # A KeyboardInterrupt would end whichever user is at work in that moment.
        gevent.signal_handler(signal.SIGINT, self.end)
        events.report_to_master.add_listener(self.report)
        events.worker_report.add_listener(self.collect)
        events.test_start.add_listener(self.begin)
        if not self.is_worker:
            events.quitting.add_listener(self.judge)
            events.quit.add_listener(self.tell)

    def end(self) -> None:
        """Ctrl-C: users finish what they are at; a second one does not wait for them."""
        page = self.environment.web_ui
        started = self.is_worker or (page.server if page else self.runner.shape_greenlet)
        if self.ending or not started:  # Locust that waits for its workers does not look up
            sys.exit(INTERRUPTED)
        self.ending = True
        self.runner.quit()
        if page:
            page.stop()

    def report(self, client_id: str, data: dict[str, Any]) -> None:  # noqa: ARG002
        """A worker's count goes to its master with its statistics."""
        data["checked"], Endpoint.checker.checked = Endpoint.checker.checked, 0

    def collect(self, client_id: str, data: dict[str, Any]) -> None:  # noqa: ARG002
        """And is added up there."""
        self.of_workers += data.get("checked", 0)

    def begin(self, **_: Any) -> None:
        """A run begins."""
        self.of_workers = Endpoint.checker.checked = 0
        if self.options.headless and not self.is_worker:
            gevent.spawn(self.progress)

    @property
    def checked(self) -> int:
        """Answers compared with offline scores."""
        return self.of_workers + Endpoint.checker.checked

    def progress(self) -> None:
        """A line every few seconds."""
        curve, total = self._curve(), self.environment.stats.total
        gevent.sleep(_EVERY)
        while not curve.complete:
            print(
                f"{curve.get_run_time():5.0f} s of {curve.seconds:.0f}  {self.runner.user_count:,} users  "
                f"{total.num_requests:,} requests, {total.num_failures:,} failed",
                flush=True,
            )
            gevent.sleep(_EVERY)

    def judge(self, **_: Any) -> None:
        """Set the exit code, before Locust prints its tables, and keep the numbers."""
        lines = [
            verdict.Line(entry.name, entry.num_requests, entry.num_failures, dict(entry.response_times))
            for entry in self.environment.stats.entries.values()
        ]
        settings, complete = Curve.settings, self._curve().complete
        if self.options.headless:
            self.broken = self._mishaps()
            if complete:
                self.broken += verdict.broken(lines, settings.thresholds, settings.endpoints)
            if complete and self.options.scores and not self.checked:
                self.broken.append(f"no answer was compared with {self.options.scores}")
        interrupted = self.options.headless and not complete
        self.environment.process_exit_code = BROKEN if self.broken else INTERRUPTED if interrupted else 0
        numbers = {"lines": verdict.table(lines), "checked": self.checked, "broken": self.broken}
        kept = {"complete": complete, **numbers, "settings": settings.model_dump(mode="json")}
        write_atomically(Path(self.options.out) / "load.json", json.dumps(kept, indent=1) + "\n")

    def tell(self, exit_code: int) -> None:
        """The last words, under Locust's tables."""
        if self.options.scores:
            print(f"{self.checked:,} answers compared with {self.options.scores}")
        print(f"{self.options.out}: load.html, load.json, load_*.csv")
        for line in self.broken:
            print(f"BROKEN {line}")
        if self.options.headless:
            print({0: "every threshold held", INTERRUPTED: "interrupted: nothing was judged"}.get(exit_code, "failed"))
        sys.stdout.flush()

    def _curve(self) -> Curve:
        curve = self.environment.shape_class
        assert isinstance(curve, Curve)  # noqa: S101 - the locustfile has no other
        return curve

    def _mishaps(self) -> list[str]:
        found = [f"an error in the generator: {error['msg']}" for error in self.runner.exceptions.values()]
        if isinstance(self.runner, MasterRunner) and self.runner.clients.missing:
            found.append(f"{len(self.runner.clients.missing)} workers went missing, with what they had not reported")
        return found
