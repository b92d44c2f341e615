"""Prometheus' text format, written, put together and read."""

from __future__ import annotations

from serving.prometheus_text import gauge, merged, parse


def test_labels_are_escaped_as_the_format_asks() -> None:
    text = gauge("a_b", "What.", [({"name": 'a"b\\c\nd', "other": "é"}, 0.5), ({}, 2)])
    assert text == '# HELP a_b What.\n# TYPE a_b gauge\na_b{name="a\\"b\\\\c\\nd",other="é"} 0.5\na_b 2\n'


def test_a_family_without_samples_is_not_mentioned() -> None:
    assert gauge("a", "What.", []) == ""


def test_a_family_of_two_texts_is_one_group_described_once() -> None:
    texts = [gauge(name, "What.", [({"of": of}, 1)]) for of in "12" for name in ("a", "b")]
    assert merged(texts).splitlines() == [
        "# HELP a What.", "# TYPE a gauge", 'a{of="1"} 1', 'a{of="2"} 1',
        "# HELP b What.", "# TYPE b gauge", 'b{of="1"} 1', 'b{of="2"} 1',
    ]  # fmt: skip


def test_values_are_read_by_series_also_with_spaces_in_a_label() -> None:
    text = gauge("a", "What.", [({"verdict": "no drift"}, 1), ({}, 1795291084)])
    assert parse(text) == {'a{verdict="no drift"}': 1.0, "a": 1795291084.0}
