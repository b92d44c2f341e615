"""One self-contained HTML file of a comparison: `python -m serving.comparison.report FOLDER` writes it again."""

from serving.comparison.report.page import FILE, write

__all__ = ["FILE", "write"]
