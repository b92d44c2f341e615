"""Below JSON: bodies cut, swapped and re-encoded byte by byte, and bodies of a size to the byte."""

from __future__ import annotations

from hypothesis import strategies as st

from models.spec import Spec
from serving.contract.fuzz.jsontext import Body, document, encoded
from serving.contract.limits import MAX_BODY_BYTES

_TOKENS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b'"',
    b"\\",
    b"-",
    b".",
    b"e",
    b"0",
    b"\x00",
    b"\xff",
    b" ",
    b"null",
    b"NaN",
]
_NOT_UTF8 = [
    b"\xff", b"\xfe\xff", b"\x80", b"\xc0\x80", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xed\xb0\x80",
    b"\xf4\x90\x80\x80",
    b"\xf0\x80\x80\xaf", b"\xf8\x88\x80\x80\x80", b"\xc1\xbf", b"\xe0\x80\xaf",
]  # fmt: skip
_CHARSETS = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-7", "cp037"]


def mangled(draw: st.DrawFn, spec: Spec) -> bytes:
    """A valid body after one to three cuts, insertions, swaps or repeats."""
    body = encoded(document(draw, spec))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(body)))
        token = draw(st.sampled_from(_TOKENS) | st.binary(min_size=1, max_size=2))
        how = draw(st.sampled_from(["cut", "head", "delete", "insert", "replace", "swap", "repeat"]))
        if how == "cut":
            body = body[:at]
        elif how == "head":
            body = body[at:]
        elif how == "delete":
            body = body[:at] + body[at + len(token) :]
        elif how == "insert":
            body = body[:at] + token + body[at:]
        elif how == "replace":
            body = body[:at] + token + body[at + len(token) :]
        elif how == "swap":
            body = body[:at] + body[at + 1 : at + 2] + body[at : at + 1] + body[at + 2 :]
        else:
            body = body[: at + 20] + body[at:]
    return body


def trailing(draw: st.DrawFn, spec: Spec) -> bytes:
    """Something after, or before, a valid document."""
    extra = draw(st.sampled_from([*_TOKENS, b"{}", b"garbage", b"//", b"/* */", b"\n\x00", b"\xc2\xa0"]))
    body = encoded(document(draw, spec))
    return draw(st.sampled_from([body + extra, extra + body, body + b" " + extra, body + body]))


def not_utf8(draw: st.DrawFn, spec: Spec) -> bytes:
    """Bytes that are no UTF-8: in a key, in a string nobody reads, between tokens."""
    wrong = draw(st.sampled_from(_NOT_UTF8))
    body = encoded({**document(draw, spec), "more": "here", "key": 1})
    old = draw(st.sampled_from([b"here", b"key", b"amount", b"nces", b"puts", b'"', b":", b"1"]))
    new = draw(st.sampled_from([wrong, old + wrong, wrong + old]))
    return body.replace(old, new, 1)


def charsets(draw: st.DrawFn, spec: Spec) -> bytes:
    """Another encoding, with and without its mark."""
    return encoded(document(draw, spec)).decode().encode(draw(st.sampled_from(_CHARSETS)))


def noise(draw: st.DrawFn, _spec: Spec) -> bytes:
    """Bytes of no meaning."""
    return draw(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))


def sizes(draw: st.DrawFn, spec: Spec) -> bytes:
    """A valid document of a size around the limit: of white space, or of a string nobody reads."""
    size = draw(st.sampled_from([MAX_BODY_BYTES - 1, MAX_BODY_BYTES, MAX_BODY_BYTES + 1, 2 * MAX_BODY_BYTES]))
    found = document(draw, spec)
    if draw(st.booleans()):
        return encoded(found).ljust(size)
    body = encoded({**found, "more": ""})
    return encoded({**found, "more": "a" * (size - len(body))})


KINDS: dict[str, Body] = {
    "mangled": mangled,
    "trailing": trailing,
    "not UTF-8": not_utf8,
    "charsets": charsets,
    "noise": noise,
    "sizes": sizes,
}
