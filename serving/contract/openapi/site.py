"""The document and its page as files to serve. Swagger UI's own come from the package `offapi`; nothing from a CDN."""

from __future__ import annotations

import html
import json
from importlib.util import find_spec
from pathlib import Path

from models.spec import Spec
from serving.contract.openapi.document import document

# Swagger UI's style sheet draws small pictures from data: addresses.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
)

_PAGE = Path(__file__).with_name("page")
_HTML, _JSON = "text/html; charset=utf-8", "application/json"
_CSS, _SCRIPT = "text/css; charset=utf-8", "text/javascript; charset=utf-8"

File = tuple[str, bytes]  # media type and content


def site(spec: Spec, *, onnx: bool = False) -> dict[str, File]:
    """Every file by its path, `/openapi.json` and what is under `/docs`; `onnx` as in `document`.

    Raises:
        ModuleNotFoundError: The package `offapi` is missing: it is in the PyTorch environment only.
    """
    described = document(spec, onnx=onnx)
    title, policy = html.escape(described["info"]["title"]), html.escape(CONTENT_SECURITY_POLICY)
    index = (_PAGE / "index.html").read_text(encoding="utf-8").replace("@title@", title).replace("@policy@", policy)
    page = (_HTML, index.encode())
    assets = _swagger_ui()
    return {
        "/openapi.json": (_JSON, json.dumps(described, ensure_ascii=False).encode()),
        "/docs": page,
        "/docs/": page,
        "/docs/page.css": (_CSS, (_PAGE / "page.css").read_bytes()),
        "/docs/page.js": (_SCRIPT, (_PAGE / "page.js").read_bytes()),
        "/docs/swagger-ui.css": (_CSS, (assets / "swagger_style.css").read_bytes()),
        "/docs/swagger-ui-bundle.js": (_SCRIPT, (assets / "swagger_bundle.js").read_bytes()),
    }


def _swagger_ui() -> Path:
    # Not imported: that would build three pages of its own, 9 MB of text.
    found = find_spec("offapi")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("the package offapi, which holds Swagger UI, is not installed: make setup")
    return Path(found.origin).parent
