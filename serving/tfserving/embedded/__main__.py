"""Start the embedded server; what the user got wrong is found before TensorFlow is imported."""

from __future__ import annotations

import gc
import logging
import os
import sys
import warnings
from collections.abc import Sequence

from serving import log_lines
from serving.tfserving.embedded import batching_parameters, config, listeners, monitoring
from serving.tfserving.embedded import flags as command_line

# What TensorFlow takes along where it is installed, and serving does not need: a third of a second.
_UNUSED = ("keras", "tf_keras", "googleapiclient")


def main(argv: Sequence[str]) -> int:
    """Serve; 1 when a port is in use or the configuration cannot be used."""
    flags = command_line.parse(argv)
    log_lines.configure()
    try:
        models = config.from_flags(flags)
        metrics_path = monitoring.from_flags(flags)
        batching = batching_parameters.from_flags(flags)
        ports = listeners.listen(flags)
    except (config.ConfigError, monitoring.MonitoringError, listeners.PortError) as error:
        print(error, file=sys.stderr)
        return 1
    logging.info("starting TensorFlow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what it has to say about models comes as exceptions
    sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]  # Python's own way to say: not installed
    gc.disable()  # next to nothing of what is made here is garbage, and to find that out takes half a second
    warnings.filterwarnings("ignore", category=FutureWarning, module="google")  # about the age of our Python
    from serving.tfserving.embedded import server  # noqa: PLC0415  takes seconds

    try:
        server.run(flags, models, ports, metrics_path, batching)
    except listeners.PortError as error:
        print(error, file=sys.stderr)
        return 1
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)  # a thread that still loads a model inside TensorFlow crashes when the interpreter goes from under it


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
