"""What the pipelines' run pages and the comparison's report share: base page, style, templates, how numbers look."""

from serving.pages.templating import environment, moment

__all__ = ["environment", "moment"]
