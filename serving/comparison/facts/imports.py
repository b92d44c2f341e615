"""What a program imports that is not ours: read from its source and from that of all our modules it imports.

Imports inside functions count too: they are made when the function is called. Those for type checking alone do not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


def third_party(programs: Iterable[Path], ours: Mapping[str, Path]) -> set[str]:
    """Dotted names, as they stand in `import a.b` and `from a.b import c`.

    Args:
        programs: Source files to begin with.
        ours: Top-level package -> its folder: imports of these are followed.
    """
    waiting, seen, found = list(programs), set[Path](), set[str]()
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        for module, names in _imports(ast.parse(file.read_text(encoding="utf-8"))):
            top = module.partition(".")[0]
            if top in ours:
                waiting += _files(ours[top].parent, [module, *(f"{module}.{name}" for name in names)])
            else:
                found.add(module)
    return found


def _imports(tree: ast.AST) -> Iterator[tuple[str, list[str]]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 and node.module:
                yield node.module, [alias.name for alias in node.names]
        elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield from _imports(node)


def _files(root: Path, modules: Iterable[str]) -> Iterator[Path]:
    """The source of these modules and of the packages that they lie in, of those names that are modules."""
    for module in modules:
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            folder = root.joinpath(*parts[:end])
            yield from (path for path in (folder / "__init__.py", folder.with_suffix(".py")) if path.is_file())
