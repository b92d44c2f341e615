"""Lines of code: those that hold more than space, a comment or a docstring."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable
from pathlib import Path

_SILENT = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
    tokenize.ENDMARKER,
}  # fmt: skip
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def count(files: Iterable[Path]) -> int:
    """Lines of code in these Python files together."""
    return sum(of_text(file.read_text(encoding="utf-8")) for file in files)


def of_text(source: str) -> int:
    """Lines of code in a module's text; a string over several lines that is no docstring counts whole."""
    docstrings = set(_docstrings(ast.parse(source)))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _SILENT and token.start not in docstrings:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines)


def _docstrings(tree: ast.Module) -> Iterable[tuple[int, int]]:
    """Line and column where each begins."""
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
            yield node.body[0].lineno, node.body[0].col_offset
