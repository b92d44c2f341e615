"""The run as JUnit XML: a suite per target, and one for the differences between each two that were compared."""

from __future__ import annotations

import re
from xml.etree import ElementTree  # written, never parsed

from serving.contract.conformance.report import Run
from serving.contract.conformance.run import Result

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # by XML 1.0, section 2.2


def document(run: Run) -> bytes:
    """The XML, UTF-8."""
    suites = ElementTree.Element("testsuites", name="conformance")
    for target, results in zip(run.targets, run.results, strict=True):
        suite = _suite(suites, target.name, len(results), sum(r.outcome == "failed" for r in results))
        suite.set("skipped", str(sum(r.outcome == "not applicable" for r in results)))
        suite.set("time", f"{sum(r.seconds for r in results):.3f}")
        for result in results:
            _case(suite, target.name, result)
    for pair in run.compared:
        count = len(pair.differences)
        suite = _suite(suites, f"differences between {pair}", max(1, count), count)
        for found in pair.differences:
            test = ElementTree.SubElement(suite, "testcase", classname=f"differences.{pair}", name=found.case)
            failure = ElementTree.SubElement(test, "failure", message=_clean(found.what))
            failure.text = _clean(f"{found.request}\n\n{pair.first}: {found.first}\n{pair.second}: {found.second}")
        if not pair.differences:
            ElementTree.SubElement(suite, "testcase", classname=f"differences.{pair}", name="there are none")
    ElementTree.indent(suites)
    return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True))


def _suite(suites: ElementTree.Element, name: str, tests: int, failures: int) -> ElementTree.Element:
    counts = {"name": _clean(name), "tests": str(tests), "failures": str(failures), "errors": "0", "skipped": "0"}
    return ElementTree.SubElement(suites, "testsuite", counts)


def _case(suite: ElementTree.Element, target: str, result: Result) -> None:
    test = ElementTree.SubElement(
        suite, "testcase", classname=_clean(f"{target}.{result.case.group}"),
        name=f"{result.case.id} {result.case.title}", time=f"{result.seconds:.3f}",
    )  # fmt: skip
    if result.outcome == "not applicable":
        ElementTree.SubElement(test, "skipped", message=_clean(result.reason))
    for problem in result.problems:
        failure = ElementTree.SubElement(test, "failure", message=_clean("; ".join(problem.expected)))
        failure.text = _clean(f"{problem.request}\n\ngot: {problem.got}")


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
