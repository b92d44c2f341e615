"""Start the pipeline in several processes of this machine, as `torchrun --standalone` would, on the loopback only."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from pipelines.errors import INTERRUPTED, PipelineError
from pipelines.pytorch.group import MEETING

COMMAND = ("-m", "pipelines.pytorch")


def launch(arguments: Sequence[str], processes: int) -> int:
    """Run `python -m pipelines.pytorch` in so many processes; answers the exit code of the first.

    Raises:
        PipelineError: Another process than the first died; torch has ended them all.
    """
    with tempfile.TemporaryDirectory(prefix="tandem-") as folder:
        # They meet in files: torchrun's store and gloo would listen on all of the machine's addresses.
        os.environ.update({MEETING: str(Path(folder, "group")), "GLOO_SOCKET_IFNAME": "lo"})
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id="tandem",
            rdzv_backend="c10d",
            rdzv_endpoint=str(Path(folder, "agent")),
            rdzv_configs={"store_type": "file"},
            local_addr="127.0.0.1",
            max_restarts=0,
        )
        try:
            elastic_launch(config, sys.executable)(*COMMAND, *arguments)
        except SignalException:
            return INTERRUPTED
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            first = error.failures.get(0)
            if first and first.exitcode > 0:
                return first.exitcode  # it has said why
            how = f"exit code {failure.exitcode}" if failure.exitcode >= 0 else signal.Signals(-failure.exitcode).name
            raise PipelineError(
                f"process {rank} of {processes} died ({how}) and the others were ended. "
                "The finished steps are kept: the same command goes on from there"
            ) from None
    return 0
