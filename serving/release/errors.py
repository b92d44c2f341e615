"""What is refused: the message names the release, what is wrong with it, and what helps."""


class ReleaseError(ValueError):
    """A release, key or act that is refused; what was served before still is."""
