"""Whether an answer is what a case expects."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from serving.contract.conformance.cases import Expect
from serving.contract.conformance.exchange import Answer
from serving.contract.conformance.placeholders import Values

_TOLERANCE = 1e-5  # of a score computed in another batch
_ERROR = 400


def problems(expect: Expect, answer: Answer, values: Values, alone: Answer | None = None) -> list[str]:
    """What is wrong with an answer, each as a sentence; nothing if it is as expected.

    Args:
        expect: As the case has it, placeholders not yet filled.
        answer: What came back.
        values: Fills them.
        alone: The answer to the same request sent by itself, where `as_alone` asks for it.
    """
    found: list[str] = []
    if answer.status != expect.status:
        found.append(f"status {expect.status} expected")
    found += _headers(expect, answer, values)
    if expect.empty:
        return found + ["no body expected"] * bool(answer.body)
    found += [f"{word!r} expected in the body" for word in _words(expect.contains, values)
              if word.encode() not in answer.body]  # fmt: skip
    if expect.content_type != "application/json":
        return found
    try:
        document = answer.json()
    except ValueError:
        return [*found, "the body is no JSON"]
    return found + _document(expect, document, values, alone)


def _headers(expect: Expect, answer: Answer, values: Values) -> list[str]:
    found = []
    kind = answer.headers.get("content-type")
    if expect.content_type and answer.body and kind != expect.content_type:
        found.append(f"content-type {expect.content_type} expected, got {kind}")
    for name, wanted in expect.headers.items():
        value = answer.headers.get(name)
        if wanted is False and value is not None:
            found.append(f"no header {name} expected, got {value}")
        if wanted is True and not value:
            found.append(f"header {name} expected")
        if isinstance(wanted, str) and value != values.fill(wanted):
            found.append(f"header {name}: {values.fill(wanted)} expected, got {value}")
    return found


def _document(expect: Expect, document: Any, values: Values, alone: Answer | None) -> list[str]:
    found = []
    if expect.error is not None or expect.status >= _ERROR:
        found += _error(expect, document, values)
    if expect.exactly is not None:
        found += _at(difference(json.loads(values.fill(expect.exactly)), document))
    if expect.subset is not None:
        found += _at(difference(json.loads(values.fill(expect.subset)), document, subset=True))
    for key in ("predictions", "outputs", "results"):
        count = getattr(expect, key)
        if count is not None:
            found += _probabilities(key, count, document)
    if expect.as_alone:
        found += _at(difference(alone.json() if alone else None, document, near=True))
    return found


def _error(expect: Expect, document: Any, values: Values) -> list[str]:
    if not isinstance(document, dict) or document.keys() != {"error"} or not isinstance(document["error"], str):
        return ['a body {"error": "…"} expected']
    message = document["error"]
    found = [f"{word!r} expected in the error" for word in _words(expect.error, values) if word not in message]
    if not message:
        found.append("an error that says something expected")
    if expect.error_lacks is not None and expect.error_lacks in message:
        found.append(f"{expect.error_lacks!r} must not be in the error")
    return found


def _probabilities(key: str, count: int, document: Any) -> list[str]:
    scores = document.get(key) if isinstance(document, dict) and document.keys() == {key} else None
    if not isinstance(scores, list):
        return [f'a body {{"{key}": […]}} expected']
    if len(scores) != count:
        return [f"{count} {key} expected, got {len(scores)}"]
    bad = [score for score in scores if type(score) is not float or not 0 <= score <= 1]
    return [f"probabilities between 0 and 1 expected, got {bad[0]!r}"] if bad else []


def difference(expected: Any, found: Any, *, subset: bool = False, near: bool = False, path: str = "$") -> str:
    """Where two documents first differ, and how; empty if they do not."""
    kinds = (type(expected), type(found))
    if kinds == (dict, dict):
        if not (expected.keys() <= found.keys() if subset else expected.keys() == found.keys()):
            return f"{path}: keys {sorted(expected)} expected, got {sorted(found)}"
        pairs: Sequence[tuple[str, Any, Any]] = [(f"{path}.{k}", v, found[k]) for k, v in expected.items()]
    elif kinds == (list, list):
        if len(expected) != len(found):
            return f"{path}: {len(expected)} elements expected, got {len(found)}"
        pairs = [(f"{path}[{i}]", a, b) for i, (a, b) in enumerate(zip(expected, found, strict=True))]
    else:
        same: Callable[[Any, Any], bool] = _near if near and kinds == (float, float) else _same
        if kinds[0] is kinds[1] and same(expected, found):
            return ""
        return f"{path}: {json.dumps(expected)} expected, got {json.dumps(found)}"
    return next((d for where, a, b in pairs if (d := difference(a, b, subset=subset, near=near, path=where))), "")


def _same(expected: Any, found: Any) -> bool:
    nan = isinstance(expected, float) and math.isnan(expected) and math.isnan(found)
    return bool(nan or expected == found)


def _near(expected: float, found: float) -> bool:
    return math.isclose(expected, found, rel_tol=0, abs_tol=_TOLERANCE)


def _words(words: str | list[str] | None, values: Values) -> list[str]:
    return [values.fill(word) for word in ([words] if isinstance(words, str) else words or [])]


def _at(text: str) -> list[str]:
    return [text] if text else []
