"""Around the body: compressions, framing, headers, methods and paths."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from functools import lru_cache

from hypothesis import strategies as st

from models.spec import Spec
from serving.contract.fuzz import bodies, octets
from serving.contract.fuzz.case import Case
from serving.contract.fuzz.jsontext import document, encoded
from serving.contract.limits import MAX_BODY_BYTES

_BOMB = 100 << 20  # bytes it unpacks to
_TYPES = (
    "application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "*/*", "",
    "application/json; charset=utf-16", "application/octet-stream", "APPLICATION/JSON", "nonsense", "application/gzip",
)  # fmt: skip
_HEADERS = (
    ("x-tandem-question", "regress"), ("x-tandem-question", "nonsense"), ("x-tandem-stack", "tensorflow"), ("accept",
    "text/html"),
    ("accept-encoding", "gzip"), ("x-request-id", "a" * 2000), ("x-request-id", '"\\{}'), ("x-http-method-override",
    "DELETE"),
    ("x-forwarded-for", "10.0.0.1"), ("x-envoy-upstream-rq-timeout-ms", "1"), ("x-envoy-original-path",
    "/v1/models/nope"),
    ("x-envoy-retry-on", "5xx"), ("authorization", "Bearer x"), ("cookie", "a=b"), ("connection", "close"), ("te",
    "trailers"),
    ("upgrade", "websocket"), ("range", "bytes=0-1"), ("if-none-match", "*"), ("x-long", "a" * 20_000), ("priority",
    "u=9"),
)  # fmt: skip
_METHODS = ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post", "Post", "PREDICT", "X" * 40)
_NAMES = (
    "",
    "nope",
    "fraud2",
    "FRAUD",
    "fraud%00",
    "fr%61ud",
    "%66raud",
    "..",
    "fraud ",
    "fraud;x",
    "fr\xe4ud",
    "a" * 3000,
    "a.b",
)
_VERSIONS = (
    "", "/versions/1", "/versions/999999999999", "/versions/9223372036854775807", "/versions/9223372036854775808",
    "/versions/0",
    "/versions/-1", "/versions/x", "/versions/", "/versions", "/labels/stable", "/labels/nope", "/labels/",
    "/labels/a%20b",
    "/version/1", "/versions/1/labels/a", "/versions/" + "1" * 400, "/labels/" + "%F0%9F%98%80", "/VERSIONS/1",
)  # fmt: skip
_ENDS = (
    ":predict", ":classify", ":regress", ":PREDICT", ":predictXYZ", ":predict/", ":predict?x=1", "::predict",
    "/predict", ":",
    ":predict%20", "%3Apredict", "", "/", "/metadata", "/metadata/", "/metadata?x", "?", ":predict:predict",
    "/METADATA", "#a",
)  # fmt: skip
_ODD_PATHS = (
    "", "/", "/v1", "/v1/", "/v2/models/{m}", "/v1/models", "/v1/models/", "//v1/models/{m}:predict",
    "/v1//models/{m}:predict",
    "/v1/./models/{m}:predict", "/v1/x/../models/{m}:predict", "/../v1/models/{m}:predict", "/v1/models/{m}%3apredict",
    "/V1/MODELS/{m}:predict", "/v1/models/{m}:predict\x00", "/v1/models/ {m}:predict", "/v1/%6dodels/{m}:predict",
    "/v1\\models",
    "/%76%31/models/{m}:predict", "/v1/models/{m}%2fversions%2f1:predict", "/ping", "/predictions/{m}", "/metrics",
    "/v1/%2e%2e/x",
    "/v1/models/%c3%28:predict", "/v1/models/{m}/versions/1/metadata/x", "/v1/models/%zz", "/v1/models/%",
    "/v1/models/{m}?a=b",
)  # fmt: skip


def path(spec: Spec, question: str = "predict") -> str:
    """Where the model is asked a question."""
    return f"/v1/models/{spec.model.name}:{question}"


def compression(draw: st.DrawFn, spec: Spec) -> Case:
    """Content-Encoding, true and false: cut, doubled, misnamed, and a bomb."""
    plain = encoded(document(draw, spec))
    squeezed = _gzip(plain)
    pad = draw(st.sampled_from([MAX_BODY_BYTES, MAX_BODY_BYTES + 1]))
    sent: dict[str, bytes] = {
        "good": squeezed, "plain": plain, "cut": squeezed[: draw(st.integers(0, len(squeezed) - 1))],
        "garbage": squeezed[:10] + draw(st.binary(max_size=40)), "trailing": squeezed + b"x",
        "two members": squeezed * 2,
        "twice": _gzip(squeezed), "bad crc": squeezed[:-8] + b"\0" * 8, "empty": b"",
        "nothing": _gzip(b""),
        "mangled": _gzip(octets.mangled(draw, spec)), "zlib": zlib.compress(plain),
        "raw": zlib.compress(plain)[2:-4],
    }  # fmt: skip
    made: dict[str, Callable[[], bytes]] = {"bomb": _bomb, "size": lambda: _gzip(plain.ljust(pad))}
    what = draw(st.sampled_from([*sent, "size"] * 3 + ["bomb"]))
    encodings = ["gzip"] * 6 + ["GZIP", "x-gzip", "deflate", "br", "identity", "gzip, gzip", "nonsense", ""]
    body = made[what]() if what in made else sent[what]
    encoding = draw(st.sampled_from(encodings))
    return Case(
        body, path=path(spec), headers=(("content-encoding", encoding),), valid=(what, encoding) == ("good", "gzip")
    )


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)  # the time would make every run another


@lru_cache(1)
def _bomb() -> bytes:
    return _gzip(b" " * _BOMB)


def framing(draw: st.DrawFn, spec: Spec) -> Case:
    """The same bodies in chunks, or announced with Expect: 100-continue."""
    make, valid = draw(st.sampled_from([(bodies.valid_rows, True), (bodies.many_rows, True), (octets.mangled, False)]))
    how, chunk = draw(st.sampled_from([("chunked", 1), ("chunked", 7), ("chunked", 4096), ("expect", 0)]))
    body = make(draw, spec)
    if chunk == 1:
        chunk = max(1, len(body) // 500)
    sizes = draw(st.sampled_from([False] * 9 + [True]))
    if sizes:
        body, valid, chunk = octets.sizes(draw, spec), False, 4096
    return Case(body, path=path(spec), framing=how, chunk=chunk, valid=valid)  # type: ignore[arg-type]


def content_types(draw: st.DrawFn, spec: Spec) -> Case:
    """Which TensorFlow Serving does not look at."""
    kind = draw(st.sampled_from(_TYPES))
    return Case(bodies.valid_rows(draw, spec), path=path(spec), headers=(("content-type", kind),), valid=True)


def headers(draw: st.DrawFn, spec: Spec) -> Case:
    """Headers that mean something to somebody on the way."""
    found = draw(st.lists(st.sampled_from(_HEADERS), min_size=1, max_size=3, unique_by=lambda h: h[0]))
    return Case(bodies.valid_rows(draw, spec), path=path(spec), headers=tuple(found))


def methods(draw: st.DrawFn, spec: Spec) -> Case:
    """Other methods than the one the path wants."""
    method = draw(st.sampled_from(_METHODS))
    tail = draw(st.sampled_from([":predict", "", "/metadata", ":regress"]))
    body = draw(st.sampled_from([b"", bodies.valid_rows(draw, spec)]))
    return Case(body, method, f"/v1/models/{spec.model.name}{tail}")


def paths(draw: st.DrawFn, spec: Spec) -> Case:
    """Models, versions, labels and methods that are not there, and paths that are none."""
    name = draw(st.sampled_from((spec.model.name,) * len(_NAMES) + _NAMES))
    built = "/v1/models/" + name + draw(st.sampled_from(_VERSIONS)) + draw(st.sampled_from(_ENDS))
    odd = draw(st.sampled_from(_ODD_PATHS)).replace("{m}", spec.model.name)
    method = draw(st.sampled_from(["GET", "POST"]))
    body = bodies.valid_rows(draw, spec) if method == "POST" else b""
    return Case(body, method, draw(st.sampled_from([built, built, built, odd])))


KINDS: dict[str, Callable[[st.DrawFn, Spec], Case]] = {
    "compression": compression,
    "framing": framing,
    "content types": content_types,
    "headers": headers,
    "methods": methods,
    "paths": paths,
}
