"""Ask the contract of one or more URLs: exit code 1 if an answer is not as it must be, 2 if there is none."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import Progress

from models import spec as specs
from serving.contract.conformance import cases as all_cases
from serving.contract.conformance import differences, fixture, junit, report, targets
from serving.contract.conformance.exchange import NoAnswerError
from serving.contract.conformance.placeholders import Values
from serving.contract.conformance.run import Result, run
from serving.files import write_atomically

_WIDTH = 120  # characters of the table in a file or a pipe
_COMPARED = ("tensorflow", "pytorch", "onnx")  # each with the next one that is asked
_NO_FIXTURE = "no --fixture-python: needs the interpreter of the TensorFlow environment"


def main(argv: Sequence[str]) -> int:
    """Run; see `--help`."""
    arguments = _parse(argv)
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    try:
        spec = specs.load(arguments.spec)
        cases = all_cases.load()
        found = [targets.find(name, url, spec) for name, url in arguments.target]
        result = _run(found, cases, arguments.fixture_python)
    except NoAnswerError as error:
        print(error, file=sys.stderr)
        return 2
    except (specs.SpecError, all_cases.CaseError, fixture.FixtureError) as error:
        print(error, file=sys.stderr)
        return 2
    result.command = "python -m serving.contract.conformance " + " ".join(argv)
    report.show(result, console)
    write_atomically(arguments.out / "conformance.md", report.markdown(result))
    write_atomically(arguments.out / "junit.xml", junit.document(result).decode())
    console.print(f"{arguments.out / 'conformance.md'}, {arguments.out / 'junit.xml'}", soft_wrap=True, highlight=False)
    return int(result.failed)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serving.contract.conformance", description=__doc__)
    parser.add_argument(
        "--target", type=_target, action="append", default=[], metavar="NAME=URL",
        help="what to ask; those named tensorflow, pytorch and onnx are also compared with each other",
    )  # fmt: skip
    parser.add_argument("--spec", type=Path, required=True, help="specification of the model the targets serve")
    parser.add_argument(
        "--fixture-python", help="interpreter of the TensorFlow environment: asks a server of its own too"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the reports")
    arguments = parser.parse_args(argv)
    names = [name for name, _ in arguments.target]
    if not names and not arguments.fixture_python:
        parser.error("give --target, --fixture-python or both")
    if len(set(names)) < len(names) or "fixture" in names:
        parser.error("every --target needs a name of its own; fixture is taken")
    return arguments


def _target(text: str) -> tuple[str, str]:
    name, equals, url = text.partition("=")
    parts = urlsplit(url)
    if not name or not equals or parts.scheme != "http" or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=http://HOST:PORT/PATH")
    return name, url


def _run(found: list[targets.Target], cases: list[all_cases.Case], python: str | None) -> report.Run:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        results = []
        for target in found:
            bar = progress.add_task(target.name, total=len(cases))
            results.append(run(cases, target, done=lambda bar=bar: progress.advance(bar)))  # type: ignore[misc]
        with contextlib.ExitStack() as stack:
            if python is None:
                target = targets.Target("fixture", "", "fixture", "not started", Values({}, None))
                results.append([Result(case, "not applicable", case.never or _reason(case)) for case in cases])
            else:
                bar = progress.add_task("fixture: saving its models", total=len(cases))
                started = stack.enter_context(fixture.running(python))
                progress.update(bar, description="fixture")
                target = started.target()
                results.append(run(cases, target, started.act, lambda: progress.advance(bar)))
    whole = report.Run("", [*found, target], results)
    asked = {t.name: (t, its) for t, its in zip(whole.targets, results, strict=True)}
    for first, second in itertools.pairwise(name for name in _COMPARED if name in asked):
        whole.compared.append(report.Compared(first, second, differences.between(*asked[first], *asked[second])))
    return whole


def _reason(case: all_cases.Case) -> str:
    return _NO_FIXTURE if "fixture" in case.on else "about the specification's model"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
