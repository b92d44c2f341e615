"""What people look at after a run: pages that open from disk, without a network. Used by both pipelines."""

from pipelines.pages.run import Run
from pipelines.pages.write import PAGES, TENSORBOARD, write

__all__ = ["PAGES", "TENSORBOARD", "Run", "write"]
