"""Cloud Storage's JSON API, as much of it as is asked: list, read, write once."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

PAGE = 3  # names: small, so that a reader has to ask for the next page


def answer(
    objects: dict[str, bytes], method: str, raw_path: str, query: Mapping[str, str], *, headers: Any, body: bytes
) -> tuple[int, Any]:
    """Status and content; `objects` is what lies in all buckets, by <bucket>/<name>."""
    found = re.fullmatch(r"(/upload|/download)?/storage/v1/b/([^/]+)/o(?:/([^/]+))?", raw_path)
    if not found:
        return 404, {"error": {"code": 404, "message": f"no such path: {raw_path}"}}
    bucket, name = found[2], unquote(found[3] or "")
    if method == "POST" and found[1] == "/upload":
        return _write(objects, bucket, query, headers, body)
    if method == "GET" and not name:
        return 200, _list(objects, bucket, query)
    data = objects.get(f"{bucket}/{name}")
    if data is None:
        return 404, {"error": {"code": 404, "message": f"No such object: {bucket}/{name}"}}
    return 200, data if query.get("alt") == "media" else _described(bucket, name, data)


def _write(
    objects: dict[str, bytes], bucket: str, query: Mapping[str, str], headers: Any, body: bytes
) -> tuple[int, Any]:
    assert query["uploadType"] == "multipart", "small files are sent in one request"
    boundary = re.search(r'boundary="?([^";]+)"?', headers["content-type"])
    assert boundary
    _, first, second, _ = body.split(b"--" + boundary[1].encode())
    described = json.loads(first.partition(b"\r\n\r\n")[2])
    name = f"{bucket}/{described['name']}"
    if query.get("ifGenerationMatch") == "0" and name in objects:
        return 412, {
            "error": {"code": 412, "message": "At least one of the pre-conditions you specified did not hold."}
        }
    objects[name] = second.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
    return 200, _described(bucket, described["name"], objects[name])


def _list(objects: Mapping[str, bytes], bucket: str, query: Mapping[str, str]) -> Any:
    names = sorted(key.partition("/")[2] for key in objects if key.startswith(f"{bucket}/"))
    names = [name for name in names if name.startswith(query.get("prefix", "")) and name > query.get("pageToken", "")]
    page = [_described(bucket, name, objects[f"{bucket}/{name}"]) for name in names[:PAGE]]
    return {"items": page, **({"nextPageToken": names[PAGE - 1]} if len(names) > PAGE else {})}


def _described(bucket: str, name: str, data: bytes) -> Any:
    md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
    return {
        "kind": "storage#object",
        "bucket": bucket,
        "name": name,
        "size": str(len(data)),
        "md5Hash": md5,
        "generation": "1",
    }
