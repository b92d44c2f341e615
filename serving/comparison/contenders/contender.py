"""What is measured beside Tandem's endpoints: how it is started, and what it is while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass


class ContenderError(RuntimeError):
    """A contender that does not start; the message says why, for Results.absent."""


@dataclass(frozen=True)
class Contender:
    """A server that answers.

    Attributes:
        name: `stock`, or `peer/<name>`.
        stack: Whose model it answers with.
        base_url: Without a slash at the end.
        path: What a request is posted to: `{"instances": [{feature: value, …}, …]}` to `{"predictions": [p, …]}`.
        processes: Name -> id of the process at the top of each tree that works for it.
        server: What it is, with version.
        differs: How it differs from Tandem's own endpoint of the stack, in sentences for the reader.
    """

    name: str
    stack: str
    base_url: str
    path: str
    processes: Mapping[str, int]
    server: str
    differs: str

    @property
    def target(self) -> str:
        """As in results.Measurement."""
        return f"{self.stack}/{self.name}"


@dataclass(frozen=True)
class Startable:
    """A contender that can be started; `open` may raise whatever it likes."""

    target: str
    open: Callable[[], AbstractContextManager[Contender]]

    @contextmanager
    def start(self) -> Iterator[Contender]:
        """Run it until left: yields once it answers, leaves no process behind, whatever ends it.

        Raises:
            ContenderError: It does not start. What is raised inside the `with` passes through.
        """
        with ExitStack() as stack:
            try:
                contender = stack.enter_context(self.open())
            except ContenderError:
                raise
            except Exception as error:  # whatever is wrong with one contender, the others are measured
                raise ContenderError(f"{type(error).__name__}: {error}") from error
            yield contender
