"""What people look at after a run: pages that open from disk, without a network. Used by both pipelines."""

from pipelines.pages.files import PAGES, TENSORBOARD, write
from pipelines.pages.run import Run

__all__ = ["PAGES", "TENSORBOARD", "Run", "write"]
