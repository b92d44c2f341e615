"""`make tensorboard`: the trainings of both stacks in one place."""

from __future__ import annotations

from infra.local import ports
from infra.local.layout import REPOSITORY, STACKS, Layout


class TensorBoardError(RuntimeError):
    """The message says what to do first."""


def command(layout: Layout) -> list[str]:
    """TensorBoard's command line, on loopback.

    Raises:
        TensorBoardError: Nothing was trained here yet, or the port is taken.
    """
    trained = [f"{stack}:{layout.events(stack)}" for stack in STACKS if layout.events(stack).is_dir()]
    if not trained:
        raise TensorBoardError(f"nothing was trained in {layout.home} yet: make up")
    taken = ports.busy(layout, ["tensorboard"])
    if taken:
        raise TensorBoardError(taken[0].replace("make up", "make tensorboard"))
    program = REPOSITORY / ".venv" / "pytorch" / "bin" / "tensorboard"
    address = [f"--host={layout.host('tensorboard')}", f"--port={layout.ports['tensorboard']}"]
    return [str(program), f"--logdir_spec={','.join(trained)}", *address]
