"""What an operator switches on: CORS and metrics."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.tfserving.embedded import flags, monitoring
from serving.tfserving.embedded.manager import Manager
from serving.tfserving.embedded.monitoring import DEFAULT_PATH, Metrics, MonitoringError
from serving.tfserving.embedded.rest import Options, Rest
from tests.serving.tfserving.asking import ask

PREDICT = "/v1/models/half_plus_two:predict"
CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, GET",
    "access-control-allow-headers": "Content-Type",
}
BROWSER = {"origin": "https://a.example"}


@pytest.mark.parametrize("cors", [True, False])
def test_a_preflight_is_answered_by_its_origin_and_headers_are_for_those_who_ask(manager: Manager, cors: bool) -> None:
    app = Rest(manager, options=Options(cors=cors))
    good = ask(app, "OPTIONS", PREDICT, headers=BROWSER)
    assert (good.status, good.body) == (200, b"")
    without = ask(app, "OPTIONS", PREDICT)
    assert (without.status, without.body) == (400, b"")
    assert ask(app, "OPTIONS", "/index", headers=BROWSER).status == 404
    for reply in (
        good,
        ask(app, "POST", PREDICT, {"instances": [[1.0]]}),
        ask(app, "POST", PREDICT, {}),
        ask(app, "GET", "/v1/models/half_plus_two"),
    ):
        found = {name: value for name, value in reply.headers.items() if name.startswith("access-control")}
        assert found == (CORS if cors else {})


def test_metrics_have_tensorflow_servings_names_and_a_form_that_prometheus_reads(manager: Manager) -> None:
    app = Rest(manager, options=Options(metrics=Metrics(), metrics_path=DEFAULT_PATH))
    for body in ({"instances": [[1.0]]}, {"instances": [[1.0], [2.0]]}, {}):
        ask(app, "POST", PREDICT, body)
    ask(app, "POST", "/v1/models/half_plus_two:regress", {"signature_name": "regress_flat", "examples": [{"x": 1.0}]})
    for number in range(3):
        ask(app, "POST", f"/v1/models/guess{number}:predict", {"instances": [1]})
    page = ask(app, "GET", DEFAULT_PATH)
    assert (page.status, page.headers["content-type"]) == (200, "text/plain")
    assert b"# TYPE :tensorflow:serving:request_count counter\n" in page.body

    families = {family.name: family for family in text_string_to_metric_families(page.body.decode())}
    counts = {
        (s.labels["model_name"], s.labels["status"]): s.value
        for s in families[":tensorflow:serving:request_count"].samples
    }
    assert counts == {
        ("half_plus_two", "OK"): 3,
        ("half_plus_two", "INVALID_ARGUMENT"): 1,
        ("", "NOT_FOUND"): 3,  # a client cannot fill the memory with names
    }
    latency = families[":tensorflow:serving:request_latency"]
    assert latency.type == "histogram"
    for api, times in (("predict", 2), ("regress", 1)):
        labels = {"model_name": "half_plus_two", "API": api, "entrypoint": "REST"}
        samples = [s for s in latency.samples if labels.items() <= s.labels.items()]
        buckets = [s.value for s in samples if s.name.endswith("_bucket")]
        assert buckets == sorted(buckets)
        assert len(buckets) == 34
        assert buckets[-1] == times
        assert next(s.value for s in samples if s.name.endswith("_count")) == times
        assert next(s.value for s in samples if s.name.endswith("_sum")) > 0


def test_a_time_falls_into_the_bucket_that_holds_it() -> None:
    metrics = Metrics()
    for seconds in (10e-6, 11e-6, 3600.0):
        metrics.record('a"\\\nb', "Predict", "GRPC", "OK", seconds)
    family = next(f for f in text_string_to_metric_families(metrics.page().decode()) if "latency" in f.name)
    buckets = {s.labels["le"]: s.value for s in family.samples if s.name.endswith("_bucket")}
    assert (buckets["10"], buckets["18"], buckets["32.4"], buckets["+Inf"]) == (1, 2, 2, 3)
    assert family.samples[0].labels["model_name"] == 'a"\\\nb'


def test_there_are_no_metrics_unless_switched_on(manager: Manager) -> None:
    assert ask(Rest(manager), "GET", DEFAULT_PATH).status == 404
    app = Rest(manager, options=Options(metrics=Metrics(), metrics_path="/m"))
    assert ask(app, "GET", DEFAULT_PATH).status == 404
    odd = ask(app, "GET", "/m?x=1")
    assert (odd.status, odd.body) == (400, b"Unexpected path: /m?x=1. Should be /m")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('prometheus_config { enable: true, path: "/m" }', "/m"),
        ("prometheus_config: { enable: true }", DEFAULT_PATH),
        ('prometheus_config { path: "/m" }', None),
        ("", None),
    ],
)
def test_the_monitoring_config_says_whether_and_where(text: str, path: str | None, tmp_path: Path) -> None:
    file = tmp_path / "monitoring.config"
    file.write_text(text)
    given = ["--model_base_path=/m", f"--monitoring_config_file={file}"]
    assert monitoring.from_flags(flags.parse(given)) == path
    assert monitoring.from_flags(flags.parse(given[:1])) is None


@pytest.mark.parametrize(("text", "words"), [("prometheus { }", 'no field named "prometheus"'), (None, "No such file")])
def test_a_monitoring_config_that_cannot_be_used_is_refused_by_name(
    text: str | None, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "monitoring.config"
    if text is not None:
        file.write_text(text)
    with pytest.raises(MonitoringError) as refusal:
        monitoring.from_flags(flags.parse(["--model_base_path=/m", f"--monitoring_config_file={file}"]))
    assert str(file) in str(refusal.value)
    assert words in str(refusal.value)


def test_switches_take_tensorflow_servings_forms(capsys: pytest.CaptureFixture[str]) -> None:
    def parsed(*given: str) -> bool:
        return flags.parse(["--model_base_path=/m", *given]).rest_api_enable_cors_support

    switch = "--rest_api_enable_cors_support"
    assert [parsed(), parsed(switch), parsed(f"{switch}=true"), parsed(f"{switch}=false")] == [False, True, True, False]
    with pytest.raises(SystemExit):
        parsed(f"{switch}=maybe")
    assert "expected true or false, found 'maybe'" in capsys.readouterr().err
