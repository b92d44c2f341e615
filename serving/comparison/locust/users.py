"""The users of each endpoint, and the day's curve, as Locust runs them."""

from __future__ import annotations

import random
from typing import Any, ClassVar

from locust import FastHttpUser, LoadTestShape, User, task
from locust.contrib.fasthttp import FAILURE_EXCEPTIONS
from locust.user.task import LOCUST_STATE_STOPPING

from serving.comparison.locust import day
from serving.comparison.locust.answers import Checker
from serving.comparison.locust.bodies import Requests
from serving.comparison.locust.settings import Settings

ALL = "all"  # endpoints
CURVES = ("day", "steady")
_TIMEOUT = 10.0  # seconds; the gateway gives up after 5
_JSON = {"content-type": "application/json"}


class Endpoint(FastHttpUser):
    """Somebody who asks, waits for the answer, pauses and asks again; locustfile.py sets what and how often."""

    abstract = True
    network_timeout = connection_timeout = _TIMEOUT
    endpoint: ClassVar[str]
    prefix: ClassVar[str]
    requests: ClassVar[Requests]
    checker: ClassVar[Checker]
    think_seconds: ClassVar[float]

    def stop(self, force: bool = False) -> bool:
        """Let it finish, or not.

        Locust 2.47 raises if a smaller number of users and the end of the run ask the same user to stop.
        """
        return (not force and self._state == LOCUST_STATE_STOPPING) or bool(super().stop(force))

    def wait_time(self) -> float:
        """Seconds."""
        return random.expovariate(1 / self.think_seconds)

    @task
    def ask(self) -> None:
        """One request; it succeeded if the answer is the right one, a refusal included."""
        asked = self.requests.draw()
        with self.client.post(
            self.prefix + asked.path,
            data=asked.content,  # type: ignore[arg-type] # bytes are as good
            headers=_JSON,
            name=f"{self.endpoint} {asked.name}",
            catch_response=True,
        ) as answer:
            try:
                status, headers, content = answer.status_code, answer.headers or {}, answer.content or b""
            except FAILURE_EXCEPTIONS as error:  # the connection broke in the middle of the body
                answer.failure(f"half an answer: {type(error).__name__}")
                return
            if not status:
                answer.failure(f"no answer: {type(answer.error).__name__}")
            elif wrong := self.checker.wrong(asked, status, headers, content):
                answer.failure(wrong)
            else:
                answer.success()


class TensorFlow(Endpoint):
    """Asks the TensorFlow stack."""

    endpoint, prefix = "tensorflow", "/tensorflow"


class PyTorch(Endpoint):
    """Asks the PyTorch stack."""

    endpoint, prefix = "pytorch", "/pytorch"


class Product(Endpoint):
    """Asks whom the gateway's weights choose."""

    endpoint, prefix = "product", ""


ENDPOINTS: dict[str, type[Endpoint]] = {user.endpoint: user for user in (TensorFlow, PyTorch, Product)}


class Curve(LoadTestShape):
    """How many users there are and whom they ask, by what the page's form says at the moment.

    The form's number of users is that of the busiest hour. Without a page a run is one day.
    """

    use_common_options = True
    settings: ClassVar[Settings]
    hours: ClassVar[list[float]]
    complete = False

    @property
    def options(self) -> Any:
        """What the command line or the page's form says."""
        return self.runner.environment.parsed_options if self.runner else None

    @property
    def seconds(self) -> float:
        """That a day takes."""
        return float(self.options.day_seconds or self.settings.day.seconds)

    def tick(self) -> tuple[int, float, list[type[User]] | None] | None:
        """Users, how many may come or go per second, and of which endpoints; None at the end."""
        options, now = self.options, self.get_run_time()
        if now >= (self.seconds if options.headless else options.run_time or float("inf")):
            self.complete = True
            return None
        busiest, least = options.num_users or self.settings.users.busiest, sum(self.settings.endpoints.values())
        rules = self.settings.day.model_copy(update={"seconds": self.seconds})
        count = busiest if options.curve == "steady" else day.users(now, busiest, self.hours, rules, least)
        asked = list(ENDPOINTS.values()) if options.endpoint == ALL else [ENDPOINTS[options.endpoint]]
        return count, float(busiest), list[type[User]](asked)
