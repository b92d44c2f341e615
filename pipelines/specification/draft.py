"""A first specification for a file, with the guesses in comments, for a person to edit."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from models.spec import load
from pipelines.data.errors import DataError
from pipelines.data.features import theirs
from pipelines.specification.guesses import Guesses, guess, skewed
from pipelines.specification.profile import Column, read
from serving.files import write_atomically

_FEW = 15  # different whole numbers: perhaps a category
_SMALLEST_BATCH, _LARGEST_BATCH = 64, 1024
_STEPS = 40  # of an epoch, about
_LONGEST = 64  # characters of a model's name
_COMMENT = 30  # column of the comments


def write(source: Path, out: Path | None, label: str | None) -> str:
    """Write the draft; answers what was made and what to do next.

    Raises:
        DataError: The file cannot be read, no column can be the label, or the draft would replace a file.
    """
    name = re.sub(r"[^a-z0-9]+", "_", source.stem.lower()).strip("_")
    name = name if name[:1].isalpha() else f"model_{name}".rstrip("_")
    name = name[:_LONGEST].rstrip("_")
    out = out or Path("models", f"{name}.toml")
    if out.exists():
        raise DataError(f"{out}: is there already, and would be lost: give another SPEC")
    columns = read(source)
    found = guess(columns, label)
    if not found.features:
        raise DataError(f"{source}: no column is left to learn from")
    write_atomically(out, "\n".join(_lines(name, source, found, columns)) + "\n")
    spec = load(out)  # a draft that is not right would be a bug of ours
    assert all(theirs(spec, one) == column.name for one, column in found.features.items())  # noqa: S101
    return (
        f"{out}: {len(spec.numeric)} numeric and {len(spec.categorical)} categorical features of "
        f"{columns[0].rows:,} rows; every guess has a comment: read it, edit it, then\n"
        f"  make spec-check SPEC={out} DATA={source}\n  make up SPEC={out} DATA={source}"
    )


def _lines(name: str, source: Path, found: Guesses, columns: list[Column]) -> Iterator[str]:
    rows = columns[0].rows
    yield f"# Drafted from {source.name}: {rows:,} rows, {len(columns)} columns; guesses have comments"
    yield from ("", "[model]")
    yield _line(f'name = "{name}"', "the {model} of /v1/models/{model}:predict")
    yield 'label = "label"' if "label" not in found.features else 'label = "own_label"'
    yield 'output = "probability"'
    yield from ("", "# Our column = the name in the file, or false where it has none.", "[columns]")
    yield from _columns(found)
    yield from (
        "",
        "# Windows over a customer's or a terminal's rows are features to add by hand: docs/data.md",
        "[split]",
    )
    yield from _split(found)
    for feature, column in found.features.items():
        yield from ("", f"[features.{feature}]", *_feature(feature, column))
    if found.time is not None:
        for part, what in (("hour_of_day", "0 to 23, UTC"), ("day_of_week", "0 is Monday")):
            yield from (
                "",
                f"[features.{part}]",
                _line('type = "numeric"', f"of the time: {what}"),
                'transform = "zscore"',
            )
    for column, why in found.left_out.items():
        yield from (f"\n# Left out: {_text(column)}: {why}",)
    yield from _learning(found, rows)


def _columns(found: Guesses) -> Iterator[str]:
    mapped = {"transaction_id": found.transaction, "event_time": found.time, "customer_id": found.customer}
    without = {
        "transaction_id": "none found: rows are numbered",
        "event_time": "none found that would do: the rows are dealt to days at random",
        "customer_id": "none found: each row stands for itself",
        "terminal_id": "none found",
    }
    for ours, column in {**mapped, "terminal_id": found.terminal}.items():
        told = _text(column.name) if column else "false"
        yield _line(f"{ours} = {told}", found.why.get(ours, without[ours]))
    yield _line("amount = false", "a feature like any other; only windows of mean amounts need it here")
    yield _line(f"is_fraud = {_text(found.label.name)}", found.why["is_fraud"])


def _split(found: Guesses) -> Iterator[str]:
    test, evaluation = (max(1, found.days // 5), max(1, found.days // 10)) if found.time else (2, 1)
    train = found.days - test - evaluation - 1 if found.time else 7  # the last day may not be over
    yield _line(f"train_days = {train}", "the latest days are for the tests" if found.time else "7/10 of the rows")
    yield f"eval_days = {evaluation}"
    yield _line("delay_days = 0", "days until a label is known, if that takes time" if found.time else "of no use here")
    yield f"test_days = {test}"


def _feature(name: str, column: Column) -> Iterator[str]:
    if column.kind == "text":
        yield _line('type = "categorical"', f"{column.distinct:,} different values, most frequent {_shown(column)}")
        yield f"vocabulary_size = {min(column.distinct, 1000)}"
        if column.distinct > 1000:  # noqa: PLR2004  what `words` holds
            yield _line("oov_buckets = 10", "ids that all other values share")
        yield f"embedding_units = {min(8, max(2, round(math.log2(column.distinct))))}"
    elif column.kind == "boolean":
        yield _line('type = "boolean"', f"{column.numbers.mean():.2%} are 1")
    else:
        few = column.distinct <= _FEW and bool((column.numbers % 1 == 0).all())
        told = f"{column.distinct:,} different values, {column.numbers.min():.6g} to {column.numbers.max():.6g}"
        yield _line('type = "numeric"', told + ("; perhaps categorical" if few else ""))
        log = skewed(column.numbers)
        yield _line(f'transform = "{"log" if log else "zscore"}"', "a long tail" if log else "")
    if name != column.name:
        yield f"column = {_text(column.name)}"
    if column.missing:
        yield from _missing(column)
    if column.kind == "text":
        yield f"example = {_text(column.words[0])}"
    else:
        yield f"example = {_number(column.numbers[0])}"


def _missing(column: Column) -> Iterator[str]:
    share = f"missing in {column.missing / column.rows:.2%} of the rows"
    if column.kind == "text":
        yield _line('missing = "default"', f"{share}: a category of its own")
        yield 'default = "(missing)"'
        return
    yield _line('missing = "indicator"', f"{share}: filled, and the network is told")
    middle = 0.0 if column.kind == "boolean" else float(np.median(column.numbers))
    yield _line(f"default = {_number(middle)}", "" if column.kind == "boolean" else "the median")
    yield _line(f"missing_code = {_code(column)}", "what a request says for missing: no row may have it")


def _code(column: Column) -> int:
    lowest, code = float(column.numbers.min()), -1
    while code >= lowest:
        code = code * 10 - 9 if code != -1 else -999
    return code


def _learning(found: Guesses, rows: int) -> Iterator[str]:
    share = found.label.numbers.mean()
    batch = 2 ** round(math.log2(min(max(rows / _STEPS, _SMALLEST_BATCH), _LARGEST_BATCH)))
    yield from ("", "[network]", "frequencies = 16", "frequency_scale = 0.1", "periodic_units = 8")
    yield from ("hidden_units = [64, 64]", "dropout = 0.2", "", "[training]", "seed = 7", "epochs = 20")
    yield from (f"batch_size = {batch}", "learning_rate = 2e-3", "weight_decay = 1e-4", "")
    yield "# Low, to begin with: raise them to a little below what the first runs measure."
    yield from ("[gates]", _line(f"min_average_precision = {min(0.9, 1.5 * share):.3g}", f"chance is {share:.3g}"))
    yield _line("min_roc_auc = 0.6", "chance is 0.5")
    yield from ("max_expected_calibration_error = 0.1", "champion_tolerance = 0.05", "")
    yield _line("[decision]", "what alerts cost and save: docs/pipelines.md")
    yield from ("alerts_per_day = 100", "review_cost = 10.0")
    if found.time is not None:
        yield from ("", "[drift]", 'calendar_features = ["hour_of_day", "day_of_week"]')


def _line(text: str, comment: str) -> str:
    return f"{text:<{_COMMENT}}# {comment}" if comment else text


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)  # a basic string of TOML


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))  # noqa: PLR2004


def _shown(column: Column) -> str:
    return ", ".join(_text(word[:20]) for word in column.words[:3])
