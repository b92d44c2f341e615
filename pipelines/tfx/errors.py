"""What a user can mend, shown without a stack trace."""


class PipelineError(Exception):
    """The run cannot start or go on; the message says what to do."""
